"""The subscriber behind webhooks."""

from django.utils import timezone

from events.subscribing import EventContext, on_event
from events.webhooks.catalogue import EVERYTHING, takes
from events.webhooks.models import Delivery, Webhook
from events.webhooks.queue.services import put_in_line
from events.webhooks.services import put_back, write_body
from plexica_sdk.events import Event, UnknownEvent


@on_event(EVERYTHING, name="webhooks")
def write_deliveries(event: Event, ctx: EventContext) -> None:
    """Write a delivery for each webhook that wants the event; when events are replayed, those of then are sent again."""
    name, data = _read(event)
    active = Webhook.objects.filter(status=Webhook.Status.ACTIVE).only("id", "events")
    wanting = [one for one in active if takes(one.events, name)]
    if not wanting:
        return
    again = list(Delivery.objects.filter(webhook__in=wanting, position=ctx.position))
    if again:
        put_back(again)
    new = [one for one in wanting if one.pk not in {delivery.webhook_id for delivery in again}]
    if not new:
        return
    body, now = write_body(name, occurred_at=ctx.occurred_at, data=data), timezone.now()
    Delivery.objects.bulk_create(
        [
            Delivery(webhook=one, position=ctx.position, event=name, body=body, created_at=now, next_try_at=now)
            for one in new
        ]
    )
    put_in_line({one.pk: 1 for one in new}, due_at=now)


def _read(event: Event) -> tuple[str, dict[str, object]]:
    if isinstance(event, UnknownEvent):
        return event.event_name, event.values
    return event.name, event.payload()
