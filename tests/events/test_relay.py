"""The relay: what is committed reaches the bus, whatever dies."""

import threading
import time

import pytest
from django.db import connections, transaction

from core.errors import Unavailable
from core.tenancy import enter
from events import publish
from events import relay as relaying
from events.bus.redis_streams import RedisStreams
from events.messages import SHARDS
from events.outbox.models import OutboxMessage, Passed
from events.relay import Relay, _connect
from plexica_sdk.events import MemberAdded
from tests.events.conftest import added
from tests.support.threads import run_apart


def on_the_bus(bus, *tenants):
    """Return what the bus has of some tenants."""
    found = []
    with bus.reader("tests.look") as reader:
        for _ in range(50):
            parts = [part for part in reader.read(timeout_s=0.02) if part.messages]
            if not parts:
                break
            for part in parts:
                found += [message for message in part.messages if message.tenant_id in {one.pk for one in tenants}]
                reader.passed(part)
    return found


def persons(found):
    return [message.payload["person_id"] for message in found]


def test_committed_events_reach_the_bus_in_their_order_and_are_marked(tenant, bus, relay):
    ids = added(tenant, 5)

    assert relay() == 5

    found = on_the_bus(bus, tenant)
    assert persons(found) == [str(one) for one in ids]
    assert {message.tenant_id for message in found} == {tenant.pk}
    assert not OutboxMessage.objects.filter(tenant_id=tenant.pk, sent_at=None).exists()
    assert relay() == 0


def test_what_is_not_committed_is_not_sent(tenant, bus, relay):
    with enter(tenant.ref), transaction.atomic():
        publish(MemberAdded(person_id=tenant.pk))
        assert run_apart(relay) == 0

    assert relay() == 1


def test_a_long_transaction_elsewhere_holds_nothing_up(tenants, bus, relay):
    slow, quick = tenants(2)
    with enter(slow.ref), transaction.atomic():
        publish(MemberAdded(person_id=slow.pk))
        assert run_apart(lambda: added(quick, 3))
        assert run_apart(relay) == 3

    assert relay() == 1
    assert {message.tenant_id for message in on_the_bus(bus, slow, quick)} == {slow.pk, quick.pk}


def test_what_was_sent_and_not_marked_is_sent_again(tenant, bus, relay, monkeypatch):
    (one,) = added(tenant)
    real = RedisStreams.publish

    def dies_after(self, messages):
        real(self, messages)
        raise KeyboardInterrupt

    monkeypatch.setattr(RedisStreams, "publish", dies_after)
    with pytest.raises(KeyboardInterrupt):
        relay()
    monkeypatch.undo()

    assert relay() == 1

    assert persons(on_the_bus(bus, tenant)) == [str(one), str(one)]


def test_a_bus_that_is_away_loses_nothing(tenant, bus, outbox):
    (one,) = added(tenant)
    away = Relay(subscribers=list, through=RedisStreams("redis://127.0.0.1:1/0"))
    with _connect() as connection:
        away._take_shards(connection)
        with pytest.raises(Unavailable):
            away.send_batch(connection)

    with _connect() as connection:
        back = Relay(subscribers=list, through=bus)
        back._take_shards(connection)
        back.send_batch(connection)

    assert persons(on_the_bus(bus, tenant)) == [str(one)]


def test_a_shard_is_served_by_one_relay_and_taken_over_when_that_dies(tenant, bus, outbox):
    first, second = (Relay(subscribers=list, through=bus) for _ in range(2))
    with _connect() as living:
        with _connect() as dying:
            first._take_shards(dying)
            second._take_shards(living)
            assert (len(first._held), second._held) == (SHARDS, set())
            added(tenant, 2)
            assert second.send_batch(living) == 0
        second._shards_at = float("-inf")
        _wait(lambda: _takes_one(second, living))

        assert second.send_batch(living) == 2


def test_what_was_sent_is_marked_for_many_at_once_and_not_sent_again_meanwhile(tenant, bus, outbox, monkeypatch):
    monkeypatch.setattr(relaying, "MARK_AFTER_S", 3600.0)
    one = Relay(subscribers=list, through=bus)
    one._marked_at = time.monotonic()
    unmarked = OutboxMessage.objects.filter(tenant_id=tenant.pk, sent_at=None)
    with _connect() as connection:
        one._take_shards(connection)
        for _ in range(2):
            added(tenant)
            assert one.send_batch(connection) == 1
        assert one.send_batch(connection) == 0
        assert unmarked.count() == 2

        one._marked_at = float("-inf")
        assert one.send_batch(connection) == 0

    assert not unmarked.exists()
    assert len(on_the_bus(bus, tenant)) == 2


def test_what_the_bus_lost_before_it_was_marked_is_sent_again(tenant, bus, outbox, valkey, monkeypatch):
    monkeypatch.setattr(relaying, "MARK_AFTER_S", 3600.0)
    one = Relay(subscribers=lambda: ["tests.one"], through=bus)
    one._marked_at = time.monotonic()
    persons_added = added(tenant, 2)
    with _connect() as connection:
        one._take_shards(connection)
        assert one.send_batch(connection) == 2
        valkey.flushdb()

        one._looked_at = float("-inf")
        one._look_after_bus(connection)
        while one.send_batch(connection):
            pass

    assert persons(on_the_bus(bus, tenant)) == [str(person) for person in persons_added]


def _takes_one(relay, connection):
    relay._shards_at = float("-inf")
    relay._take_shards(connection)
    return relay._held


@pytest.fixture
def running(outbox, bus):
    """A relay that runs in a thread, as in its process."""
    over = threading.Event()
    one = Relay(subscribers=lambda: ["tests.one"], through=bus)
    thread = threading.Thread(target=lambda: one.run(until=over.is_set), daemon=True)
    thread.start()
    _wait(lambda: len(one._held) == SHARDS)
    yield one
    over.set()
    thread.join(10)
    assert not thread.is_alive()


def test_a_commit_wakes_the_relay(tenant, bus, running, monkeypatch):
    monkeypatch.setattr(relaying, "POLL_S", 60.0)
    time.sleep(1.2)  # the poll that was under way is over
    begin = time.monotonic()
    try:
        added(tenant, 1)
        _wait(lambda: running.sent >= 1, timeout_s=30)
        waited_s = time.monotonic() - begin
    finally:
        monkeypatch.undo()
        added(tenant, 1)  # wakes it once more, so that it ends

    assert waited_s < 30
    assert on_the_bus(bus, tenant)


def test_a_relay_whose_connections_are_cut_goes_on(tenant, bus, running):
    added(tenant, 3)
    _wait(lambda: running.sent >= 3)
    with _connect() as admin:
        admin.execute("RESET ROLE")
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'px_ops' AND pid <> pg_backend_pid()"
        )
    connections.close_all()  # ours were cut, too
    added(tenant, 3)

    _wait(lambda: not OutboxMessage.objects.filter(tenant_id=tenant.pk, sent_at=None).exists(), timeout_s=30)

    assert len({message.position for message in on_the_bus(bus, tenant)}) == 6


def test_what_a_bus_lost_with_its_data_is_sent_again(tenant, bus, running, valkey):
    ids = added(tenant, 4)
    _wait(lambda: running.sent >= 4)

    valkey.flushdb()

    _wait(lambda: running.sent >= 8, timeout_s=30)
    _wait(lambda: not OutboxMessage.objects.filter(sent_at=None).exists())
    assert persons(on_the_bus(bus, tenant)) == [str(one) for one in ids]


def test_what_every_subscriber_had_passed_long_ago_is_not_sent_again(tenant, bus, running, valkey):
    added(tenant, 4)
    _wait(lambda: not OutboxMessage.objects.filter(tenant_id=tenant.pk, sent_at=None).exists())
    with _connect() as raw:
        raw.execute(
            "UPDATE public.events_outbox SET sent_at = sent_at - interval '1 hour' WHERE tenant_id = %s", [tenant.pk]
        )
        raw.execute("INSERT INTO public.events_passed SELECT 'tests.one', n, now() FROM generate_series(0, 7) n")
    assert Passed.objects.count() == SHARDS

    valkey.flushdb()
    (young,) = added(tenant, 1)
    _wait(lambda: not bus.lost(range(SHARDS)), timeout_s=30)
    _wait(lambda: not OutboxMessage.objects.filter(tenant_id=tenant.pk, sent_at=None).exists())

    assert set(persons(on_the_bus(bus, tenant))) == {str(young)}


def _wait(condition, timeout_s=15.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
