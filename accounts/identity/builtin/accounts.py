"""Signing in at the built-in issuer with e-mail address and password."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.http import HttpRequest

from accounts.identity.models import Account


class PasswordHasher(PBKDF2PasswordHasher):
    """For people's passwords, as slow as the setting says."""

    iterations = settings.PASSWORD_ITERATIONS


class ClientSecretHasher(PBKDF2PasswordHasher):
    """For clients' secrets: 256 random bits need no slow hash, and each sign-in checks one."""

    algorithm = "pbkdf2_sha256_client_secret"
    iterations = 1_000


class AccountBackend(BaseBackend):
    """Finds the account; a wrong address takes as long as a wrong password."""

    def authenticate(
        self, request: HttpRequest | None, email: str | None = None, password: str | None = None, **kwargs: Any
    ) -> Account | None:
        if email is None or password is None:
            return None
        account = Account.objects.filter(email=email.strip().lower()).first()
        if account is None:
            Account().set_password(password)
            return None
        return account if account.check_password(password) and account.is_active else None

    def get_user(self, user_id: UUID) -> Account | None:
        return Account.objects.filter(pk=user_id, is_active=True).first()
