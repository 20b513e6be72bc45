"""Fields that are encrypted at rest with PLEXICA_ENCRYPTION_KEYS, not with SECRET_KEY.

The first key writes, all of them read: a key is retired by putting a new one in front and saving the rows again.
"""

import hashlib
from functools import cache
from typing import Any

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.db import models


@cache
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def encrypt(text: str) -> str:
    """Return `text` as a Fernet token."""
    return _fernet(tuple(settings.ENCRYPTION_KEYS)).encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    """Return the text of a Fernet token. Raises cryptography.fernet.InvalidToken if no key fits."""
    return _fernet(tuple(settings.ENCRYPTION_KEYS)).decrypt(token.encode()).decode()


def hash_token(token: str) -> str:
    """Return what is kept of a link's random token; long random values need no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]
    """Text that the database holds as a Fernet token; it cannot be searched."""

    def get_prep_value(self, value: Any) -> Any:
        return encrypt(value) if value else value

    def from_db_value(self, value: str | None, *args: object) -> str | None:
        return decrypt(value) if value else value
