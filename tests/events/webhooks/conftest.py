"""A receiver on this machine, which settings allow to be called, and webhooks that lead to it."""

import ipaddress
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F

from core.actors import SYSTEM
from core.tenancy import enter, enter_platform
from events.webhooks.models import Delivery, Webhook
from events.webhooks.queue.models import QueuedWebhook
from events.webhooks.sending import Sender
from events.webhooks.services import WebhookWithSecret, make_webhook
from tests.support.receiver import Receiver

HERE = [ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")]


@pytest.fixture
def at_home(settings: Any) -> None:
    """This machine may be called, over http too, and nobody is waited for long."""
    settings.WEBHOOK_ALLOWED_NETWORKS = HERE
    settings.WEBHOOK_ALLOW_HTTP = True
    settings.WEBHOOK_TIMEOUT_S = 5.0


@pytest.fixture
def receiver(at_home: None) -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def queue(outbox: None) -> Iterator[None]:
    """An empty line, so that a test's sender meets its own webhooks alone."""
    with enter_platform():
        QueuedWebhook.objects.all().delete()
    yield
    with enter_platform():
        QueuedWebhook.objects.all().delete()


@pytest.fixture
def made(queue: None, tenant: Any, receiver: Receiver) -> WebhookWithSecret:
    """A webhook of the tenant that wants everything about members."""
    return make(tenant, receiver)


def make(tenant: Any, receiver: Receiver, *events: str, **values: Any) -> WebhookWithSecret:
    """Make a webhook in a tenant."""
    with enter(tenant.ref):
        url = values.pop("url", receiver.url())
        return make_webhook(url=url, events=events or ["plexica.member.*"], actor=SYSTEM, **values)


def send() -> None:
    """Send what is due now."""
    Sender(threads=8).send_due()


def later(tenant: Any, **by: float) -> None:
    """Let time pass for everything that waits in a tenant."""
    passed = timedelta(**by)
    with enter(tenant.ref):
        Delivery.objects.update(next_try_at=F("next_try_at") - passed, created_at=F("created_at") - passed)
        Webhook.objects.update(
            failing_since=F("failing_since") - passed,
            paused_until=F("paused_until") - passed,
            previous_valid_until=F("previous_valid_until") - passed,
        )
    with enter_platform():
        QueuedWebhook.objects.filter(tenant_id=tenant.pk).update(
            due_at=F("due_at") - passed, leased_until=F("leased_until") - passed
        )


def deliveries(tenant: Any) -> list[Delivery]:
    """Return a tenant's deliveries, oldest first, with their attempts."""
    with enter(tenant.ref):
        return list(Delivery.objects.prefetch_related("attempts").order_by("created_at", "id"))


def webhook_of(tenant: Any) -> Webhook:
    """Return the tenant's only webhook, as it is now."""
    with enter(tenant.ref):
        return Webhook.objects.get()


@pytest.fixture
def happen(relay: Callable[[], int], bus: Any) -> Iterator[Callable[[], None]]:
    """Takes what was published through relay, bus and the real subscriber."""
    from events.consuming import Consumer, interrupt_long_handlers
    from events.subscribing import subscribers
    from tests.events.conftest import drain

    subscriber = subscribers()["webhooks"]
    interrupt_long_handlers()
    with bus.reader(subscriber.name) as reader:

        def go() -> None:
            relay()
            drain(Consumer(subscriber, through=bus), reader, bus, subscriber.name)

        yield go
