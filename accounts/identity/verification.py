"""Checks tokens locally: signature by the issuer's keys, issuer, audience, time, kind."""

import json
from typing import Any

import jwt
from jwt.utils import base64url_decode

from accounts.identity.discovery import find_key
from accounts.identity.realms import RealmRef

LEEWAY_S = 10
REQUIRED = ["iss", "sub", "aud", "exp", "iat"]


def verify_token(realm: RealmRef, token: str, *, audience: str) -> dict[str, Any]:
    """Return the claims of a token that `realm` signed for `audience` and that is good now.

    Raises jwt.InvalidTokenError: another algorithm than RS256, unknown key, wrong signature, issuer, audience or time.
    """
    return verify_signed(realm, token, audience=audience, required=REQUIRED)


def verify_signed(realm: RealmRef, token: str, *, audience: str, required: list[str]) -> dict[str, Any]:
    """Like `verify_token`, for tokens that must have other claims."""
    return _verified(realm, token, audience=audience, required=required)[1]


def _verified(
    realm: RealmRef, token: str, *, audience: str, required: list[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims."""
    key = find_key(realm, _key_id(token))
    if key is None:
        raise jwt.InvalidKeyError("unknown signing key")
    decoded = jwt.decode_complete(
        token,
        key,
        algorithms=["RS256"],
        issuer=realm.issuer,
        audience=audience,
        leeway=LEEWAY_S,
        options={"require": required},
    )
    return decoded["header"], decoded["payload"]


def _key_id(token: str) -> str:
    """Return which key a token names. Of all the rest, its header included, the library is asked, with that key."""
    try:
        header = json.loads(base64url_decode(token.partition(".")[0]))
    except (ValueError, RecursionError) as error:
        raise jwt.DecodeError("the header cannot be read") from error
    kid = header.get("kid") if isinstance(header, dict) else None
    if not isinstance(kid, str):
        raise jwt.InvalidKeyError("names no key")
    return kid


def verify_access_token(realm: RealmRef, token: str, *, audience: str) -> dict[str, Any]:
    """Like `verify_token`, and refuse what is no access token, and what no client of the realm asked for.

    The built-in issuer says `at+jwt` in the header (RFC 9068), Keycloak `Bearer` among the claims.
    """
    header, claims = _verified(realm, token, audience=audience, required=REQUIRED)
    kind = str(header.get("typ", "")).lower()
    is_access_token = kind == "at+jwt" if realm.builtin else claims.get("typ") == "Bearer"
    if not is_access_token or claims.get("nonce"):
        raise jwt.InvalidTokenError("not an access token")
    if not claims.get("client_id" if realm.builtin else "azp"):
        raise jwt.InvalidTokenError("given to no client")
    return claims
