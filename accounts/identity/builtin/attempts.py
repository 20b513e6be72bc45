"""Stops guessing at an account: after so many failures it takes no more for a while.

counted ──right──> forgotten
   └──so many within the window──> locked ──its time is over, unlocked, password reset by mail──> counted from none

What is tried is counted before it is looked at, so that of many at once no more than the limit are looked at. Counted is
under the address that was typed, so one that nobody has is locked like any other, with the same statements. A browser with
which somebody signed in before counts for itself (`accounts.identity.builtin.devices`): strangers can't lock its owner out.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from accounts.identity.models import AttemptCounter
from core.errors import PlexicaError

LONGEST_LOCK = timedelta(days=1)
FORGOTTEN_AFTER = timedelta(days=2)  # of quiet; until then each lock is twice as long as the one before
Kind = AttemptCounter.Kind


class SignInLocked(PlexicaError):
    """Too much was tried at this account; what is tried now is not even looked at."""

    code = "sign_in_locked"
    status = 429
    title = _("Too many attempts failed")
    detail = _("Try again in %(minutes)s minutes.")


def name_of(email: str) -> str:
    """Return under what an address is counted: it can't be read from there."""
    return salted_hmac("accounts.identity.attempts", email, algorithm="sha256").hexdigest()[:32]


@transaction.atomic
def count_attempt(*, kind: AttemptCounter.Kind, email: str, subject: str, device: str = "") -> AttemptCounter:
    """Count an attempt at an address before it is looked at. `subject` is whose account it is, empty if nobody's.

    Raises SignInLocked; nothing is counted then.
    """
    now = timezone.now()
    counter = _locked_counter(kind=kind, name=name_of(email), device=device)
    if counter.locked_until and counter.locked_until > now:
        raise SignInLocked(minutes=_minutes_until(counter.locked_until, now), wait_s=_wait_s(counter.locked_until, now))
    if counter.last_at < now - FORGOTTEN_AFTER:
        counter.locks = 0
    if counter.locked_until or counter.counted_from < now - settings.LOCKOUT_WINDOW:
        counter.attempts, counter.counted_from, counter.locked_until = 0, now, None
    counter.attempts += 1
    counter.last_at, counter.subject = now, subject
    if counter.attempts >= settings.LOCKOUT_FAILURES:  # unless this one is right
        counter.locked_until = now + min(settings.LOCKOUT * 2**counter.locks, LONGEST_LOCK)
        counter.locks += 1
    counter.save()
    return counter


def _locked_counter(*, kind: AttemptCounter.Kind, name: str, device: str) -> AttemptCounter:
    """Return the counter, made if there is none, locked until the transaction ends.

    Right attempts delete theirs all the time. An upsert finds or makes the row whoever deletes it meanwhile, where
    `get_or_create` may lose both: the insert to another's row, and then the row to the other's success.
    """
    AttemptCounter.objects.bulk_create(
        [AttemptCounter(kind=kind, name=name, device=device)],
        update_conflicts=True,
        unique_fields=["kind", "name", "device"],
        update_fields=["kind"],
    )
    return AttemptCounter.objects.get(kind=kind, name=name, device=device)


def forget_failures(counter: AttemptCounter) -> None:
    """Begin anew: the attempt was right."""
    AttemptCounter.objects.filter(pk=counter.pk).delete()


def note_failure(counter: AttemptCounter) -> None:
    """Let whose account it is, and the audit log, be told if this failure has locked it."""
    from accounts.tasks import note_lockouts

    if counter.locked_until:
        transaction.on_commit(partial(note_lockouts.delay), robust=True)  # a daily job finds it, too


def unlock(subject: str, *kinds: AttemptCounter.Kind) -> None:
    """Take an account's locks and counters away: all, or those of some kinds. Safe to repeat."""
    found = AttemptCounter.objects.filter(subject=subject).exclude(subject="")
    (found.filter(kind__in=kinds) if kinds else found).delete()


def locked_until(subject: str) -> datetime | None:
    """Return until when an account takes nothing more from some browser, or None if it is not locked."""
    locks = AttemptCounter.objects.filter(subject=subject, locked_until__gt=timezone.now())
    return max((lock.locked_until for lock in locks if lock.locked_until), default=None)


def locked_subjects(subjects: Iterable[str]) -> set[str]:
    """Return those of these accounts that are locked."""
    locks = AttemptCounter.objects.filter(subject__in=list(subjects), locked_until__gt=timezone.now())
    return set(locks.values_list("subject", flat=True))


def clear_old_counters() -> None:
    """Delete counters of what is long over."""
    AttemptCounter.objects.filter(last_at__lt=timezone.now() - FORGOTTEN_AFTER).delete()


def _wait_s(until: datetime, now: datetime) -> int:
    return max(1, round((until - now).total_seconds()))


def _minutes_until(until: datetime, now: datetime) -> int:
    return -(-_wait_s(until, now) // 60)
