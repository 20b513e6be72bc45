"""Puts webhooks in line, and hands them to senders: each to one at a time, one tenant's never to all of them.

    in line ──claim──> leased ──release──> in line again, for what comes next; out of line while it is disabled; or gone
                          ├──hold: its tenant is stopped──> in line for a later look, or until the tenant goes on
                          └──the lease runs out: its sender died──> as if in line

What arrives while a webhook is leased changes `due_at`, which a claim empties: so nothing is overlooked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from core.tenancy import enter_platform, require
from events.webhooks.queue.models import QueuedWebhook

FIRST_LOOK = timedelta(seconds=1)  # after a stopped tenant: until then this process hears if it has gone on meanwhile
LATER_LOOK = timedelta(seconds=30)
TENANT_MAX = 4  # webhooks of one tenant that are sent to at the same time

# as a tenant, who may write this much here: see the table's policies
_PUT = """
    INSERT INTO public.webhook_queue (tenant_id, webhook_id, due_at, waiting, waiting_since)
    SELECT %(tenant)s, one.id, %(due_at)s, one.more, CASE WHEN one.more > 0 THEN %(now)s END
    FROM unnest(%(ids)s::uuid[], %(more)s::int[]) one (id, more)
    ON CONFLICT (tenant_id, webhook_id) DO UPDATE SET due_at = LEAST(public.webhook_queue.due_at, EXCLUDED.due_at),
        waiting = public.webhook_queue.waiting + EXCLUDED.waiting,
        waiting_since = LEAST(public.webhook_queue.waiting_since, EXCLUDED.waiting_since)
"""
# Tenants in turn. Of those that failed last, which may take long, no more than `failing` at a time.
_CLAIM = """
    WITH busy AS (
        SELECT tenant_id, count(*) AS count FROM webhook_queue WHERE leased_until > %(now)s GROUP BY tenant_id
    ), ready AS (
        SELECT q.tenant_id, q.webhook_id, q.is_failing, q.due_at,
            coalesce(b.count, 0) + row_number() OVER (PARTITION BY q.tenant_id ORDER BY q.is_failing, q.due_at) AS turn
        FROM webhook_queue q LEFT JOIN busy b USING (tenant_id)
        WHERE coalesce(q.leased_until, q.due_at) <= %(now)s
    ), allowed AS (
        SELECT tenant_id, webhook_id, turn, due_at, is_failing,
            row_number() OVER (PARTITION BY is_failing ORDER BY turn, due_at) AS place
        FROM ready WHERE turn <= %(tenant_max)s
    ), chosen AS (
        SELECT q.tenant_id, q.webhook_id FROM webhook_queue q JOIN allowed a USING (tenant_id, webhook_id)
        WHERE coalesce(q.leased_until, q.due_at) <= %(now)s AND (NOT a.is_failing OR a.place <= %(failing)s)
        ORDER BY a.is_failing, a.turn, a.due_at LIMIT %(limit)s
        FOR UPDATE OF q SKIP LOCKED
    )
    UPDATE webhook_queue q SET lease = %(lease)s, leased_until = %(until)s, due_at = NULL
    FROM chosen WHERE (q.tenant_id, q.webhook_id) = (chosen.tenant_id, chosen.webhook_id)
    RETURNING q.tenant_id, q.webhook_id, q.is_failing, q.is_held
"""
_RELEASE = """
    UPDATE webhook_queue SET lease = NULL, leased_until = NULL, due_at = LEAST(due_at, %(due_at)s), is_held = false,
        is_failing = %(is_failing)s, is_disabled = %(is_disabled)s, waiting = %(waiting)s, waiting_since = %(since)s
    WHERE tenant_id = %(tenant)s AND webhook_id = %(webhook)s AND lease = %(lease)s RETURNING due_at
"""
_HOLD = """
    UPDATE webhook_queue SET lease = NULL, leased_until = NULL, is_held = due_at IS NULL, due_at = LEAST(due_at, %s)
    WHERE tenant_id = %s AND webhook_id = %s AND lease = %s
"""
_ADD = """
    INSERT INTO webhook_attempts (result, count) SELECT * FROM unnest(%s::text[], %s::bigint[])
    ON CONFLICT (result) DO UPDATE SET count = webhook_attempts.count + EXCLUDED.count
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """A webhook that this sender has for itself until its lease runs out."""

    tenant_id: UUID
    webhook_id: UUID
    is_failing: bool
    is_held: bool
    lease: UUID


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a webhook when a sender lets go of it."""

    due_at: datetime | None = None
    waiting: int = 0
    waiting_since: datetime | None = None
    is_failing: bool = False
    is_disabled: bool = False


def put_in_line(deliveries: Mapping[UUID, int], *, due_at: datetime) -> None:
    """Say in the tenant's transaction how many deliveries more wait for each webhook, from a moment on.

    With 0 a sender only looks what has become of it.
    """
    ids = sorted(deliveries)  # in one order everywhere, so that two never wait for each other
    values: dict[str, Any] = {"tenant": require().id, "ids": ids, "more": [deliveries[one] for one in ids]}
    with connection.cursor() as cursor:
        cursor.execute(_PUT, {**values, "due_at": due_at, "now": timezone.now()})


def claim(*, limit: int, failing: int, lease_s: float) -> list[Claim]:
    """Take up to `limit` webhooks that are due, at most `failing` of them such that failed last."""
    now, lease = timezone.now(), uuid4()
    values: dict[str, Any] = {
        "now": now,
        "tenant_max": TENANT_MAX,
        "failing": failing,
        "limit": limit,
        "lease": lease,
        "until": now + timedelta(seconds=lease_s),
    }
    with enter_platform(), connection.cursor() as cursor:
        cursor.execute(_CLAIM, values)
        rows = cursor.fetchall()
    return [Claim(tenant_id, webhook_id, failing, held, lease) for tenant_id, webhook_id, failing, held in rows]


def renew(claim: Claim, *, lease_s: float) -> bool:
    """Keep a webhook for another while. False: somebody else has it, since the lease ran out."""
    until = timezone.now() + timedelta(seconds=lease_s)
    with enter_platform():
        return bool(_row(claim).filter(lease=claim.lease).update(leased_until=until))


def release(claim: Claim, standing: Standing, *, failed_last: bool = False) -> None:
    """Put a webhook back in line for what comes next, or for what came meanwhile.

    With neither it leaves the line, and is forgotten unless it fails or is disabled.
    """
    values = {
        "due_at": standing.due_at,
        "is_failing": standing.is_failing or failed_last,
        "is_disabled": standing.is_disabled,
        "waiting": standing.waiting,
        "since": standing.waiting_since,
        "tenant": claim.tenant_id,
        "webhook": claim.webhook_id,
        "lease": claim.lease,
    }
    with enter_platform(), connection.cursor() as cursor:
        cursor.execute(_RELEASE, values)
        if cursor.fetchall() == [(None,)] and not standing.is_failing and not standing.is_disabled:
            _row(claim).filter(lease=None, due_at=None).delete()


def hold(claim: Claim) -> None:
    """Put a webhook back in line whose tenant is stopped: for a look later on, or until `let_go_on` is called."""
    look_at = timezone.now() + (LATER_LOOK if claim.is_held else FIRST_LOOK)
    with enter_platform(), connection.cursor() as cursor:
        cursor.execute(_HOLD, [look_at, claim.tenant_id, claim.webhook_id, claim.lease])


def let_go_on(tenant_id: UUID) -> None:
    """Let senders look at once at what a tenant's webhooks have waiting, in the transaction that lets it go on."""
    held = QueuedWebhook.objects.filter(tenant_id=tenant_id, is_held=True)
    held.update(due_at=timezone.now(), is_held=False)


def add_attempts(counts: Mapping[str, int]) -> None:
    """Add to the figures how many attempts had which result."""
    results = sorted(counts)
    with enter_platform(), connection.cursor() as cursor:
        cursor.execute(_ADD, [results, [counts[one] for one in results]])


def forget(claim: Claim) -> None:
    """Take a webhook out of the line whatever came meanwhile: its tenant is gone."""
    with enter_platform():
        _row(claim).delete()


def _row(claim: Claim) -> QuerySet[QueuedWebhook]:
    return QueuedWebhook.objects.filter(tenant_id=claim.tenant_id, webhook_id=claim.webhook_id)
