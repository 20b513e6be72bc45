"""Two things done to webhooks at the same moment."""

import pytest

from core.actors import SYSTEM
from core.tenancy import enter
from events.webhooks import services
from events.webhooks.errors import TooManyWebhooks
from events.webhooks.models import Delivery, Webhook
from events.webhooks.services import delete_webhook, make_webhook
from tests.support.meeting import meanwhile, meet


@pytest.fixture
def make(tenant):
    def one():
        with enter(tenant.ref):
            return make_webhook(url="https://hooks.example/x", events=["plexica.*"], actor=SYSTEM).webhook

    return one


def test_there_are_never_more_webhooks_than_allowed(tenant, make, monkeypatch):
    monkeypatch.setattr(services, "MAX_WEBHOOKS", 2)
    make()

    made = meet(*[make] * 4)

    assert sum(isinstance(one, TooManyWebhooks) for one in made) == 3
    with enter(tenant.ref):
        assert Webhook.objects.count() == 2


def test_a_webhook_is_deleted_while_something_is_written_for_it(tenant, make):
    webhook = make()

    def write():
        with enter(tenant.ref):
            Delivery.objects.create(webhook=webhook, event="plexica.member.added", body="{}")

    with meanwhile('DELETE FROM "webhooks_webhook"', write), enter(tenant.ref):
        delete_webhook(webhook_id=webhook.pk, actor=SYSTEM)

    with enter(tenant.ref):
        assert not Webhook.objects.exists()
        assert not Delivery.objects.exists()
