"""Makes, changes and removes a tenant's webhooks, and puts deliveries in line."""

import json
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit
from core.actors import Actor
from core.errors import Invalid, NotFound
from core.locks import one_at_a_time
from core.tenancy import require
from events.publishing import publish
from events.webhooks import catalogue
from events.webhooks.addresses import parse
from events.webhooks.errors import (
    DeliveryUnderWay,
    TooManyWebhooks,
    WebhookChanged,
    WebhookIsDisabled,
    WebhookWithoutSecret,
)
from events.webhooks.models import Delivery, Webhook
from events.webhooks.queue.services import put_in_line
from events.webhooks.signing import new_secret
from plexica_sdk.events import WebhookChanged as WebhookChangedEvent
from plexica_sdk.events import WebhookDeleted, WebhookDisabled, WebhookEnabled, WebhookMade, WebhookSecretRotated

MAX_WEBHOOKS = 50
MAX_DESCRIPTION = 200


@dataclass(frozen=True, slots=True)
class WebhookWithSecret:
    """A webhook and its new secret, which nobody can read again."""

    webhook: Webhook
    secret: str = field(repr=False)


@transaction.atomic
def make_webhook(*, url: str, events: Collection[str], actor: Actor, description: str = "") -> WebhookWithSecret:
    """Send events to an address from now on. Raises Invalid, TooManyWebhooks."""
    values = _checked(url=url, events=events, description=description)
    one_at_a_time("webhooks")
    if Webhook.objects.count() >= MAX_WEBHOOKS:
        raise TooManyWebhooks(limit=MAX_WEBHOOKS)
    secret = new_secret()
    webhook = Webhook.objects.create(**values, secret=secret, created_by_name=actor.name[:120])
    audit.record(actor=actor, action="webhook.made", target=webhook, events=webhook.events)
    publish(WebhookMade(webhook_id=webhook.pk), actor=actor)
    return WebhookWithSecret(webhook, secret)


@transaction.atomic
def change_webhook(
    *,
    webhook_id: UUID,
    actor: Actor,
    url: str | None = None,
    events: Collection[str] | None = None,
    description: str | None = None,
    expected_version: int | None = None,
) -> Webhook:
    """Change a webhook; what is None stays. What waits goes to the new address. Raises NotFound, WebhookChanged, Invalid."""
    webhook = _locked(webhook_id, expected_version)
    given = {"url": url, "events": events, "description": description}
    values = _checked(**{name: value for name, value in given.items() if value is not None})
    changed = sorted(name for name, value in values.items() if getattr(webhook, name) != value)
    if not changed:
        return webhook
    for name in changed:
        setattr(webhook, name, values[name])
    webhook.version += 1
    webhook.save(update_fields=[*changed, "version"])
    audit.record(actor=actor, action="webhook.changed", target=webhook, fields=changed)
    publish(WebhookChangedEvent(webhook_id=webhook.pk), actor=actor)
    return webhook


@transaction.atomic
def delete_webhook(*, webhook_id: UUID, actor: Actor, expected_version: int | None = None) -> None:
    """Remove a webhook with its deliveries. Raises NotFound, WebhookChanged."""
    webhook = _locked(webhook_id, expected_version, to_delete=True)
    audit.record(actor=actor, action="webhook.deleted", target=webhook)
    publish(WebhookDeleted(webhook_id=webhook.pk), actor=actor)
    put_in_line({webhook.pk: 0}, due_at=timezone.now())  # a sender finds nothing and takes it out of line
    webhook.delete()


@transaction.atomic
def rotate_secret(*, webhook_id: UUID, actor: Actor, expected_version: int | None = None) -> WebhookWithSecret:
    """Give a webhook a new secret; the one before signs as well for a while. Raises NotFound, WebhookChanged."""
    webhook = _locked(webhook_id, expected_version)
    webhook.previous_secret, webhook.secret = webhook.secret, new_secret()
    webhook.previous_valid_until = timezone.now() + settings.WEBHOOK_ROTATION if webhook.previous_secret else None
    webhook.version += 1
    webhook.save(update_fields=["secret", "previous_secret", "previous_valid_until", "version"])
    audit.record(actor=actor, action="webhook.secret_rotated", target=webhook)
    publish(WebhookSecretRotated(webhook_id=webhook.pk), actor=actor)
    return WebhookWithSecret(webhook, webhook.secret)


@transaction.atomic
def disable_webhook(*, webhook_id: UUID, actor: Actor, expected_version: int | None = None) -> Webhook:
    """Send nothing any more; what waits stays, and what happens meanwhile is not kept. Safe to repeat.

    Raises NotFound, WebhookChanged.
    """
    webhook = _locked(webhook_id, expected_version)
    if webhook.is_active:
        stop(webhook, reason=Webhook.Reason.PERSON, actor=actor)
    return webhook


def stop(webhook: Webhook, *, reason: Webhook.Reason, actor: Actor) -> None:
    """Disable a locked webhook within the caller's transaction."""
    webhook.status, webhook.disabled_because, webhook.disabled_at = Webhook.Status.DISABLED, reason, timezone.now()
    webhook.version += 1
    webhook.save(update_fields=["status", "disabled_because", "disabled_at", "version"])
    put_in_line({webhook.pk: 0}, due_at=webhook.disabled_at)  # a sender takes it out of line, and notes why
    audit.record(actor=actor, action="webhook.disabled", target=webhook, because=reason.value)
    publish(WebhookDisabled(webhook_id=webhook.pk, reason=reason.value), actor=actor)


@transaction.atomic
def enable_webhook(*, webhook_id: UUID, actor: Actor, expected_version: int | None = None) -> Webhook:
    """Send again, first what waits; as if it had never failed. Safe to repeat.

    Raises NotFound, WebhookChanged, WebhookWithoutSecret.
    """
    webhook = _locked(webhook_id, expected_version)
    if webhook.is_active:
        return webhook
    if not webhook.secret:
        raise WebhookWithoutSecret
    fresh: dict[str, Any] = {
        "status": Webhook.Status.ACTIVE,
        "disabled_because": "",
        "disabled_at": None,
        "failing_since": None,
        "failures": 0,
        "paused_until": None,
        "version": webhook.version + 1,
    }
    for name, value in fresh.items():
        setattr(webhook, name, value)
    webhook.save(update_fields=list(fresh))
    put_in_line({webhook.pk: 0}, due_at=timezone.now())  # what waits is counted already
    audit.record(actor=actor, action="webhook.enabled", target=webhook)
    publish(WebhookEnabled(webhook_id=webhook.pk), actor=actor)
    return webhook


@transaction.atomic
def send_test(*, webhook_id: UUID, actor: Actor) -> Delivery:
    """Put a delivery in line that tries the address, once. Raises NotFound, WebhookIsDisabled."""
    webhook = _locked(webhook_id, None)
    if not webhook.is_active:
        raise WebhookIsDisabled
    now = timezone.now()
    body = write_body(catalogue.TEST, occurred_at=now, data={"webhook_id": str(webhook.pk)})
    delivery = Delivery.objects.create(webhook=webhook, event=catalogue.TEST, body=body, next_try_at=now)
    put_in_line({webhook.pk: 1}, due_at=now)
    audit.record(actor=actor, action="webhook.tested", target=webhook)
    return delivery


@transaction.atomic
def redeliver(*, webhook_id: UUID, delivery_id: UUID, actor: Actor) -> Delivery:
    """Send a delivery again as it was, with the same id, and if it fails with all the tries of a new one.

    Raises NotFound, WebhookIsDisabled, DeliveryUnderWay.
    """
    webhook = _locked(webhook_id, None)
    delivery = webhook.deliveries.select_for_update().filter(pk=delivery_id).first()
    if delivery is None:
        raise NotFound
    if not webhook.is_active:
        raise WebhookIsDisabled
    if delivery.status == Delivery.Status.WAITING:
        raise DeliveryUnderWay
    put_back([delivery])
    audit.record(actor=actor, action="webhook.redelivered", target=webhook, delivery=str(delivery.pk))
    return delivery


def put_back(deliveries: Collection[Delivery]) -> None:
    """Let deliveries wait again, in the caller's transaction, as if they had never been tried."""
    now = timezone.now()
    for delivery in deliveries:
        delivery.status, delivery.tries, delivery.next_try_at = Delivery.Status.WAITING, 0, now
        delivery.delivered_at = None
    Delivery.objects.bulk_update(deliveries, ["status", "tries", "next_try_at", "delivered_at"])
    put_in_line(Counter(delivery.webhook_id for delivery in deliveries), due_at=now)


def write_body(event: str, *, occurred_at: datetime, data: dict[str, Any]) -> str:
    """Return what a receiver is sent: ids, and nothing about anybody."""
    said = {"type": event, "timestamp": occurred_at.isoformat(), "tenant": str(require().id), "data": data}
    return json.dumps(said, separators=(",", ":"))


def _locked(webhook_id: UUID, expected_version: int | None, *, to_delete: bool = False) -> Webhook:
    """Return the webhook, locked: deliveries may be written meanwhile, unless it is about to be deleted."""
    webhook = Webhook.objects.select_for_update(no_key=not to_delete).filter(pk=webhook_id).first()
    if webhook is None:
        raise NotFound
    if expected_version is not None and webhook.version != expected_version:
        raise WebhookChanged(version=webhook.version)
    return webhook


def _checked(**values: Any) -> dict[str, Any]:
    """Return the values as they are kept. Raises Invalid, which names all that are wrong."""
    checks = {"url": _checked_url, "events": _checked_events, "description": _checked_description}
    kept: dict[str, Any] = {}
    errors: dict[str, list[str]] = {}
    for name, value in values.items():
        try:
            kept[name] = checks[name](value)
        except ValueError as error:
            errors[name] = [str(error)]
    if errors:
        raise Invalid(errors)
    return kept


def _checked_url(url: str) -> str:
    url = url.strip()
    try:
        parse(url)
    except ValueError as error:
        sentences = {
            "https": _("Use an address that begins with https://."),
            "credentials": _("Leave user and password out: the signature says who calls."),
            "address": _("This address is in a private network, which is not called."),
        }
        raise ValueError(
            sentences.get(str(error), _("Enter a whole address, such as https://example.com/hook."))
        ) from None
    return url


def _checked_events(events: Collection[str]) -> list[str]:
    if not events:
        raise ValueError(_("Choose at least one."))
    if unknown := catalogue.unknown_among(events):
        raise ValueError(_("There is no event %(name)s.") % {"name": ", ".join(unknown)[:300]})
    return sorted(set(events))


def _checked_description(description: str) -> str:
    description = " ".join(description.split())
    if len(description) > MAX_DESCRIPTION:
        raise ValueError(_("Enter at most %(count)d characters.") % {"count": MAX_DESCRIPTION})
    return description
