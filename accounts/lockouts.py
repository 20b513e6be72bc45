"""Who hears of accounts that were locked after too many failures, and who opens them again."""

from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from accounts.identity import provider
from accounts.identity.builtin import attempts
from accounts.identity.models import Account, AttemptCounter
from accounts.identity.realms import current_realm
from accounts.mails import send_lock_notice
from accounts.operators.models import Operator
from accounts.operators.team import get_operator
from accounts.owners import as_they_read, owner_of
from accounts.people.models import Person
from accounts.people.selectors import get_person
from accounts.people.services.limits import refuse_beyond
from accounts.principals import Principal
from core import audit
from core.actors import SYSTEM, Actor
from core.tenancy import current

MAIL_EVERY = timedelta(days=1)  # a stranger can lock an account again and again


def note_lockouts() -> None:
    """Write the current realm's new locks into the audit log, and let their owners be mailed. Safe to repeat."""
    untold = Q(told_at=None) | Q(told_at__lt=F("last_at"))
    locked = AttemptCounter.objects.filter(untold, locked_until__isnull=False).exclude(subject="")
    for pk in list(locked.values_list("pk", flat=True)):
        _note(pk)


@transaction.atomic
def _note(pk: UUID) -> None:
    from accounts.tasks import mail_lock_notice

    lock = AttemptCounter.objects.select_for_update().filter(pk=pk, locked_until__isnull=False).first()
    if lock is None or (lock.told_at and lock.told_at >= lock.last_at):
        return
    before, now = lock.told_at, timezone.now()
    lock.told_at = now
    lock.save(update_fields=["told_at"])
    audit.record(
        actor=SYSTEM, action="sign_in.locked", target=owner_of(lock.subject), tried=lock.kind, attempts=lock.attempts
    )
    if before is None or before < now - MAIL_EVERY:
        transaction.on_commit(partial(mail_lock_notice.delay, str(lock.pk)), robust=True)


def mail_lock(*, counter_id: UUID) -> None:
    """Tell an account's owner that it is locked; nobody if it was opened meanwhile. Raises OSError."""
    locked = AttemptCounter.objects.filter(pk=counter_id, locked_until__gt=timezone.now())
    lock = locked.exclude(subject="").first()
    account = Account.objects.filter(pk=lock.subject, is_active=True).first() if lock else None
    if lock is None or account is None or lock.locked_until is None:
        return
    with as_they_read(owner_of(lock.subject)):
        send_lock_notice(account, attempts=lock.attempts, until=lock.locked_until, kind=lock.kind)


def locked_among(people: Iterable[Principal]) -> set[UUID]:
    """Return the ids of those whose account is locked, asked once for all; nobody's where an issuer elsewhere knows."""
    ids = {one.subject: one.pk for one in people} if current_realm().builtin else {}
    return {ids[subject] for subject in attempts.locked_subjects(ids)}


def unlock_person(*, person_id: UUID, actor: Actor) -> Person:
    """Let somebody of the team try to sign in again at once. Safe to repeat.

    Raises NotFound, RightsExceeded, Unavailable.
    """
    person = get_person(person_id)
    refuse_beyond(actor, person=person)
    provider().unlock_account(current(), person.subject)
    audit.record(actor=actor, action="member.unlocked", target=person)
    return person


def unlock_operator(*, operator_id: UUID, actor: Actor) -> Operator:
    """Let an operator try to sign in again at once. Safe to repeat. Raises NotFound, Unavailable."""
    operator = get_operator(operator_id)
    provider().unlock_account(None, operator.subject)
    audit.record(actor=actor, action="operator.unlocked", target=operator)
    return operator
