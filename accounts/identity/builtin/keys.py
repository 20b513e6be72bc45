"""Makes the current realm's keys and shows their public halves."""

import base64
import hashlib
import json
from datetime import datetime
from typing import cast

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.utils import timezone

from accounts.identity.models import SigningKey

KEY_BITS = 2048


def make_key(*, active_from: datetime | None = None) -> SigningKey:
    """Make a key pair that signs from a moment on, or at once."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return SigningKey.objects.create(
        kid=_thumbprint(private), private_pem=pem, active_from=active_from or timezone.now()
    )


def public_jwk(key: SigningKey) -> dict[str, object]:
    """Return the public half as a JSON Web Key."""
    public = serialization.load_pem_private_key(key.private_pem.encode(), None).public_key()
    return {
        **jwt.algorithms.RSAAlgorithm.to_jwk(cast("rsa.RSAPublicKey", public), as_dict=True),
        "kid": key.kid,
        "use": "sig",
        "alg": "RS256",
    }


def _thumbprint(private: rsa.RSAPrivateKey) -> str:
    """Return the RFC 7638 thumbprint of the public key."""
    jwk = jwt.algorithms.RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
    canonical = json.dumps({name: jwk[name] for name in ("e", "kty", "n")}, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(canonical.encode()).digest()).rstrip(b"=").decode()
