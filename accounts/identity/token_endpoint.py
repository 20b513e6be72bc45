"""Asks an issuer for tokens, and gives them back: what the relying party does behind the browser's back."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import jwt
import requests
import structlog
from django.utils import timezone

from accounts.identity.discovery import discover
from accounts.identity.realms import RealmRef
from accounts.identity.transport import TIMEOUT_S, session_for
from accounts.identity.verification import verify_token
from core.errors import Rejected, Unavailable

DEFAULT_EXPIRY_S = 300  # RFC 6749 leaves it to the issuer to say
log = structlog.get_logger(__name__)


class GrantRefused(Exception):
    """The issuer gives nothing for this code or refresh token: it is used up, ended, or its account is disabled."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the issuer gave for a code or a refresh token; `id_token` and `refresh_token` may be empty."""

    access_token: str
    id_token: str
    refresh_token: str
    expires_at: datetime


def exchange(realm: RealmRef, payload: dict[str, Any]) -> Tokens:
    """Send a grant to the token endpoint. Raises GrantRefused, or Unavailable when nobody knows whether it was used."""
    try:
        response = session_for(realm).post(
            discover(realm)["token_endpoint"], data=payload, timeout=TIMEOUT_S, allow_redirects=False
        )
        given = response.json() if response.content else {}
    except (requests.RequestException, TimeoutError, ValueError) as error:
        raise Unavailable(part="issuer") from error
    if response.status_code == 400 and given.get("error") == "invalid_grant":
        raise GrantRefused(str(given.get("error_description", "invalid_grant")))
    if response.status_code != 200 or not given.get("access_token"):
        log.error("token_endpoint_failed", status=response.status_code, error=given.get("error"), realm=str(realm.id))
        raise Unavailable(part="issuer")
    return Tokens(
        access_token=str(given["access_token"]),
        id_token=str(given.get("id_token") or ""),
        refresh_token=str(given.get("refresh_token") or ""),
        expires_at=timezone.now() + timedelta(seconds=int(given.get("expires_in") or DEFAULT_EXPIRY_S)),
    )


def refresh(realm: RealmRef, refresh_token: str, *, subject: str) -> Tokens:
    """Get new tokens for the same person. Raises GrantRefused, or Unavailable."""
    tokens = exchange(
        realm,
        {
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
            "client_id": realm.client_id,
            "client_secret": realm.client_secret,
        },
    )
    if tokens.id_token:
        try:
            claims = verify_token(realm, tokens.id_token, audience=realm.client_id)
        except jwt.PyJWTError as error:
            raise GrantRefused(f"the new ID token is not good: {error}") from None
        if claims["sub"] != subject:
            raise GrantRefused("the new tokens are somebody else's")
    return tokens


def revoke(realm: RealmRef, refresh_token: str) -> None:
    """Make a refresh token worthless at the issuer, as far as it answers: we have forgotten it already."""
    data = {"token": refresh_token, "token_type_hint": "refresh_token"}
    data |= {"client_id": realm.client_id, "client_secret": realm.client_secret}
    try:
        if endpoint := discover(realm).get("revocation_endpoint"):
            response = session_for(realm).post(endpoint, data=data, timeout=TIMEOUT_S, allow_redirects=False)
            response.raise_for_status()
    except (requests.RequestException, TimeoutError, Unavailable, Rejected) as error:
        log.warning("refresh_token_not_revoked", error=str(error), realm=str(realm.id))
