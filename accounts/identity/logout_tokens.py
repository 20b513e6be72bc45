"""Checks logout tokens: an issuer's word that sessions are over (OpenID Connect Back-Channel Logout 1.0)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import jwt
from django.core.cache import cache
from django.utils import timezone

from accounts.identity.realms import RealmRef
from accounts.identity.verification import LEEWAY_S, verify_signed

EVENT = "http://schemas.openid.net/event/backchannel-logout"
FRESH = timedelta(minutes=2)  # an issuer sends its word at once
REQUIRED = ["iss", "aud", "iat", "jti", "events"]


@dataclass(frozen=True, slots=True)
class LogoutToken:
    """Whose sessions are over: those of the issuer's session `sid`, or all of `subject` that began before `said_at`."""

    sid: str
    subject: str
    said_at: datetime


def verify_logout_token(realm: RealmRef, token: str) -> LogoutToken:
    """Return what a logout token says. Raises jwt.InvalidTokenError for one that is not meant for us, not now, or again."""
    claims = verify_signed(realm, token, audience=realm.client_id, required=REQUIRED)
    events = claims["events"]
    if not isinstance(events, dict) or not isinstance(events.get(EVENT), dict):
        raise jwt.InvalidTokenError("it tells of something else")
    if "nonce" in claims:
        raise jwt.InvalidTokenError("an ID token is no logout token")
    sid, subject = claims.get("sid") or "", claims.get("sub") or ""
    if not isinstance(sid, str) or not isinstance(subject, str) or not (sid or subject):
        raise jwt.InvalidTokenError("it names nobody")
    said_at = datetime.fromtimestamp(claims["iat"], UTC)
    if said_at < timezone.now() - FRESH:
        raise jwt.ExpiredSignatureError("it is old")
    # without a cache it may be told again, which ends nothing that began after it
    kept_s = int(FRESH.total_seconds()) + 2 * LEEWAY_S
    if cache.add(f"oidc:logout:{realm.id}:{claims['jti']}", 1, kept_s) is False:
        raise jwt.InvalidTokenError("it was told before")
    return LogoutToken(sid, subject, said_at)
