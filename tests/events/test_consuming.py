"""Subscribers: every event once, each tenant's in order, and one tenant's trouble is nobody else's."""

import dataclasses
import socket
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from core.ids import uuid7
from events.consuming import Consumer
from events.messages import Message
from events.outbox.models import FailedMessage, OutboxMessage, ParkedMessage
from events.parking import Reason
from events.subscribing import Subscriber
from tenants import directory
from tenants.models import Tenant
from tenants.schemas import making
from tests.events.conftest import added, drain, effects, messages


def parked():
    return list(ParkedMessage.objects.order_by("position").values_list("reason", "attempts"))


def make_due():
    ParkedMessage.objects.update(next_try_at=timezone.now() - timedelta(seconds=1))


def change(tenant, status):
    Tenant.objects.filter(pk=tenant.pk).update(status=status)
    directory.forget()


def test_events_are_handled_once_and_in_order(tenants, relay, consume, seen):
    one, other = tenants(2)
    ids, others = added(one, 3), added(other, 2)
    ids += added(one, 2)
    relay()

    consume()

    assert effects(one) == ids
    assert effects(other) == others
    assert sorted(seen.ids) == sorted(ids + others)


def test_a_repeated_delivery_does_nothing(tenant, relay, consume, seen, bus):
    ids = added(tenant, 3)
    relay()
    consume()
    again = [
        Message(m.id, m.occurred_at, m.name, m.version, m.tenant_id, m.actor_kind, m.actor_id, m.request_id, m.payload)
        for m in OutboxMessage.objects.filter(tenant_id=tenant.pk).order_by("id")
    ]
    bus.publish(again)
    ids += added(tenant)
    relay()

    consume()

    assert seen.ids == ids
    assert effects(tenant) == ids


def test_a_subscriber_gets_what_it_wants_and_nothing_else(tenant, relay, consume, seen):
    from core.tenancy import enter
    from events import publish
    from plexica_sdk.events import SessionStarted

    with enter(tenant.ref):
        publish(SessionStarted(person_id=uuid7()))
    (wanted,) = added(tenant)
    relay()

    consume()

    assert seen.ids == [wanted]


def test_an_event_that_fails_is_parked_with_what_follows_and_leaves_no_trace(tenants, relay, consume, seen):
    sick, healthy = tenants(2)
    before, bad, *behind = added(sick, 4)
    fine = added(healthy, 3)
    seen.fails_on[bad] = ValueError("no room")
    relay()

    consume()

    assert effects(sick) == [before]
    assert effects(healthy) == fine
    assert parked()[0][0] == Reason.FAILED
    assert [reason for reason, _ in parked()[1:]] == [Reason.BEHIND] * len(behind)
    assert "ValueError: no room" in ParkedMessage.objects.order_by("position").first().error


def test_what_comes_later_waits_behind_what_is_parked(tenant, relay, consume, seen):
    (bad,) = added(tenant)
    seen.fails_on[bad] = ValueError("no")
    relay()
    consume()
    late = added(tenant, 2)
    relay()
    consume()
    assert effects(tenant) == []

    seen.fails_on.clear()
    make_due()
    consume()

    assert effects(tenant) == [bad, *late]
    assert parked() == []


def test_after_the_last_try_an_event_is_filed_and_what_waited_behind_it_goes_on(tenant, relay, consume, seen, settings):
    bad, *behind = added(tenant, 3)
    seen.fails_on[bad] = ValueError("never")
    relay()
    consume()
    for _ in settings.EVENT_RETRY_DELAYS_S:
        make_due()
        consume()

    filed = FailedMessage.objects.get()
    assert (filed.subscriber, filed.tenant_id, filed.attempts) == ("tests.one", tenant.pk, 6)
    assert filed.error == "ValueError: never"
    assert (filed.name, filed.status) == ("plexica.member.added", "open")
    assert effects(tenant) == behind
    assert parked() == []


def test_tries_are_put_off_longer_and_longer(tenant, relay, consume, seen, settings):
    settings.EVENT_RETRY_DELAYS_S = [100, 1000]
    (bad,) = added(tenant)
    seen.fails_on[bad] = ValueError("no")
    relay()
    consume()
    first = ParkedMessage.objects.get().next_try_at
    consume()
    assert ParkedMessage.objects.get().attempts == 1  # not due
    make_due()
    consume()

    assert 85 < (first - timezone.now()).total_seconds() < 111
    assert 895 < (ParkedMessage.objects.get().next_try_at - timezone.now()).total_seconds() < 1101


def test_a_suspended_tenants_events_wait_and_are_delivered_in_order_afterwards(tenant, relay, consume, seen):
    ids = added(tenant, 2)
    change(tenant, "suspended")
    ids += added(tenant, 1)
    relay()
    consume()
    make_due()
    consume()
    assert (seen.ids, [reason for reason, _ in parked()]) == ([], [Reason.STOPPED] * 3)

    change(tenant, "active")
    consume()

    assert effects(tenant) == ids
    assert seen.attempts == [1, 1, 1]


def test_a_deleted_tenants_events_are_dropped_on_arrival(tenant, relay, consume, seen, bus):
    added(tenant, 2)
    change(tenant, "suspended")
    relay()
    consume()
    added(tenant, 1)
    change(tenant, "deleted")
    relay()
    make_due()

    consume()

    assert (seen.ids, parked()) == ([], [])


def test_what_the_bus_still_carries_of_a_tenant_that_is_gone_is_dropped(tenant, bus, consume, seen, relay):
    """Schema and role are gone by then: nothing of it may be entered."""
    added(tenant, 2)
    relay()
    making.drop_schema(tenant.ref)
    OutboxMessage.objects.using("ops").filter(tenant_id=tenant.pk).delete()
    change(tenant, "deleted")

    consume()

    assert (seen.ids, parked(), FailedMessage.objects.count()) == ([], [], 0)
    assert bus.backlog("tests.one").waiting == 0


@pytest.mark.parametrize("kind", ["loop", "socket", "database"])
def test_a_handler_that_takes_too_long_is_interrupted_and_others_go_on(tenants, relay, bus, seen, kind):
    from events.consuming import interrupt_long_handlers

    interrupt_long_handlers()
    sick, healthy = tenants(2)
    (bad,) = added(sick)
    fine = added(healthy)

    def hang(event, ctx):
        if event.person_id != bad:
            return
        if kind == "loop":
            while True:
                pass
        if kind == "socket":
            one, other = socket.socketpair()
            with one, other:
                one.recv(1)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(60)")

    seen.does = hang
    subscriber = Subscriber("tests.one", ("plexica.member.*",), seen, timeout_s=0.3)
    relay()
    begin = time.monotonic()
    with bus.reader("tests.one") as reader:
        drain(Consumer(subscriber, through=bus), reader, bus, "tests.one")

    assert time.monotonic() - begin < 20
    assert (effects(sick), effects(healthy)) == ([], fine)
    assert ParkedMessage.objects.first().error.startswith("HandlerTimeout")


def test_a_consumer_that_dies_after_the_commit_repeats_nothing(tenant, relay, bus, subscriber, seen, monkeypatch):
    from events.bus.redis_streams import StreamReader

    ids = added(tenant, 3)
    relay()
    monkeypatch.setattr(StreamReader, "passed", lambda self, part: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt), bus.reader("tests.one") as reader:
        for _ in range(10):
            Consumer(subscriber, through=bus).turn(reader)
    monkeypatch.undo()

    with bus.reader("tests.one") as reader:
        drain(Consumer(subscriber, through=bus), reader, bus, "tests.one")

    assert effects(tenant) == seen.ids == ids


def test_an_event_of_another_release_reaches_who_subscribed_to_a_pattern(tenant, bus):
    from plexica_sdk.events import UnknownEvent

    got = []
    subscriber = Subscriber("tests.one", ("plexica.member.*",), lambda event, ctx: got.append(event), timeout_s=30.0)
    (known,) = messages(tenant.pk, [1])
    bus.publish([dataclasses.replace(known, name="plexica.member.promoted", version=3, payload={"person_id": "x"})])

    with bus.reader(subscriber.name) as reader:
        drain(Consumer(subscriber, through=bus), reader, bus, subscriber.name)

    assert got == [UnknownEvent(event_name="plexica.member.promoted", event_version=3, values={"person_id": "x"})]
