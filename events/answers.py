"""What operators do about events that could not be handled: try again, dismiss, and replay a subscriber's past."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Min
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core import audit
from core.actors import Actor
from core.errors import Conflict, NotFound
from core.tenancy import TenantRef, enter
from events.inbox.models import HandledMessage
from events.messages import Message
from events.outbox.models import FailedMessage, OutboxMessage, ParkedMessage
from events.parking import Reason
from events.subscribing import Subscriber, subscribers

Status = FailedMessage.Status
IN_USE = ("active", "suspended")


class SubscriberNotFound(NotFound):
    """No code subscribes under this name."""

    code = "subscriber_not_found"
    title = _("There is no such subscriber")
    detail = _("%(subscriber)s is none of: %(known)s.")


class TenantNotInUse(Conflict):
    """The tenant is not set up yet, or is gone: it has nothing in which an event could be handled."""

    code = "tenant_not_in_use"
    title = _("Nothing can be handled in this tenant")
    detail = _("%(tenant)s is neither active nor suspended.")


class ReplayTooOld(Conflict):
    """Events from so long ago are not kept."""

    code = "replay_too_old"
    title = _("Events from then are not kept any more")
    detail = _("The oldest that is kept is from %(oldest)s.")


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many events will be handled again."""

    events: int


@transaction.atomic
def retry_failed_events(*, ids: Collection[UUID], actor: Actor, reason: str = "") -> int:
    """Let failed events be handled again, each before whatever waits for its subscriber and tenant; return how many.

    Those that somebody answered before are left out.
    """
    failed = _answered(ids, Status.RETRIED)
    ParkedMessage.objects.bulk_create(
        [_waiting(one.subscriber, one.tenant_id, one.content) for one in failed], ignore_conflicts=True
    )
    for one in failed:
        audit.record(actor=actor, action="event.retried", reason=reason, **_facts(one))
    return len(failed)


@transaction.atomic
def dismiss_failed_events(*, ids: Collection[UUID], actor: Actor, reason: str = "") -> int:
    """Say of failed events that nothing has to be done any more; return how many. They stay readable."""
    failed = _answered(ids, Status.DISMISSED)
    for one in failed:
        audit.record(actor=actor, action="event.dismissed", reason=reason, **_facts(one))
    return len(failed)


def _answered(ids: Collection[UUID], status: Status) -> list[FailedMessage]:
    failed = list(FailedMessage.objects.select_for_update().filter(pk__in=list(ids), status=Status.OPEN).order_by("pk"))
    for one in failed:
        one.status, one.answered_at = status, timezone.now()
    FailedMessage.objects.bulk_update(failed, ["status", "answered_at"])
    return failed


def _facts(failed: FailedMessage) -> dict[str, Any]:
    return {
        "tenant": str(failed.tenant_id),
        "subscriber": failed.subscriber,
        "event": failed.name,
        "position": failed.position,
    }


def replay_events(*, subscriber: str, tenant: TenantRef, since: datetime, actor: Actor, reason: str = "") -> Replayed:
    """Let a subscriber handle again what happened in one tenant since a moment, in order; newer events wait behind it.

    Raises SubscriberNotFound, TenantNotInUse, and ReplayTooOld if what happened then is not kept any more; nothing is
    written then.
    """
    wanted = _subscriber(subscriber)
    if tenant.state not in IN_USE:
        raise TenantNotInUse(tenant=tenant.slug)
    oldest = OutboxMessage.objects.aggregate(oldest=Min("occurred_at"))["oldest"]
    if oldest is None or since < oldest:
        raise ReplayTooOld(oldest=f"{oldest:%Y-%m-%d %H:%M}" if oldest else "-")
    rows = OutboxMessage.objects.filter(tenant_id=tenant.id, occurred_at__gte=since, sent_at__isnull=False).order_by(
        "id"
    )
    messages = [message for message in map(_message, rows.iterator()) if wanted.takes(message.name)]
    with enter(tenant), transaction.atomic():  # before they stand in line: what is handled is settled without a word
        HandledMessage.objects.filter(
            subscriber=subscriber, position__in=[message.position for message in messages]
        ).delete()
    with transaction.atomic():
        ParkedMessage.objects.bulk_create(
            [_waiting(subscriber, tenant.id, message) for message in messages],
            ignore_conflicts=True,
            batch_size=1000,
        )
        audit.record(
            actor=actor,
            action="event.replayed",
            reason=reason,
            tenant=str(tenant.id),
            subscriber=subscriber,
            since=since.isoformat(),
            count=len(messages),
        )
    return Replayed(len(messages))


def _subscriber(name: str) -> Subscriber:
    known = subscribers()
    if name not in known:
        raise SubscriberNotFound(subscriber=name, known=", ".join(sorted(known)) or "-")
    return known[name]


def _waiting(subscriber: str, tenant_id: UUID, message: Message) -> ParkedMessage:
    return ParkedMessage(
        subscriber=subscriber,
        shard=message.shard,
        tenant_id=tenant_id,
        position=message.position,
        message=message.as_text(),
        reason=Reason.AGAIN,
    )


def _message(row: OutboxMessage) -> Message:
    return Message(
        row.pk,
        row.occurred_at,
        row.name,
        row.version,
        row.tenant_id,
        row.actor_kind,
        row.actor_id,
        row.request_id,
        row.payload,
    )
