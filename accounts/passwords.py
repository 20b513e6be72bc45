"""People's own passwords at the built-in issuer: changed by who knows the old one, reset by who reads the mail."""

from datetime import timedelta
from uuid import UUID

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.identity import links
from accounts.identity.builtin import attempts
from accounts.identity.builtin.accounts import check_own_password
from accounts.identity.models import Account, AttemptCounter, PasswordLink
from accounts.identity.port import Account as Known
from accounts.identity.realms import current_realm
from accounts.mails import send_reset_link
from accounts.owners import owner_of
from accounts.principals import Principal
from accounts.sessions.services import end_sessions_of
from core import audit
from core.errors import Invalid, NotFound
from core.locks import one_at_a_time

RESET_LASTS = timedelta(hours=1)
RESET_EVERY = timedelta(minutes=5)  # one mail to one account, whoever asks how often


def change_password(*, principal: Principal, old: str, new: str, keep: UUID | None) -> None:
    """Set somebody's own password, and end their other sessions; the one with id `keep` goes on.

    Raises Invalid for a wrong old password or a new one that the rules refuse, and NotFound where the realm's passwords
    are not ours; nothing is written then, but that a wrong one was tried.
    """
    account = own_account(principal)
    prove_password(account, old, field="old")
    try:
        validate_password(new, user=account)
    except ValidationError as error:
        raise Invalid({"password": list(error.messages)}) from None
    with transaction.atomic():
        locked = lock_account(account)
        if locked.password != account.password:  # changed meanwhile: what was proved is over
            raise Invalid({"old": [_("This is not your password.")]})
        locked.set_password(new)
        locked.save(update_fields=["password"])
        PasswordLink.objects.filter(subject=principal.subject, used_at=None).update(used_at=timezone.now())
        audit.record(actor=principal.actor, action="password.changed", target=principal)
        end_sessions_of(principal=principal, except_key=keep)


def prove_password(account: Account, password: str, *, field: str) -> None:
    """Go on only if this is the password of somebody who is signed in; what is tried is counted.

    Raises Invalid, for the form's field.
    """
    try:
        right = check_own_password(account, password)
    except attempts.SignInLocked as locked:
        raise Invalid({field: [f"{locked.title}. {locked}"]}) from None
    if not right:
        raise Invalid({field: [_("This is not your password.")]})


def set_password_by_link(*, token: str, password: str) -> Known:
    """Set the password of a link's account, end all its sessions, and open it if too many wrong passwords locked it.

    Raises links.PasswordLinkInvalid, and ValidationError for a password that the rules refuse; nothing has changed then.
    """
    account = links.set_password(token=token, password=password)
    attempts.unlock(account.subject, AttemptCounter.Kind.PASSWORD, AttemptCounter.Kind.PROOF)
    whose = owner_of(account.subject)
    if whose is None:  # their first sign-in is still to come
        return account
    with transaction.atomic():
        audit.record(actor=whose.actor, action="password.set", target=whose)
        end_sessions_of(principal=whose)
    return account


def mail_reset(*, subject: str) -> None:
    """Mail an account a link to set another password, unless it was sent one just now; nothing to unknown ones.

    Raises OSError if the mail server does not answer.
    """
    account = Account.objects.filter(pk=subject, is_active=True).first()
    link = _make_reset_link(subject) if account else None
    if account is None or link is None:
        return
    try:
        send_reset_link(account, link=link, lasts=RESET_LASTS)
    except OSError:  # it is tried again, and nothing was sent just now
        links.withdraw_password_link(link)
        raise


@transaction.atomic
def _make_reset_link(subject: str) -> str | None:
    one_at_a_time("password reset", subject)
    recently = PasswordLink.objects.filter(subject=subject, created_at__gt=timezone.now() - RESET_EVERY)
    return None if recently.exists() else links.make_password_link(subject, lasts=RESET_LASTS)


def own_account(principal: Principal) -> Account:
    """Return the account at the built-in issuer with which somebody signs in. Raises NotFound where they do so elsewhere."""
    account = Account.objects.filter(pk=principal.subject).first() if current_realm().builtin else None
    if account is None:
        raise NotFound
    return account


def lock_account(account: Account) -> Account:
    """Return the account as it is now, locked until the transaction ends. Raises NotFound if it was deleted meanwhile."""
    locked = Account.objects.select_for_update().filter(pk=account.pk).first()
    if locked is None:
        raise NotFound
    return locked
