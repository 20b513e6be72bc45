"""What every bus must do: the contract of `events.bus.port`, with both adapters."""

import threading
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from core.errors import Unavailable
from events.bus.kafka import Kafka, TopicReader, topic
from events.bus.port import Backlog, BusLost
from events.bus.redis_streams import RedisStreams, leases
from events.messages import SHARDS, Message, shard_of
from tests.events.conftest import messages

A, B = UUID(int=8), UUID(int=9)  # of different shards


@pytest.fixture(params=["redis_streams", "kafka"])
def new_bus(request):
    """One adapter after the other; the bus was never used."""
    return request.getfixturevalue(f"new_{request.param}")


@pytest.fixture
def bus(new_bus):
    """The same, begun."""
    new_bus.begin(range(SHARDS))
    return new_bus


def read_all(reader):
    """Read until nothing comes any more."""
    found = []
    for _ in range(20):
        parts = read_some(reader)
        if not parts:
            break
        for part in parts:
            found += part.messages
            reader.passed(part)
    return found


def read_some(reader):
    """Read what is there; a broker takes a moment to bring it."""
    until = time.monotonic() + (1.0 if isinstance(reader, TopicReader) else 0.02)
    while True:
        parts = [part for part in reader.read(timeout_s=0.05) if part.messages]
        if parts or time.monotonic() > until:
            return parts


def positions(found, tenant_id):
    return [message.position for message in found if message.tenant_id == tenant_id]


def test_a_message_arrives_as_it_was_sent(bus):
    sent = messages(A, [1]) + messages(B, [2])
    bus.publish(sent)

    with bus.reader("g") as reader:
        found = read_all(reader)

    assert sorted(found, key=lambda message: message.position) == sent
    assert Message.from_text(sent[0].as_text()) == sent[0]


def test_a_tenants_messages_arrive_in_the_order_in_which_they_were_sent(bus):
    bus.publish(messages(A, [3, 1, 2]))
    bus.publish(messages(B, [9]) + messages(A, [7, 5]))

    with bus.reader("g") as reader:
        found = read_all(reader)

    assert positions(found, A) == [3, 1, 2, 7, 5]
    assert positions(found, B) == [9]


def test_each_group_gets_every_message(bus):
    bus.publish(messages(A, [1, 2]))

    for group in ("one", "other"):
        with bus.reader(group) as reader:
            assert positions(read_all(reader), A) == [1, 2]


def test_what_was_read_and_not_passed_comes_again_first_to_whoever_reads_next(bus):
    bus.publish(messages(A, [1, 2]))
    with bus.reader("g") as reader:
        assert positions([message for part in read_some(reader) for message in part.messages], A) == [1, 2]
    bus.publish(messages(A, [3]))

    with bus.reader("g") as successor:
        found = read_all(successor)

    assert positions(found, A) == [1, 2, 3]


def test_what_was_not_passed_comes_again_to_the_same_reader(bus):
    bus.publish(messages(A, [1]))
    with bus.reader("g") as reader:
        first = [message for part in read_some(reader) for message in part.messages]
        bus.publish(messages(A, [2]))
        again = read_all(reader)

    assert (positions(first, A), positions(again, A)) == ([1], [1, 2])


def test_what_was_passed_comes_never_again(bus):
    bus.publish(messages(A, [1]))
    with bus.reader("g") as reader:
        read_all(reader)
    with bus.reader("g") as reader:
        assert read_all(reader) == []


def test_a_reader_waits_for_the_first_message_no_longer_than_it_must(bus):
    with bus.reader("g") as reader:
        reader.read(timeout_s=0.01)
        threading.Timer(0.2, lambda: bus.publish(messages(A, [1]))).start()
        begin = time.monotonic()
        found = reader.read(timeout_s=20)

    assert positions([message for part in found for message in part.messages], A) == [1]
    assert time.monotonic() - begin < 10


def test_readers_of_a_group_share_the_shards_and_none_is_read_by_two(bus, monkeypatch):
    monkeypatch.setattr(leases, "HEARTBEAT_S", 0.05)

    def shares(*readers):
        for reader in readers:
            reader.read(timeout_s=0.01)
        return [len(reader.shards()) for reader in readers]

    with bus.reader("g") as one:
        assert len(one.shards()) == SHARDS
        with bus.reader("g") as other:
            wait_for(lambda: shares(one, other) == [SHARDS // 2, SHARDS // 2])
            assert not one.shards() & other.shards()
        wait_for(lambda: shares(one) == [SHARDS])


def test_the_backlog_is_what_nobody_has_passed(bus):
    before = datetime.now(UTC)
    with bus.reader("g") as reader:
        read_all(reader)
        bus.publish(messages(A, [1, 2]) + messages(B, [3]))
        waiting = bus.backlog("g")
        parts = read_some(reader)
        while sum(len(part.messages) for part in parts) < 3:
            parts += read_some(reader)
        in_hand = bus.backlog("g")
        for part in parts:
            reader.passed(part)

    assert (waiting.waiting, waiting.in_hand) == (3, 0)
    assert in_hand.waiting + in_hand.in_hand == 3
    assert before - timedelta(seconds=1) < waiting.oldest_at < before + timedelta(seconds=30)
    assert in_hand.oldest_at == waiting.oldest_at
    assert bus.backlog("g") == Backlog(0, 0)


def test_a_bus_that_was_never_begun_takes_nothing(new_bus):
    assert new_bus.lost(range(SHARDS)) == frozenset(range(SHARDS))
    with pytest.raises(BusLost) as refusal:
        new_bus.publish(messages(A, [1]))
    assert shard_of(A) in refusal.value.shards

    new_bus.begin(range(SHARDS))

    new_bus.publish(messages(A, [1]))
    with new_bus.reader("g") as reader:
        assert positions(read_all(reader), A) == [1]


def test_a_bus_that_lost_its_data_says_so_and_works_on(bus, lose_data):
    with bus.reader("g") as reader:
        bus.publish(messages(A, [1]))
        read_all(reader)
        assert bus.lost(range(SHARDS)) == frozenset()

        lose_data(bus)

        assert bus.lost(range(SHARDS)) == frozenset(range(SHARDS))
        bus.begin(range(SHARDS))
        found = []
        wait_for(lambda: published(bus, messages(A, [2])))
        wait_for(lambda: 2 in found or found.extend(positions(read_all(reader), A)), 30)
        assert bus.lost(range(SHARDS)) == frozenset()


def published(bus, sent):
    try:
        bus.publish(sent)
    except (Unavailable, BusLost):
        return False
    return True


@pytest.mark.parametrize("nowhere", [RedisStreams("redis://127.0.0.1:1/0"), Kafka("kafka://127.0.0.1:1/x")], ids=type)
def test_a_bus_that_does_not_answer_is_unavailable(nowhere, monkeypatch):
    monkeypatch.setattr(topic, "TIMEOUT_S", 0.5)

    for call in (
        lambda: nowhere.publish(messages(A, [1])),
        lambda: nowhere.lost([0]),
        lambda: nowhere.begin([0]),
        lambda: nowhere.backlog("g"),
    ):
        with pytest.raises(Unavailable):
            call()


def test_a_group_that_is_forgotten_begins_anew(bus):
    bus.publish(messages(A, [1]))
    with bus.reader("g") as reader:
        read_all(reader)

    bus.forget("g")
    bus.forget("never there")

    with bus.reader("g") as reader:
        assert positions(read_all(reader), A) == [1]


@pytest.mark.parametrize("tenant_id", [UUID(int=n) for n in range(SHARDS)] + [uuid4() for _ in range(20)])
def test_python_and_sql_agree_on_a_tenants_shard(db, tenant_id):
    from django.db import connection

    from events.messages import SQL_SHARD

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {SQL_SHARD} FROM (SELECT %s::uuid AS tenant_id) t", [tenant_id])
        assert cursor.fetchone() == (shard_of(tenant_id),)


def test_events_of_no_tenant_have_a_shard_too(db):
    from django.db import connection

    from events.messages import SQL_SHARD

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {SQL_SHARD} FROM (SELECT NULL::uuid AS tenant_id) t")
        assert cursor.fetchone() == (shard_of(None),) == (0,)


def wait_for(condition, timeout_s=20.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
