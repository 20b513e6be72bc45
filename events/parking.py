"""Events that wait for one subscriber in one tenant, and those that an operator has to answer."""

import random
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from core.tenancy import enter_platform
from events.messages import Message
from events.outbox.models import FailedMessage, ParkedMessage

Reason = ParkedMessage.Reason
JITTER = 0.1


def park(
    subscriber: str, tenant_id: UUID, messages: Sequence[Message], reason: Reason, *, attempts: int = 0, error: str = ""
) -> None:
    """Let messages of a tenant wait; the first one as `attempts` and `error` say, the others behind it. Safe to repeat."""
    now = timezone.now()
    rows = [
        ParkedMessage(
            subscriber=subscriber,
            shard=message.shard,
            tenant_id=tenant_id,
            position=message.position,
            message=message.as_text(),
            reason=reason if index == 0 or reason != Reason.FAILED else Reason.BEHIND,
            attempts=0 if index else attempts,
            error="" if index else error,
            next_try_at=now if index else now + delay_after(attempts),
        )
        for index, message in enumerate(messages)
    ]
    with enter_platform():
        ParkedMessage.objects.bulk_create(rows, ignore_conflicts=True)


def delay_after(attempts: int) -> timedelta:
    """Return how long to wait for the next try after so many; what failed together is not tried together again."""
    delays = settings.EVENT_RETRY_DELAYS_S
    delay_s = delays[min(attempts, len(delays)) - 1] if attempts and delays else 0
    return timedelta(seconds=delay_s * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311 - nobody has to guess it


# asked before each batch, so it takes no detour
_WAITING = "SELECT DISTINCT tenant_id FROM public.events_parked WHERE subscriber = $1 AND tenant_id = ANY($2)"


def tenants_with_parked(subscriber: str, among: Collection[UUID]) -> set[UUID]:
    """Return those tenants for which messages wait: what comes now has to wait behind them."""
    wrapper: Any = connection
    with enter_platform():
        rows = wrapper.execute_plainly(_WAITING, [subscriber, f"{{{','.join(map(str, among))}}}"])
    return {UUID(tenant_id) for (tenant_id,) in rows}


_HEADS = """
    SELECT DISTINCT ON (tenant_id) id, tenant_id, next_try_at FROM events_parked
    WHERE subscriber = %s AND shard = ANY(%s) ORDER BY tenant_id, position
"""


def due_tenants(subscriber: str, shards: Collection[int], *, now: datetime) -> list[UUID]:
    """Return the tenants whose first waiting message is due."""
    with enter_platform(), connection.cursor() as cursor:
        cursor.execute(_HEADS, [subscriber, sorted(shards)])
        return [tenant_id for _, tenant_id, next_try_at in cursor.fetchall() if next_try_at <= now]


def first_parked(subscriber: str, tenant_id: UUID) -> ParkedMessage | None:
    """Return the message that stands first."""
    with enter_platform():
        return ParkedMessage.objects.filter(subscriber=subscriber, tenant_id=tenant_id).order_by("position").first()


def is_settled(parked: ParkedMessage) -> None:
    """Take a message away that was handled, or needs no handling any more."""
    with enter_platform():
        ParkedMessage.objects.filter(pk=parked.pk).delete()


def postpone(parked: ParkedMessage, *, error: str) -> bool:
    """Note a failed try. After the last one the message is filed under failed events; say whether it was."""
    attempts = parked.attempts + 1
    with enter_platform(), transaction.atomic():
        if attempts <= len(settings.EVENT_RETRY_DELAYS_S):
            ParkedMessage.objects.filter(pk=parked.pk).update(
                reason=Reason.FAILED,
                attempts=attempts,
                error=error,
                next_try_at=timezone.now() + delay_after(attempts),
            )
            return False
        message = Message.from_text(parked.message)
        FailedMessage.objects.create(
            subscriber=parked.subscriber,
            tenant_id=parked.tenant_id,
            position=parked.position,
            name=message.name,
            message=parked.message,
            attempts=attempts,
            error=error,
        )
        ParkedMessage.objects.filter(pk=parked.pk).delete()
        return True


def forget_tenant(subscriber: str, tenant_id: UUID) -> None:
    """Drop what waits for a tenant that is gone."""
    with enter_platform():
        ParkedMessage.objects.filter(subscriber=subscriber, tenant_id=tenant_id).delete()
