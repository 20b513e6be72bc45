"""What is sent next, and what an answer changes: when it is tried again, and when a webhook is given up."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Min
from django.utils import timezone

from core.actors import SYSTEM
from events.webhooks.calling import Answer
from events.webhooks.models import Attempt, Delivery, Webhook
from events.webhooks.queue.services import Standing
from events.webhooks.services import stop
from events.webhooks.signing import signed_headers

JITTER = 0.1
PAUSE_MAX_S = 300  # of a webhook that fails and fails, between any two attempts
RETRY_AFTER_MAX = timedelta(days=1)
GONE, SLOW_DOWN = 410, (429, 503)


@dataclass(frozen=True, slots=True)
class Call:
    """A delivery's next attempt, signed."""

    delivery_id: UUID
    url: str
    body: bytes
    headers: dict[str, str]


def next_call(webhook_id: UUID) -> Call | None:
    """Return what has to be sent to a webhook now, in the order in which it is due; None if there is nothing."""
    now = timezone.now()
    webhook = Webhook.objects.filter(pk=webhook_id, status=Webhook.Status.ACTIVE).first()
    if webhook is None:
        return None
    due = webhook.deliveries.filter(status=Delivery.Status.WAITING, next_try_at__lte=now)
    if webhook.paused_until and webhook.paused_until > now:
        due = due.filter(position=None)  # somebody waits for a test's outcome
    delivery = due.order_by("next_try_at", "id").first()
    if delivery is None:
        return None
    body = delivery.body.encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"Plexica-Webhooks/{settings.VERSION}",
        **signed_headers(webhook.secrets, webhook_id=str(delivery.pk), at=now, body=body),
    }
    return Call(delivery.pk, webhook.url, body, headers)


def standing_of(webhook_id: UUID) -> Standing:
    """Return what waits for a webhook, when it has to be sent to again, and how it is."""
    webhook = Webhook.objects.filter(pk=webhook_id).only("status", "paused_until", "failing_since").first()
    if webhook is None:
        return Standing()
    found = Delivery.objects.filter(webhook_id=webhook_id, status=Delivery.Status.WAITING).aggregate(
        count=Count("id"), oldest=Min("created_at"), first=Min("next_try_at")
    )
    due_at: datetime | None = found["first"] if webhook.is_active else None
    if due_at and webhook.paused_until:
        due_at = max(due_at, webhook.paused_until)
    return Standing(
        due_at=due_at,
        waiting=found["count"],
        waiting_since=found["oldest"],
        is_failing=webhook.state == "failing",
        is_disabled=not webhook.is_active,
    )


@transaction.atomic
def note_answer(*, webhook_id: UUID, call: Call, answer: Answer) -> bool:
    """Keep what came of a call and plan what follows; say whether the webhook took it.

    Nothing is kept if the webhook or the delivery is gone meanwhile.
    """
    webhook = Webhook.objects.select_for_update(no_key=True).filter(pk=webhook_id).first()
    delivery = Delivery.objects.select_for_update(no_key=True).filter(pk=call.delivery_id).first()
    if webhook is None or delivery is None:
        return answer.is_success
    Attempt.objects.create(
        delivery=delivery,
        started_at=answer.started_at,
        duration_ms=answer.duration_ms,
        address=answer.address[:45],
        request_headers=call.headers,
        status_code=answer.status_code,
        response_headers=answer.headers,
        response_body=answer.body,
        error=answer.error,
    )
    delivery.tries += 1
    if answer.is_success:
        _succeeded(webhook, delivery)
    else:
        _failed(webhook, delivery, answer)
    delivery.save(update_fields=["status", "tries", "next_try_at", "delivered_at"])
    return answer.is_success


def _succeeded(webhook: Webhook, delivery: Delivery) -> None:
    now = timezone.now()
    delivery.status, delivery.delivered_at = Delivery.Status.DELIVERED, now
    webhook.last_success_at, webhook.failing_since, webhook.failures, webhook.paused_until = now, None, 0, None
    webhook.save(update_fields=["last_success_at", "failing_since", "failures", "paused_until"])


def _failed(webhook: Webhook, delivery: Delivery, answer: Answer) -> None:
    now = timezone.now()
    asked = (
        min(answer.retry_after or timedelta(0), RETRY_AFTER_MAX) if answer.status_code in SLOW_DOWN else timedelta(0)
    )
    delay = _delay_after(delivery.tries)
    if delivery.is_test or delay is None or answer.status_code == GONE:
        delivery.status = Delivery.Status.FAILED
    else:
        delivery.next_try_at = now + max(delay, asked)
    if answer.status_code == GONE and webhook.is_active:
        stop(webhook, reason=Webhook.Reason.GONE, actor=SYSTEM)
    if delivery.is_test:
        return
    webhook.failures += 1
    webhook.failing_since = webhook.failing_since or now
    webhook.paused_until = now + max(_pause_after(webhook.failures), asked)
    webhook.save(update_fields=["failures", "failing_since", "paused_until"])
    if webhook.is_active and now - webhook.failing_since >= settings.WEBHOOK_DISABLE_AFTER:
        stop(webhook, reason=Webhook.Reason.FAILING, actor=SYSTEM)


def _delay_after(tries: int) -> timedelta | None:
    """Return how long to wait for the next try after so many, or None after the last one."""
    delays = settings.WEBHOOK_RETRY_DELAYS_S
    if tries > len(delays):
        return None
    return timedelta(seconds=delays[tries - 1] * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311 - no secret


def _pause_after(failures: int) -> timedelta:
    """Return how long a webhook is left alone after so many failures on end, whatever waits: 1 s, 2 s, 4 s, ..."""
    return timedelta(seconds=min(2 ** min(failures - 1, 16), PAUSE_MAX_S))
