"""Secrets and signatures as Standard Webhooks has them: https://github.com/standard-webhooks/standard-webhooks."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime

PREFIX = "whsec_"
SECRET_BYTES = 32


def new_secret() -> str:
    """Return a fresh secret: `whsec_` and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def sign(secret: str, *, webhook_id: str, timestamp: int, body: bytes) -> str:
    """Return one signature, `v1,...`: HMAC-SHA256 of id, timestamp and body under the secret's bytes."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def signed_headers(valid: Sequence[str], *, webhook_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Return the three headers; several secrets, as after a rotation, give as many signatures."""
    timestamp = int(at.timestamp())
    signatures = [sign(secret, webhook_id=webhook_id, timestamp=timestamp, body=body) for secret in valid]
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }
