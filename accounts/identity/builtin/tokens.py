"""The tokens that the built-in issuer signs."""

import secrets
import time
from typing import Any

import jwt
from django.conf import settings
from oauth2_provider.settings import oauth2_settings

from accounts.identity.addresses import builtin_issuer
from accounts.identity.models import SigningKey
from core.ids import uuid7


def opaque_refresh_token(request: Any, refresh_token: bool = False) -> str:
    """Return a refresh token: 64 random bytes, looked up and never parsed."""
    return secrets.token_urlsafe(64)


def jwt_access_token(request: Any, refresh_token: bool = False) -> str:
    """Return an access token after RFC 9068: `typ: at+jwt`, its own audience, good for five minutes."""
    key = SigningKey.objects.signing()
    now_s = int(time.time())
    client_id = request.client.client_id
    claims = {
        "iss": builtin_issuer(),
        "aud": [settings.API_AUDIENCE],
        "sub": str(request.user.pk) if request.user else f"client:{client_id}",
        "client_id": client_id,
        "scope": " ".join(request.scopes or []),
        "iat": now_s,
        "exp": now_s + oauth2_settings.ACCESS_TOKEN_EXPIRE_SECONDS,
        "jti": str(uuid7()),
    }
    return jwt.encode(claims, key.private_pem, algorithm="RS256", headers={"kid": key.kid, "typ": "at+jwt"})
