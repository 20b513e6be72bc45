"""From an event to a receiver: signed, once where nothing dies, again where something fails, and nobody holds up anybody."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections, transaction
from django.utils import timezone
from standardwebhooks import Webhook as Library
from standardwebhooks import WebhookVerificationError

from core.actors import SYSTEM
from core.audit.models import AuditEntry
from core.tenancy import enter, enter_platform
from events import publish
from events.outbox.models import OutboxMessage, ParkedMessage
from events.webhooks.models import Delivery, Webhook
from events.webhooks.queue import services as queue_services
from events.webhooks.queue.models import QueuedWebhook
from events.webhooks.sending import Sender
from events.webhooks.services import (
    delete_webhook,
    disable_webhook,
    enable_webhook,
    redeliver,
    rotate_secret,
    send_test,
)
from plexica_sdk.events import RoleMade, UnknownEvent
from tenants import directory
from tenants.models import Tenant
from tenants.services.lifecycle import reactivate_tenant, suspend_tenant
from tests.events.conftest import added
from tests.events.webhooks.conftest import deliveries, later, make, send, webhook_of
from tests.support.receiver import Reply
from tests.support.threads import run_apart


def queued(tenant):
    with enter_platform():
        return list(QueuedWebhook.objects.filter(tenant_id=tenant.pk))


# -- what is sent


def test_an_event_is_sent_signed_with_ids_alone(made, tenant, receiver, happen):
    (person_id,) = added(tenant)

    happen()
    send()

    (call,) = receiver.calls
    assert Library(made.secret).verify(call.body.decode(), call.headers)
    body = json.loads(call.body)
    occurred = datetime.fromisoformat(body.pop("timestamp"))
    assert body == {"type": "plexica.member.added", "tenant": str(tenant.pk), "data": {"person_id": str(person_id)}}
    assert timedelta(0) <= datetime.now(UTC) - occurred < timedelta(minutes=1)
    (delivery,) = deliveries(tenant)
    assert (delivery.status, str(delivery.pk)) == ("delivered", call.id)
    assert queued(tenant) == []


def test_a_signature_fits_neither_another_body_nor_another_secret(made, tenant, receiver, happen):
    added(tenant)
    happen()
    send()
    (call,) = receiver.calls

    with pytest.raises(WebhookVerificationError):
        Library(made.secret).verify(call.body.decode() + " ", call.headers)
    with pytest.raises(WebhookVerificationError):
        Library("whsec_" + "A" * 44).verify(call.body.decode(), call.headers)


def test_what_nobody_chose_is_not_sent(made, tenant, receiver, happen):
    with enter(tenant.ref):
        publish(RoleMade(role_id=made.webhook.pk))

    happen()
    send()

    assert deliveries(tenant) == []
    assert not receiver.calls


def test_an_event_of_another_release_is_sent_as_it_was_published(tenant, receiver, queue, happen):
    from events.subscribing import EventContext
    from events.webhooks.handlers import write_deliveries

    make(tenant, receiver, "plexica.*")
    event = UnknownEvent(event_name="plexica.rocket.started", event_version=2, values={"rocket_id": "7"})
    context = EventContext(tenant.ref, 1, timezone.now(), "system", None, "", 1)

    with enter(tenant.ref), transaction.atomic():
        write_deliveries(event, context)
    send()

    (call,) = receiver.calls
    body = json.loads(call.body)
    assert (body["type"], body["data"]) == ("plexica.rocket.started", {"rocket_id": "7"})


def test_events_of_one_tenant_reach_its_own_webhooks_alone(tenants, receiver, queue, happen):
    ours, theirs = tenants(2)
    secret = make(ours, receiver, url=receiver.url(path="/ours")).secret
    make(theirs, receiver, url=receiver.url(path="/theirs"))

    added(ours, 3)
    happen()
    send()

    assert [call.path for call in receiver.calls] == ["/ours"] * 3
    assert all(json.loads(call.body)["tenant"] == str(ours.pk) for call in receiver.calls)
    assert all(Library(secret).verify(call.body.decode(), call.headers) for call in receiver.calls)


def test_deliveries_are_sent_in_the_order_of_their_events(made, tenant, receiver, happen):
    ids = added(tenant, 30)

    happen()
    send()

    assert [json.loads(call.body)["data"]["person_id"] for call in receiver.calls] == [str(one) for one in ids]


def test_an_event_that_comes_twice_is_sent_once(made, tenant, receiver, happen, relay):
    added(tenant)
    happen()
    with enter_platform():
        OutboxMessage.objects.using("ops").filter(tenant_id=tenant.pk).update(sent_at=None)

    happen()
    send()

    assert len(receiver.calls) == 1


def test_a_replay_sends_again_under_the_same_id(made, tenant, receiver, happen):
    from events.answers import replay_events

    since = timezone.now()
    added(tenant, 2)
    happen()
    send()

    with enter_platform():
        replay_events(subscriber="webhooks", tenant=tenant.ref, since=since, actor=SYSTEM)
    happen()
    send()

    ids = [call.id for call in receiver.calls]
    assert ids[2:] == ids[:2]
    assert len(deliveries(tenant)) == 2


# -- failures


def test_a_failure_is_tried_again_under_the_same_id_and_body(made, tenant, receiver, happen):
    receiver.reply = lambda call: Reply(500 if len(receiver.calls) == 1 else 204, body=b"")
    added(tenant)
    happen()

    send()
    (waiting,) = deliveries(tenant)
    later(tenant, seconds=6)
    send()

    first, second = receiver.calls
    assert waiting.status == "waiting"
    assert timedelta(seconds=3) < waiting.next_try_at - timezone.now() < timedelta(seconds=6)
    assert (first.id, first.body) == (second.id, second.body)
    assert Library(made.secret).verify(second.body.decode(), second.headers)
    (delivery,) = deliveries(tenant)
    assert [attempt.status_code for attempt in delivery.attempts.all()] == [500, 204]
    assert (delivery.status, webhook_of(tenant).failing_since) == ("delivered", None)


def test_after_the_last_try_a_delivery_has_failed(made, tenant, receiver, happen, settings):
    settings.WEBHOOK_RETRY_DELAYS_S = [5, 60]
    receiver.reply = lambda call: Reply(400, body=b"no such person")
    added(tenant)
    happen()

    for _ in range(5):
        send()
        later(tenant, seconds=70)

    (delivery,) = deliveries(tenant)
    assert (delivery.status, len(receiver.calls)) == ("failed", 3)
    assert {attempt.response_body for attempt in delivery.attempts.all()} == {"no such person"}
    assert [(line.due_at, line.is_failing) for line in queued(tenant)] == [(None, True)]


def test_who_asks_to_be_left_alone_for_a_while_is(made, tenant, receiver, happen):
    receiver.reply = lambda call: Reply(429, {"Retry-After": "600"})
    added(tenant, 2)
    happen()

    send()
    later(tenant, seconds=590)
    send()
    assert len(receiver.calls) == 1
    receiver.reply = lambda call: Reply()
    later(tenant, seconds=11)
    send()

    assert len(receiver.calls) == 3


def test_a_webhook_that_fails_is_called_more_and_more_rarely(made, tenant, receiver, happen):
    receiver.reply = lambda call: Reply(500)
    added(tenant, 20)
    happen()

    for _ in range(5):
        send()
        later(tenant, seconds=2)

    assert len(receiver.calls) in (3, 4)  # after 0, 1, 2, 4 s, whatever waits
    assert webhook_of(tenant).failures == len(receiver.calls)


def test_410_disables_at_once(made, tenant, receiver, happen):
    receiver.reply = lambda call: Reply(410)
    added(tenant, 3)
    happen()

    send()

    webhook = webhook_of(tenant)
    assert len(receiver.calls) == 1
    assert (webhook.status, webhook.disabled_because) == ("disabled", "gone")
    assert published(tenant, "plexica.webhook.disabled") == [{"webhook_id": str(webhook.pk), "reason": "gone"}]


def test_days_without_a_success_disable(made, tenant, receiver, happen):
    receiver.reply = lambda call: Reply(500)
    added(tenant)
    happen()
    send()

    later(tenant, days=4, hours=23)
    send()
    still = webhook_of(tenant).status
    later(tenant, hours=2)
    send()

    webhook = webhook_of(tenant)
    assert still == "active"
    assert (webhook.status, webhook.disabled_because) == ("disabled", "failing")
    assert published(tenant, "plexica.webhook.disabled") == [{"webhook_id": str(webhook.pk), "reason": "failing"}]
    with enter(tenant.ref):
        entry = AuditEntry.objects.get(action="webhook.disabled")
    assert (entry.actor_kind, entry.facts) == ("system", {"because": "failing"})
    added(tenant)
    happen()
    assert len(deliveries(tenant)) == 1  # what happens while it is disabled is not kept


def test_enabled_again_it_goes_on_with_what_waited(made, tenant, receiver, happen):
    receiver.reply = lambda call: Reply(410)
    added(tenant, 3)
    happen()
    send()
    receiver.reply = lambda call: Reply()

    with enter(tenant.ref):
        enable_webhook(webhook_id=made.webhook.pk, actor=SYSTEM)
    send()

    assert [delivery.status for delivery in deliveries(tenant)] == ["failed", "delivered", "delivered"]
    assert webhook_of(tenant).state == "active"


def published(tenant, name):
    with enter_platform():
        found = OutboxMessage.objects.filter(tenant_id=tenant.pk, name=name)
        return list(found.order_by("id").values_list("payload", flat=True))


# -- secrets, tests, again


def test_after_a_rotation_both_secrets_sign_for_a_day(made, tenant, receiver, happen):
    with enter(tenant.ref):
        new = rotate_secret(webhook_id=made.webhook.pk, actor=SYSTEM).secret
    added(tenant)
    happen()
    send()
    later(tenant, hours=25)
    added(tenant)
    happen()
    send()

    during, after = receiver.calls
    assert Library(made.secret).verify(during.body.decode(), during.headers)
    assert Library(new).verify(during.body.decode(), during.headers)
    assert Library(new).verify(after.body.decode(), after.headers)
    with pytest.raises(WebhookVerificationError):
        Library(made.secret).verify(after.body.decode(), after.headers)


def test_secrets_are_encrypted_at_rest(made, tenant):
    with enter(tenant.ref), connections["default"].cursor() as cursor:
        cursor.execute("SELECT secret FROM webhooks_webhook")
        ((kept,),) = cursor.fetchall()

    assert made.secret.removeprefix("whsec_") not in kept
    assert webhook_of(tenant).secret == made.secret


def test_a_test_is_sent_once_even_to_a_webhook_that_pauses(made, tenant, receiver, happen):
    receiver.reply = lambda call: Reply(503, {"Retry-After": "3600"})
    added(tenant)
    happen()
    send()

    with enter(tenant.ref):
        send_test(webhook_id=made.webhook.pk, actor=SYSTEM)
    send()
    later(tenant, minutes=10)
    send()

    assert [json.loads(call.body)["type"] for call in receiver.calls] == [
        "plexica.member.added",
        "plexica.webhook.test",
    ]
    assert deliveries(tenant)[1].status == "failed"
    assert webhook_of(tenant).failures == 1  # a test says nothing about events


def test_a_delivery_can_be_sent_again(made, tenant, receiver, happen):
    added(tenant)
    happen()
    send()
    (delivery,) = deliveries(tenant)

    with enter(tenant.ref):
        redeliver(webhook_id=made.webhook.pk, delivery_id=delivery.pk, actor=SYSTEM)
    send()

    assert [call.id for call in receiver.calls] == [str(delivery.pk)] * 2
    (again,) = deliveries(tenant)
    assert (again.status, again.attempts.count()) == ("delivered", 2)


# -- tenants that stop


def set_status(tenant, status):
    with enter_platform():
        Tenant.objects.filter(pk=tenant.pk).update(status=status)
    directory.forget()


def test_while_a_tenant_is_suspended_nothing_is_sent_and_afterwards_everything(made, tenant, receiver, happen):
    added(tenant, 2)
    happen()
    set_status(tenant, "suspended")

    send()
    suspended = len(receiver.calls)
    set_status(tenant, "active")
    later(tenant, seconds=30)
    send()

    assert (suspended, len(receiver.calls)) == (0, 2)


def test_a_tenant_that_is_reactivated_is_sent_to_at_once(made, tenant, receiver, happen, operator):
    """Senders would look by themselves after 30 seconds."""
    over = threading.Event()
    added(tenant)
    happen()
    with enter_platform():
        suspend_tenant(tenant_id=tenant.pk, actor=operator, reason="unpaid")
    directory.forget()
    sender = threading.Thread(target=lambda: Sender(threads=2).run(until=over.is_set))
    sender.start()
    try:
        later = timezone.now() + timedelta(seconds=20)
        wait_until(lambda: (queued(tenant)[0].due_at or timezone.now()) > later)  # none while a sender looks at it

        with enter_platform():
            reactivate_tenant(tenant_id=tenant.pk, actor=operator, reason="paid")

        receiver.wait_for(1, timeout_s=5)
    finally:
        over.set()
        sender.join()
    assert queued(tenant) == []


def test_a_sender_that_has_not_heard_of_a_reactivation_looks_again_soon(made, tenant, receiver, happen):
    added(tenant)
    happen()
    claimed, *_ = queue_services.claim(limit=9, failing=1, lease_s=60)
    queue_services.hold(claimed)
    with enter_platform():
        queue_services.let_go_on(tenant.pk)
    (again,) = queue_services.claim(limit=1, failing=1, lease_s=60)

    queue_services.hold(again)  # as one that knows the tenant as it was

    (line,) = queued(tenant)
    assert line.due_at - timezone.now() < timedelta(seconds=2)


def wait_until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_tenant_that_is_suspended_in_the_middle_is_sent_no_more(made, tenant, receiver, happen):
    def reply(call):
        run_apart(lambda: set_status(tenant, "suspended"))
        return Reply()

    receiver.reply = reply
    added(tenant, 5)
    happen()

    send()

    assert len(receiver.calls) == 1
    set_status(tenant, "active")


def test_what_a_deleted_tenant_has_waiting_is_dropped(made, tenant, receiver, happen):
    added(tenant)
    happen()
    set_status(tenant, "deleted")

    send()

    assert not receiver.calls
    assert queued(tenant) == []
    set_status(tenant, "active")


@pytest.mark.parametrize("change", [delete_webhook, disable_webhook])
def test_what_waits_for_a_webhook_that_is_gone_or_disabled_is_not_sent(made, tenant, receiver, happen, change):
    added(tenant)
    happen()
    with enter(tenant.ref):
        change(webhook_id=made.webhook.pk, actor=SYSTEM)

    send()

    assert not receiver.calls
    assert [line.due_at for line in queued(tenant)] == ([None] if change is disable_webhook else [])


# -- several at once


def test_two_senders_at_once_send_everything_once(tenants, receiver, queue, happen):
    three = tenants(3)
    for tenant in three:
        for path in ("/a", "/b"):
            make(tenant, receiver, url=receiver.url(path=path))
        added(tenant, 20)
    happen()

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    ids = [call.id for call in receiver.calls]
    assert len(ids) == len(set(ids)) == 3 * 2 * 20


def test_slow_webhooks_hold_up_neither_others_nor_other_tenants(tenants, receiver, queue, happen):
    """One tenant with more slow webhooks than there are threads."""
    slow, other = tenants(2)
    open_again = threading.Event()

    def reply(call):
        if call.path == "/slow":
            open_again.wait(4)
        return Reply()

    receiver.reply = reply
    for _ in range(6):
        make(slow, receiver, url=receiver.url(path="/slow"))
    make(other, receiver, url=receiver.url(path="/quick"))
    added(slow)
    added(other, 5)
    happen()
    began = time.monotonic()
    sender = threading.Thread(target=Sender(threads=6).send_due)
    sender.start()

    while sum(call.path == "/quick" for call in receiver.calls) < 5:
        assert time.monotonic() - began < 3
        time.sleep(0.01)
    under_way = sum(call.path == "/slow" for call in receiver.calls)
    open_again.set()
    sender.join()

    assert under_way == queue_services.TENANT_MAX
    assert len(receiver.calls) == 6 + 5


def test_of_webhooks_that_fail_only_some_are_tried_at_a_time(tenants, receiver, queue):
    many = tenants(5)
    for tenant in many:
        with enter(tenant.ref):
            queue_services.put_in_line({make(tenant, receiver).webhook.pk: 1}, due_at=timezone.now())
    with enter_platform():
        QueuedWebhook.objects.filter(tenant_id__in=[tenant.pk for tenant in many[1:]]).update(is_failing=True)

    claims = queue_services.claim(limit=10, failing=2, lease_s=60)

    assert sorted(claim.is_failing for claim in claims) == [False, True, True]
    assert not claims[0].is_failing


def test_a_tenant_sees_and_moves_its_own_webhooks_in_line_alone(tenants, receiver, queue):
    ours, theirs = tenants(2)
    with enter(theirs.ref):
        queue_services.put_in_line({make(theirs, receiver).webhook.pk: 1}, due_at=timezone.now())

    with enter(ours.ref), connections["default"].cursor() as cursor:
        cursor.execute("SELECT count(tenant_id) FROM public.webhook_queue")
        assert cursor.fetchone() == (0,)
        cursor.execute("UPDATE public.webhook_queue SET due_at = NULL")
        assert cursor.rowcount == 0
        with pytest.raises(Exception, match="row-level security"), transaction.atomic():
            cursor.execute(
                "INSERT INTO public.webhook_queue (tenant_id, webhook_id, due_at) VALUES (%s, %s, now())",
                [theirs.pk, ours.pk],
            )
        with pytest.raises(Exception, match="permission denied"), transaction.atomic():
            cursor.execute("SELECT lease FROM public.webhook_queue")


# -- processes that die


@pytest.fixture
def process():
    """Starts `manage.py send_webhooks` on this test process's database."""
    running = []

    def start():
        ours = {
            "PLEXICA_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
            "PLEXICA_WEBHOOK_ALLOW_HTTP": "true",
            "PLEXICA_LOG_LEVEL": "WARNING",
        }
        running.append(subprocess.Popen([sys.executable, "manage.py", "send_webhooks"], env=os.environ | ours))
        return running[-1]

    yield start
    for one in running:
        if one.poll() is None:
            one.kill()
            one.wait()


def test_a_sender_that_is_killed_in_the_middle_leaves_its_call_to_the_next(made, tenant, receiver, happen, process):
    held = threading.Event()

    def reply(call):
        if len(receiver.calls) == 1:
            held.wait(30)
        return Reply()

    receiver.reply = reply
    added(tenant, 3)
    happen()

    first = process()
    receiver.wait_for(1)
    first.send_signal(signal.SIGKILL)
    first.wait()
    held.set()
    (lost, *_) = deliveries(tenant)
    (line,) = queued(tenant)
    send()
    before = len(receiver.calls)
    later(tenant, minutes=5)
    send()

    assert before == 1  # until its lease runs out, what it had in hand is nobody else's
    assert line.leased_until > timezone.now()
    assert (lost.status, lost.attempts.count()) == ("waiting", 0)
    ids = [call.id for call in receiver.calls]
    assert ids[0] == ids[1] == str(lost.pk)
    assert len(set(ids)) == 3
    assert {delivery.status for delivery in deliveries(tenant)} == {"delivered"}


def test_a_sender_that_is_ended_finishes_the_call_at_hand(made, tenant, receiver, happen, process):
    receiver.reply = lambda call: Reply(pause_s=1.0)
    added(tenant, 3)
    happen()
    sender = process()
    receiver.wait_for(1)

    sender.terminate()

    assert sender.wait(timeout=20) == 0
    assert [delivery.status for delivery in deliveries(tenant)] == ["delivered", "waiting", "waiting"]
    (line,) = queued(tenant)
    assert line.lease is None


def test_a_sender_whose_lease_ran_out_sends_nothing_more(made, tenant, receiver, happen):
    """A zombie: it was away so long that another one took its webhook."""
    added(tenant, 2)
    happen()
    (mine,) = queue_services.claim(limit=1, failing=1, lease_s=0)
    (theirs,) = queue_services.claim(limit=1, failing=1, lease_s=60)

    assert not queue_services.renew(mine, lease_s=60)
    queue_services.release(mine, queue_services.Standing())

    (line,) = queued(tenant)
    assert line.lease == theirs.lease


def test_an_event_that_comes_while_a_webhook_is_served_is_not_overlooked(made, tenant, receiver, happen):
    added(tenant)
    happen()
    (claimed,) = queue_services.claim(limit=1, failing=1, lease_s=60)
    added(tenant)
    happen()

    queue_services.release(claimed, queue_services.Standing())  # as one that had seen nothing of the second
    send()

    assert len(receiver.calls) == 2
    assert not ParkedMessage.objects.filter(tenant_id=tenant.pk).exists()
    with enter(tenant.ref):
        assert Delivery.objects.filter(status="waiting").count() == 0
        assert Webhook.objects.get().last_success_at


# -- housekeeping


def test_old_deliveries_and_secrets_that_sign_no_more_are_deleted(made, tenant, receiver, happen):
    from events.webhooks.housekeeping import clear_old_deliveries

    with enter(tenant.ref):
        rotate_secret(webhook_id=made.webhook.pk, actor=SYSTEM)
    added(tenant)
    happen()
    send()
    later(tenant, days=31)
    added(tenant)
    happen()

    with enter(tenant.ref):
        clear_old_deliveries()

    (kept,) = deliveries(tenant)
    assert kept.status == "waiting"
    assert webhook_of(tenant).previous_secret == ""
