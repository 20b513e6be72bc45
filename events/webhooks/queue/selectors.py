"""How the sending of webhooks goes, over all tenants: numbers, and nothing of any address or body."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, Min, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from events.webhooks.queue.models import AttemptCount, QueuedWebhook

LATE_S = 60.0
STOPPED = Q(is_disabled=True) | Q(is_held=True)


@dataclass(frozen=True, slots=True)
class WebhooksStatus:
    """How sending goes. `overdue_s` is for how long a webhook has been due that no sender has taken."""

    waiting: int  # deliveries that are sent, or tried again
    oldest_s: float  # age of the oldest of them
    overdue_s: float
    under_way: int  # webhooks that a sender is at
    held: int  # deliveries of webhooks that are disabled, and of tenants that are stopped
    failing: int  # webhooks whose last attempt failed
    disabled: int
    attempts: dict[str, int] = field(default_factory=dict)  # since ever, by result

    @property
    def is_late(self) -> bool:
        """Whether somebody should look: more senders are needed, or one at all."""
        return self.overdue_s > LATE_S


def webhooks_status() -> WebhooksStatus:
    """Count what waits, and what became of attempts."""
    now = timezone.now()
    ready_at = Coalesce("leased_until", "due_at")
    found = QueuedWebhook.objects.aggregate(
        **_counts(),
        overdue_since=Min(ready_at, filter=Q(due_at__isnull=False) | Q(leased_until__isnull=False)),
        under_way=Count("webhook_id", filter=Q(leased_until__gt=now)),
    )
    return WebhooksStatus(
        waiting=found["waiting_now"] or 0,
        oldest_s=_age_s(now, found["oldest_at"]),
        overdue_s=_age_s(now, found["overdue_since"]),
        under_way=found["under_way"],
        held=found["held"] or 0,
        failing=found["failing"],
        disabled=found["disabled"],
        attempts=dict(AttemptCount.objects.order_by("result").values_list("result", "count")),
    )


def list_webhooks_by_tenant(*, tenant_ids: Collection[UUID] | None = None) -> QuerySet[Any, dict[str, Any]]:
    """Return a row for each tenant that has something waiting, failing or disabled; those with most first."""
    rows: QuerySet[Any, Any] = QueuedWebhook.objects.all()
    if tenant_ids is not None:
        rows = rows.filter(tenant_id__in=tenant_ids)
    found: QuerySet[Any, dict[str, Any]] = rows.values("tenant_id").annotate(**_counts())
    return found.order_by("-disabled", "-failing", "oldest_at", "tenant_id")


def _counts() -> dict[str, Any]:
    return {
        "waiting_now": Sum("waiting", filter=~STOPPED, default=0),
        "oldest_at": Min("waiting_since", filter=~STOPPED & Q(waiting__gt=0)),
        "held": Sum("waiting", filter=STOPPED, default=0),
        "failing": Count("webhook_id", filter=Q(is_failing=True, is_disabled=False)),
        "disabled": Count("webhook_id", filter=Q(is_disabled=True)),
    }


def _age_s(now: datetime, since: datetime | None) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0
