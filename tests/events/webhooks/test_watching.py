"""What operators see of all tenants' webhooks: how much waits, since when, who fails; and nothing of what is sent where."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F
from django.utils import timezone

from core.actors import SYSTEM
from core.health.metrics import REGISTRY
from core.tenancy import enter, enter_platform
from events.webhooks.housekeeping import clear_old_deliveries
from events.webhooks.models import Delivery, Webhook
from events.webhooks.queue.models import AttemptCount, QueuedWebhook
from events.webhooks.queue.selectors import list_webhooks_by_tenant, webhooks_status
from events.webhooks.queue.services import claim, hold
from events.webhooks.services import delete_webhook, disable_webhook, enable_webhook, redeliver, send_test
from events.webhooks.watching import examine_webhooks
from tests.events.conftest import added
from tests.events.webhooks.conftest import deliveries, later, make, send, webhook_of
from tests.support.receiver import Reply


@pytest.fixture(autouse=True)
def no_attempts_yet(queue):
    with enter_platform():
        AttemptCount.objects.using("ops").all().delete()  # our own role may not


def of(tenant):
    with enter_platform():
        return next(iter(list_webhooks_by_tenant(tenant_ids=[tenant.pk])), None)


def numbers(row):
    return {name: row[name] for name in ("waiting_now", "held", "failing", "disabled")}


def test_what_waits_is_counted_with_the_age_of_the_oldest(made, tenant, receiver, happen):
    make(tenant, receiver, "plexica.role.*")
    added(tenant, 3)
    happen()
    with enter_platform():
        QueuedWebhook.objects.update(waiting_since=F("waiting_since") - timedelta(seconds=90))

    before = webhooks_status()
    send()
    after = webhooks_status()

    assert (before.waiting, before.failing, before.disabled) == (3, 0, 0)
    assert 90 <= before.oldest_s < 120
    assert (after.waiting, after.oldest_s, after.overdue_s) == (0, 0.0, 0.0)
    assert of(tenant) is None


def test_attempts_are_counted_by_result(made, tenant, receiver, happen):
    answers = iter([Reply(200), Reply(503), Reply(404), Reply(301, {"Location": "/"}), Reply(204)])
    receiver.reply = lambda call: next(answers)
    with enter(tenant.ref):
        for _ in range(5):
            send_test(webhook_id=made.webhook.pk, actor=SYSTEM)

    send()

    assert webhooks_status().attempts == {"delivered": 2, "http_4xx": 1, "http_5xx": 1, "redirect": 1}


def test_a_receiver_that_fails_and_recovers_is_seen(made, tenant, receiver, happen):
    receiver.reply = lambda call: Reply(500)
    added(tenant, 2)
    happen()
    send()

    assert numbers(of(tenant)) == {"waiting_now": 2, "held": 0, "failing": 1, "disabled": 0}

    receiver.reply = lambda call: Reply()
    later(tenant, minutes=10)
    send()

    assert of(tenant) is None


def test_what_waits_for_a_disabled_webhook_is_held_until_it_is_enabled(made, tenant, receiver, happen):
    added(tenant, 2)
    happen()
    with enter(tenant.ref):
        disable_webhook(webhook_id=made.webhook.pk, actor=SYSTEM)
    send()

    assert numbers(of(tenant)) == {"waiting_now": 0, "held": 2, "failing": 0, "disabled": 1}
    assert webhooks_status().overdue_s == 0

    with enter(tenant.ref):
        enable_webhook(webhook_id=made.webhook.pk, actor=SYSTEM)
    send()

    assert len(receiver.calls) == 2
    assert of(tenant) is None


def test_a_webhook_that_gives_up_and_one_that_is_deleted_are_no_longer_waited_for(made, tenant, receiver, happen):
    receiver.reply = lambda call: Reply(410)
    added(tenant)
    happen()
    send()
    assert numbers(of(tenant)) == {"waiting_now": 0, "held": 0, "failing": 0, "disabled": 1}

    with enter(tenant.ref):
        delete_webhook(webhook_id=made.webhook.pk, actor=SYSTEM)
    send()

    assert of(tenant) is None


def test_what_is_sent_again_by_hand_waits_too(made, tenant, receiver, happen):
    added(tenant)
    happen()
    send()
    (delivery,) = deliveries(tenant)

    with enter(tenant.ref):
        redeliver(webhook_id=made.webhook.pk, delivery_id=delivery.pk, actor=SYSTEM)

    assert of(tenant)["waiting_now"] == 1


def test_what_waits_for_a_stopped_tenant_is_held(made, tenant, happen):
    added(tenant, 2)
    happen()
    (claimed,) = claim(limit=1, failing=1, lease_s=60)

    hold(claimed)

    assert numbers(of(tenant)) == {"waiting_now": 0, "held": 2, "failing": 0, "disabled": 0}


def test_each_night_what_is_shown_is_compared_with_the_tenants_own_rows(made, tenant, receiver, happen):
    added(tenant)
    happen()
    with enter(tenant.ref):
        disable_webhook(webhook_id=made.webhook.pk, actor=SYSTEM)
    send()
    later(tenant, days=31)
    with enter_platform():
        QueuedWebhook.objects.filter(tenant_id=tenant.pk).delete()

    with enter(tenant.ref):
        clear_old_deliveries()
    send()

    assert numbers(of(tenant)) == {"waiting_now": 0, "held": 0, "failing": 0, "disabled": 1}
    with enter(tenant.ref):
        assert not Delivery.objects.exists()
    assert webhook_of(tenant).status == Webhook.Status.DISABLED


def test_the_doctor_says_when_nobody_sends_or_senders_are_behind(made, tenant, happen):
    assert [line.level for line in examine_webhooks()] == ["ok"]
    added(tenant)
    happen()
    with enter_platform():
        QueuedWebhook.objects.update(due_at=timezone.now() - timedelta(minutes=5))

    (nobody,) = examine_webhooks()
    make_busy(tenant)
    (behind,) = examine_webhooks()

    assert (nobody.level, nobody.remedy) == ("fail", "start: manage.py send_webhooks")
    assert (behind.level, "behind" in behind.says) == ("warn", True)


def make_busy(tenant):
    """Somebody sends to another webhook of the tenant."""
    soon = timezone.now() + timedelta(minutes=1)
    with enter_platform():
        QueuedWebhook.objects.create(tenant_id=tenant.pk, webhook_id=tenant.pk, leased_until=soon, lease=tenant.pk)


def test_prometheus_and_the_command_say_the_same(made, tenant, receiver, happen):
    receiver.reply = lambda call: Reply(500)
    added(tenant, 2)
    happen()
    send()
    out = StringIO()

    with pytest.raises(CommandError):  # nobody relays in this test
        call_command("events_status", "--json", stdout=out)
    with pytest.raises(CommandError):
        call_command("events_status", stdout=(table := StringIO()))

    said = json.loads(out.getvalue())["webhooks"]
    assert (said["waiting"], said["failing"], said["attempts"]) == (2, 1, {"http_5xx": 1})
    assert "attempts: 1 http_5xx" in table.getvalue()
    for name, value in {"waiting": 2, "failing": 1, "disabled": 0, "held": 0}.items():
        assert REGISTRY.get_sample_value(f"plexica_webhooks_{name}") == value
    assert REGISTRY.get_sample_value("plexica_webhooks_attempts_total", {"result": "http_5xx"}) == 1
