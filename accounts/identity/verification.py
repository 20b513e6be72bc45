"""Checks tokens locally: signature by the issuer's keys, issuer, audience, time, kind."""

from typing import Any

import jwt

from accounts.identity.discovery import find_key
from accounts.identity.realms import RealmRef

LEEWAY_S = 10
REQUIRED = ["iss", "sub", "aud", "exp", "iat"]


def verify_token(realm: RealmRef, token: str, *, audience: str) -> dict[str, Any]:
    """Return the claims of a token that `realm` signed for `audience` and that is good now.

    Raises jwt.InvalidTokenError: another algorithm than RS256, unknown key, wrong signature, issuer, audience or time.
    """
    header = jwt.get_unverified_header(token)
    if header.get("alg") != "RS256" or not isinstance(header.get("kid"), str):
        raise jwt.InvalidAlgorithmError("only RS256 with a key id")
    key = find_key(realm, header["kid"])
    if key is None:
        raise jwt.InvalidKeyError("unknown signing key")
    claims: dict[str, Any] = jwt.decode(
        token,
        key,
        algorithms=["RS256"],
        issuer=realm.issuer,
        audience=audience,
        leeway=LEEWAY_S,
        options={"require": REQUIRED},
    )
    return claims


def verify_access_token(realm: RealmRef, token: str, *, audience: str) -> dict[str, Any]:
    """Like `verify_token`, and refuse what is no access token: ID tokens carry a nonce or say so themselves."""
    claims = verify_token(realm, token, audience=audience)
    kind = str(jwt.get_unverified_header(token).get("typ", "")).lower()
    if claims.get("nonce") or claims.get("typ") == "ID" or (realm.builtin and kind != "at+jwt"):
        raise jwt.InvalidTokenError("not an access token")
    return claims
