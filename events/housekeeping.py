"""Throws away events that nobody can want any more: days of the outbox, and notes of what was handled."""

import re
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import OperationalError, connections, transaction
from django.db.models import Max, Min
from django.utils import timezone
from psycopg import sql

from events.bus import bus
from events.inbox.models import HandledMessage
from events.messages import SHARDS
from events.outbox.models import FailedMessage, OutboxMessage, Passed

OPS = "ops"
RETIRED_AFTER = timedelta(days=7)  # without a sign of life, a subscriber that is in no code is forgotten
ANSWERED_KEPT = timedelta(days=90)
LOCK_TIMEOUT_MS = 2000  # publishing waits as long at most
CLOCKS_DIFFER = timedelta(minutes=1)
HIGHEST = 2**63 - 1
log = structlog.get_logger(__name__)

_DAYS = """
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'public.events_outbox'::regclass ORDER BY 1
"""
_IN_USE = "SELECT EXISTS (SELECT FROM {day} WHERE sent_at IS NULL OR sent_at >= %s)"


def drop_old_days(*, subscribers: Collection[str], now: datetime | None = None) -> list[str]:
    """Drop days of the outbox that are older than events are kept, and return their names. Safe to repeat.

    A day stays as long as something of it is not sent, or some subscriber has not passed all of it. Runs as the owner.
    """
    now = now or timezone.now()
    passed = _passed_by_all(subscribers)
    dropped = []
    for name in _days():
        found = re.fullmatch(r"events_outbox_(\d{8})", name)
        if found is None:  # the default partition
            continue
        end = datetime.strptime(found[1], "%Y%m%d").replace(tzinfo=UTC) + timedelta(days=1)
        if end <= now - settings.EVENTS_KEPT and _drop(name, passed):
            log.info("outbox_day_dropped", day=name)
            dropped.append(name)
    return dropped


def _passed_by_all(subscribers: Collection[str]) -> datetime | None:
    """Return up to when every subscriber has passed everything; None while one never said so for every shard."""
    rows = list(Passed.objects.filter(subscriber__in=list(subscribers)).values_list("passed_at", flat=True))
    if len(rows) < len(subscribers) * SHARDS:
        return None
    return min(rows, default=datetime.max.replace(tzinfo=UTC))


def _days() -> list[str]:
    with connections[OPS].cursor() as cursor:
        cursor.execute(_DAYS)
        return [str(name) for (name,) in cursor.fetchall()]


def _drop(name: str, passed: datetime | None) -> bool:
    if passed is None:
        return False
    day: dict[str, Any] = {"day": sql.Identifier("public", name)}
    try:
        with transaction.atomic(using=OPS), connections[OPS].cursor() as cursor:
            cursor.execute(sql.SQL(_IN_USE).format(**day), [passed - CLOCKS_DIFFER])
            if cursor.fetchone() != (False,):
                return False
            cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_MS}ms'")
            cursor.execute(sql.SQL("DROP TABLE {day}").format(**day))
    except OperationalError as error:  # somebody holds the outbox; the next round comes
        log.warning("outbox_day_held", day=name, error=str(error))
        return False
    return True


def forget_retired(*, subscribers: Collection[str], now: datetime | None = None) -> list[str]:
    """Forget subscribers that are in no code any more and gave no sign of life for a week; return their names.

    Until then the bus keeps for them what they have not read: an older release may still consume.
    """
    now = now or timezone.now()
    signs = dict(Passed.objects.values_list("subscriber").annotate(Max("passed_at")))
    retired = sorted(name for name, at in signs.items() if name not in subscribers and at < now - RETIRED_AFTER)
    for name in retired:
        bus().forget(name)
        Passed.objects.using(OPS).filter(subscriber=name).delete()
        log.info("subscriber_forgotten", subscriber=name)
    return retired


def drop_answered(*, now: datetime | None = None) -> None:
    """Delete failed events that were answered long ago."""
    before = (now or timezone.now()) - ANSWERED_KEPT
    FailedMessage.objects.using(OPS).filter(answered_at__lt=before).delete()


def lowest_position() -> int:
    """Return the position of the oldest event that is kept: none below it is ever sent again."""
    lowest = OutboxMessage.objects.aggregate(lowest=Min("id"))["lowest"]
    return int(lowest) if lowest is not None else HIGHEST


def clear_handled(*, below: int, now: datetime | None = None) -> None:
    """Delete the current tenant's notes of handled events that can come no more. Safe to repeat."""
    before = (now or timezone.now()) - settings.EVENTS_KEPT
    HandledMessage.objects.filter(handled_at__lt=before, position__lt=below).delete()
