"""A second factor at the built-in issuer: set up, renewed and switched off by its owner."""

import json
import time
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

from cryptography.fernet import InvalidToken
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.identity.builtin import attempts, authenticators
from accounts.identity.builtin.sessions import end_own_sessions
from accounts.identity.models import Account, AttemptCounter, Authenticator
from accounts.identity.realms import current_realm
from accounts.identity.two_factor_rule import two_factor_required
from accounts.owners import owner_of
from accounts.passwords import lock_account, own_account, prove_password
from accounts.principals import Principal
from accounts.sessions.services import end_sessions_of
from core import audit
from core.actors import SYSTEM
from core.crypto import decrypt, encrypt
from core.errors import Conflict, Invalid
from core.tenancy import current

SET_UP_LASTS_S = 1800


class TwoFactorOn(Conflict):
    """There is a second factor already."""

    code = "two_factor_on"
    title = gettext_lazy("Two-factor sign-in is on already")
    detail = gettext_lazy("Switch it off first if you want to use another app.")


class TwoFactorRequired(Conflict):
    """Everybody here has to have one."""

    code = "two_factor_required"
    title = gettext_lazy("A second factor is required here")
    detail = gettext_lazy("The workspace asks one of everybody. To use another app, ask an admin to reset yours.")


class TwoFactorOff(Conflict):
    """There is no second factor to change."""

    code = "two_factor_off"
    title = gettext_lazy("Two-factor sign-in is off")
    detail = gettext_lazy("It was switched off meanwhile. Switch it on again.")


@dataclass(frozen=True, slots=True)
class SetUp:
    """A secret that an app may learn, and how pages carry it until the first code has proved that it did."""

    secret: str = field(repr=False)
    token: str
    svg: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TwoFactorState:
    """What somebody's pages and API say of their second factor. Nothing where the realm is at another issuer."""

    is_ours: bool
    is_on: bool = False
    is_required: bool = False
    recovery_codes_left: int = 0


def state_of(principal: Principal) -> TwoFactorState:
    """Return how it stands with somebody's second factor."""
    if not current_realm().builtin:
        return TwoFactorState(is_ours=False, is_required=two_factor_required())
    account = own_account(principal)
    return TwoFactorState(
        is_ours=True,
        is_on=has_app(account),
        is_required=two_factor_required(),
        recovery_codes_left=authenticators.codes_left(account),
    )


def needs_code(account: Account) -> bool:
    """Say whether the password alone signs nobody in to this account."""
    return account.two_factor or two_factor_required()


def has_app(account: Account) -> bool:
    """Say whether an app makes codes for this account; who needs a code without one sets it up when they sign in."""
    return Authenticator.objects.filter(account=account).exists()


def begin_set_up(account: Account) -> SetUp:
    """Return a fresh secret. Nothing is kept of it: what the page sends back carries it, for this account and half an hour."""
    return _drawn(account, authenticators.new_secret(), time.time())


def repeat_set_up(account: Account, token: str) -> SetUp:
    """Return the set-up that a page has begun, to draw it again. Raises Invalid if its time is over or it is another's."""
    try:
        kept = json.loads(decrypt(token))
    except (InvalidToken, ValueError):
        kept = {}
    if kept.get("two_factor_of") != str(account.pk) or kept["at"] < time.time() - SET_UP_LASTS_S:
        raise Invalid({"code": [_("This page is too old. Scan the new picture, and enter the code that it gives.")]})
    return _drawn(account, kept["secret"], kept["at"])


def draw_again(account: Account, token: str) -> SetUp:
    """Return the set-up that a page has begun, or a fresh one if it can't be gone on with."""
    try:
        return repeat_set_up(account, token)
    except Invalid:
        return begin_set_up(account)


def _drawn(account: Account, secret: str, at: float) -> SetUp:
    ref = current()
    address = authenticators.app_address(secret, email=account.email, issuer=ref.name if ref else "Plexica")
    token = encrypt(json.dumps({"two_factor_of": str(account.pk), "secret": secret, "at": at}))
    return SetUp(secret, token, authenticators.qr_svg(address))


def set_up(*, account: Account, token: str, code: str) -> list[str]:
    """Switch two-factor sign-in on with the first code of the app, and return the recovery codes.

    All sessions at the issuer end. Raises Invalid, TwoFactorOn.
    """
    drawn = repeat_set_up(account, token)
    step = authenticators.find_step(drawn.secret, "".join(code.split()))
    if step is None:
        raise Invalid(
            {"code": [_("This is not the code that the app shows now. Look at its clock, and try the next one.")]}
        )
    with transaction.atomic():
        locked = lock_account(account)
        if has_app(locked):
            raise TwoFactorOn
        codes = authenticators.set_up(locked, secret=drawn.secret, step=step)
        end_own_sessions(str(locked.pk))
        whose = owner_of(str(locked.pk))
        audit.record(actor=whose.actor if whose else SYSTEM, action="two_factor.on", target=whose)
        tell(str(locked.pk), "on")
    return codes


def switch_on(*, principal: Principal, password: str, token: str, code: str, keep: UUID | None) -> list[str]:
    """Switch somebody's two-factor sign-in on, end their other sessions and return the recovery codes.

    The password is asked for: a session that somebody else got hold of must not become theirs for good.

    Raises NotFound where the realm is at another issuer, Invalid, TwoFactorOn.
    """
    account = own_account(principal)
    prove_password(account, password, field="password")
    codes = set_up(account=account, token=token, code=code)
    end_sessions_of(principal=principal, except_key=keep)
    return codes


def renew_recovery_codes(*, principal: Principal, code: str) -> list[str]:
    """Replace somebody's recovery codes and return the new ones. Raises NotFound, Invalid, TwoFactorOff."""
    account = own_account(principal)
    _prove_code(account, code)
    with transaction.atomic():
        codes = authenticators.make_recovery_codes(_lock_with_app(account))
        audit.record(actor=principal.actor, action="two_factor.codes_renewed", target=principal)
    return codes


def switch_off(*, principal: Principal, code: str, keep: UUID | None) -> None:
    """Ask somebody for no more codes, and end their other sessions.

    Raises NotFound, TwoFactorRequired, TwoFactorOff, Invalid.
    """
    account = own_account(principal)
    if two_factor_required():
        raise TwoFactorRequired
    _prove_code(account, code)
    with transaction.atomic():
        authenticators.remove(_lock_with_app(account))
        end_own_sessions(principal.subject)
        audit.record(actor=principal.actor, action="two_factor.off", target=principal)
        tell(principal.subject, "off")
        end_sessions_of(principal=principal, except_key=keep)


def _lock_with_app(account: Account) -> Account:
    """Return the account, locked for the transaction. Raises TwoFactorOff if it was switched off meanwhile."""
    locked = lock_account(account)
    if not has_app(locked):
        raise TwoFactorOff
    return locked


def _prove_code(account: Account, code: str) -> None:
    """Go on only with a code of somebody who is signed in; what is tried is counted."""
    if not has_app(account):
        raise TwoFactorOff
    try:
        right = check_code(account, code, kind=AttemptCounter.Kind.PROOF)
    except attempts.SignInLocked as locked:
        raise Invalid({"code": [f"{locked.title}. {locked}"]}) from None
    if not right:
        raise Invalid({"code": [wrong_code()]})


def check_code(account: Account, code: str, *, kind: AttemptCounter.Kind, device: str = "") -> bool:
    """Say whether this is a code of the account that was not used before. Raises SignInLocked after too many wrong ones."""
    counter = attempts.count_attempt(kind=kind, email=account.email, subject=str(account.pk), device=device)
    used = authenticators.use_code(account, code)
    if not used:
        attempts.note_failure(counter)
        return False
    attempts.forget_failures(counter)
    if used == "recovery":
        whose = owner_of(str(account.pk))
        left = authenticators.codes_left(account)
        actor = whose.actor if whose else SYSTEM
        audit.record(actor=actor, action="two_factor.recovery_code_used", target=whose, left=left)
    return True


def tell(subject: str, change: str) -> None:
    """Let somebody be mailed of a change of their second factor: whoever made it may not be them."""
    from accounts.tasks import mail_two_factor_notice

    transaction.on_commit(partial(mail_two_factor_notice.delay, subject, change), robust=True)


def wrong_code() -> str:
    """Return what is said of a code that is wrong, too old, or was used before."""
    return _("This code is wrong or was used before. Wait for the next one.")
