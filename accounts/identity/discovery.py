"""What an issuer publishes about itself, kept in the cache: endpoints and keys. Parsed keys are kept in the process, too."""

import time
from collections import OrderedDict
from typing import Any
from uuid import UUID

import jwt
import requests
from django.core.cache import cache

from accounts.identity.realms import RealmRef
from accounts.identity.transport import TIMEOUT_S, session_for
from core.errors import Rejected, Unavailable

KEPT_S = 600
REFETCH_EVERY_S = 10
PARSED_KEPT_S = (
    300.0  # as long as an access token is good: a key that an issuer took away is trusted no longer than that
)
MAX_PARSED = 20_000
# by realm, and not by its address: a tenant that gets the slug of a deleted one has another realm
_parsed: OrderedDict[tuple[UUID, str, str], tuple[jwt.PyJWK, float]] = OrderedDict()


def discover(realm: RealmRef) -> dict[str, Any]:
    """Return the issuer's discovery document. Raises Unavailable, or Rejected if it names another issuer."""
    return _document(realm, "discovery", f"{realm.issuer}/.well-known/openid-configuration", issuer=realm.issuer)


def find_key(realm: RealmRef, kid: str) -> jwt.PyJWK | None:
    """Return the RSA key with this id; an unknown id makes the keys be fetched anew, at most every ten seconds.

    A key that was found before is answered from memory, without asking anybody.
    """
    named = (realm.id, realm.issuer, kid)
    key, until = _parsed.get(named, (None, 0.0))
    if key is not None and until > time.monotonic():
        return key
    key = _look_up(realm, kid)
    if key is not None:
        _parsed[named] = (key, time.monotonic() + PARSED_KEPT_S)
        while len(_parsed) > MAX_PARSED:
            _parsed.popitem(last=False)
    return key


def forget_keys() -> None:
    """Drop the keys that this process knows."""
    _parsed.clear()


def _look_up(realm: RealmRef, kid: str) -> jwt.PyJWK | None:
    for attempt in range(2):
        for jwk in _document(realm, "keys", discover(realm)["jwks_uri"], refresh=bool(attempt)).get("keys", []):
            if jwk.get("kid") == kid and jwk.get("kty") == "RSA" and jwk.get("use", "sig") == "sig":
                return jwt.PyJWK(jwk, algorithm="RS256")
        if attempt or not cache.add(f"oidc:refetch:{realm.issuer}", 1, REFETCH_EVERY_S):
            break
    return None


def key_of_keys(realm: RealmRef) -> str:
    """Return under which key the cache has the realm's public keys."""
    return _cache_key(realm, "keys")


def _cache_key(realm: RealmRef, kind: str) -> str:
    return f"oidc:{kind}:{realm.id}:{realm.issuer}"


def _document(
    realm: RealmRef, kind: str, url: str, *, issuer: str | None = None, refresh: bool = False
) -> dict[str, Any]:
    key = _cache_key(realm, kind)
    document: dict[str, Any] | None = None if refresh else cache.get(key)
    if document is None:
        try:
            response = session_for(realm).get(url, timeout=TIMEOUT_S, allow_redirects=False)
            response.raise_for_status()
            document = response.json()
        except (requests.RequestException, TimeoutError) as error:
            raise Unavailable(part="issuer") from error
        if issuer is not None and document.get("issuer") != issuer:
            raise Rejected(part="issuer")
        cache.set(key, document, KEPT_S)
    return document
