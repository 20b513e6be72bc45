"""How delivery goes: the same figures for pages, API, commands and Prometheus."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count, Min, QuerySet
from django.utils import timezone

from core.errors import NotFound, Unavailable
from events.bus import bus
from events.bus.port import Backlog
from events.messages import SHARDS
from events.outbox.models import FailedMessage, OutboxMessage, ParkedMessage, Passed
from events.relay import LOCK_CLASS
from events.subscribing import subscribers

SILENT = timedelta(seconds=30)  # consumers that work say so every few seconds
SLOW_S = 60.0


@dataclass(frozen=True, slots=True)
class SubscriberStatus:
    """How far a subscriber is. `lag_s` is the age of the oldest event that it has not taken from the bus.

    Those that are parked are taken.
    """

    name: str
    is_known: bool  # some code subscribes under this name
    is_consumed: bool
    waiting: int | None  # on the bus; None if that does not answer
    lag_s: float
    parked: int
    parked_tenants: int
    parked_since: datetime | None
    failed: int


@dataclass(frozen=True, slots=True)
class EventsStatus:
    """How delivery goes."""

    unsent: int
    unsent_s: float  # age of the oldest
    shards: int
    relayed_shards: int
    bus_answers: bool
    subscribers: list[SubscriberStatus]

    @property
    def parked(self) -> int:
        """Events that wait for a subscriber in one tenant."""
        return sum(one.parked for one in self.subscribers)

    @property
    def failed(self) -> int:
        """Events that wait for an operator."""
        return sum(one.failed for one in self.subscribers)

    @property
    def oldest_s(self) -> float:
        """Age of the oldest event that some subscriber has not taken yet."""
        return max([self.unsent_s, *(one.lag_s for one in self.subscribers if one.is_known)])


def events_status() -> EventsStatus:
    """Look at outbox, bus and subscribers."""
    now = timezone.now()
    unsent = OutboxMessage.objects.filter(sent_at=None).aggregate(count=Count("id"), oldest=Min("occurred_at"))
    parked = _by_subscriber(
        ParkedMessage.objects.values("subscriber").annotate(
            count=Count("id"), tenants=Count("tenant_id", distinct=True), since=Min("parked_at")
        )
    )
    failed = _by_subscriber(
        FailedMessage.objects.filter(status=FailedMessage.Status.OPEN).values("subscriber").annotate(count=Count("id"))
    )
    alive = _by_subscriber(Passed.objects.values("subscriber").annotate(shards=Count("shard"), oldest=Min("passed_at")))
    known = set(subscribers())
    found: list[SubscriberStatus] = []
    bus_answers = True
    for name in sorted({*known, *parked, *failed, *alive}):
        backlog = _backlog(name)
        bus_answers = bus_answers and backlog is not None
        waits, sign = parked.get(name, {}), alive.get(name, {})
        found.append(
            SubscriberStatus(
                name=name,
                is_known=name in known,
                is_consumed=sign.get("shards") == SHARDS and now - sign["oldest"] < SILENT,
                waiting=backlog.waiting + backlog.in_hand if backlog else None,
                lag_s=_age_s(now, backlog.oldest_at if backlog else None),
                parked=waits.get("count", 0),
                parked_tenants=waits.get("tenants", 0),
                parked_since=waits.get("since"),
                failed=failed.get(name, {}).get("count", 0),
            )
        )
    return EventsStatus(
        unsent=unsent["count"],
        unsent_s=_age_s(now, unsent["oldest"]),
        shards=SHARDS,
        relayed_shards=_relayed_shards(),
        bus_answers=bus_answers,
        subscribers=found,
    )


def _by_subscriber(rows: Iterable[Any]) -> dict[str, dict[str, Any]]:
    return {row["subscriber"]: row for row in rows}


def _backlog(group: str) -> Backlog | None:
    try:
        return bus().backlog(group)
    except Unavailable:
        return None


def _age_s(now: datetime, since: datetime | None) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0


def _relayed_shards() -> int:
    """Count the shards that a relay has locked: it holds these locks as long as it lives."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(DISTINCT l.objid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
            " WHERE l.locktype = 'advisory' AND l.classid = %s AND l.granted AND d.datname = current_database()",
            [LOCK_CLASS],
        )
        return int(cursor.fetchone()[0])


def count_failed_events() -> int:
    """Return how many events wait for an operator."""
    return FailedMessage.objects.filter(status=FailedMessage.Status.OPEN).count()


def list_failed_events(
    *, subscriber: str = "", tenant_id: UUID | None = None, status: str = "", query: str = ""
) -> QuerySet[FailedMessage]:
    """Return events that were filed, newest first; `query` is a part of the event's name."""
    found = FailedMessage.objects.order_by("-failed_at", "-id")
    wanted = {"subscriber": subscriber, "tenant_id": tenant_id, "status": status, "name__icontains": query}
    return found.filter(**{field: value for field, value in wanted.items() if value})


def count_failed_by_status(*, subscriber: str = "", query: str = "") -> dict[str, int]:
    """Return how many filed events have each status."""
    rows = list_failed_events(subscriber=subscriber, query=query).order_by().values_list("status").annotate(Count("id"))
    return dict(rows)


def get_failed_event(failed_id: UUID) -> FailedMessage:
    """Return one that was filed. Raises NotFound."""
    failed = FailedMessage.objects.filter(pk=failed_id).first()
    if failed is None:
        raise NotFound
    return failed
