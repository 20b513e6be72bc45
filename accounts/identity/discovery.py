"""What an issuer publishes about itself, kept in the cache: endpoints and keys."""

from typing import Any

import jwt
import requests
from django.core.cache import cache

from accounts.identity.realms import RealmRef
from accounts.identity.transport import TIMEOUT_S, session_for
from core.errors import Rejected, Unavailable

KEPT_S = 600
REFETCH_EVERY_S = 10


def discover(realm: RealmRef) -> dict[str, Any]:
    """Return the issuer's discovery document. Raises Unavailable, or Rejected if it names another issuer."""
    return _document(realm, "discovery", f"{realm.issuer}/.well-known/openid-configuration", issuer=realm.issuer)


def find_key(realm: RealmRef, kid: str) -> jwt.PyJWK | None:
    """Return the RSA key with this id; an unknown id makes the keys be fetched anew, at most every ten seconds."""
    for attempt in range(2):
        for jwk in _document(realm, "keys", discover(realm)["jwks_uri"], refresh=bool(attempt)).get("keys", []):
            if jwk.get("kid") == kid and jwk.get("kty") == "RSA" and jwk.get("use", "sig") == "sig":
                return jwt.PyJWK(jwk, algorithm="RS256")
        if attempt or not cache.add(f"oidc:refetch:{realm.issuer}", 1, REFETCH_EVERY_S):
            break
    return None


def _document(
    realm: RealmRef, kind: str, url: str, *, issuer: str | None = None, refresh: bool = False
) -> dict[str, Any]:
    key = f"oidc:{kind}:{realm.id}:{realm.issuer}"
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
