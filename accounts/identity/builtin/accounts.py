"""Signing in at the built-in issuer with e-mail address and password."""

from uuid import UUID

from django.conf import settings
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.hashers import PBKDF2PasswordHasher

from accounts.identity.builtin.attempts import count_attempt, forget_failures, note_failure
from accounts.identity.models import Account, AttemptCounter


class PasswordHasher(PBKDF2PasswordHasher):
    """For people's passwords, as slow as the setting says."""

    iterations = settings.PASSWORD_ITERATIONS


class ClientSecretHasher(PBKDF2PasswordHasher):
    """For clients' secrets: 256 random bits need no slow hash, and each sign-in checks one."""

    algorithm = "pbkdf2_sha256_client_secret"
    iterations = 1_000


class AccountBackend(BaseBackend):
    """Finds the account of a session at the issuer. Who may begin one stands in `check_password`."""

    def get_user(self, user_id: UUID) -> Account | None:
        return Account.objects.filter(pk=user_id, is_active=True).first()


def check_password(*, email: str, password: str, device: str) -> Account | None:
    """Return the account whose address and password these are, or None; a wrong address takes as long as a wrong password.

    Raises SignInLocked when too much was tried at this address, whether or not somebody has it.
    """
    email = email.strip().lower()
    account = Account.objects.filter(email=email).first()
    subject = str(account.pk) if account else ""
    counter = count_attempt(kind=AttemptCounter.Kind.PASSWORD, email=email, subject=subject, device=device)
    if account is None:
        Account().set_password(password)
    elif account.check_password(password) and account.is_active:
        forget_failures(counter)
        return account
    note_failure(counter)
    return None


def check_own_password(account: Account, password: str) -> bool:
    """Say whether this is the password of somebody who is signed in. Raises SignInLocked.

    What they try is counted apart: nobody else can lock them out of it, and they lock nobody's sign-in.
    """
    counter = count_attempt(kind=AttemptCounter.Kind.PROOF, email=account.email, subject=str(account.pk))
    right = account.check_password(password)
    (forget_failures if right else note_failure)(counter)
    return right
