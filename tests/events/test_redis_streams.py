"""The bus on Valkey: leases, streams that are cut behind what was read, and servers that lose data."""

from uuid import UUID

import pytest
from django.conf import settings
from redis.exceptions import ConnectionError as RedisGone

from core.errors import Unavailable
from events.bus import redis_streams
from events.bus.port import BusLost
from events.bus.redis_streams import RedisStreams, mark_of, stream_of
from events.messages import SHARDS, shard_of
from tests.events.conftest import messages
from tests.events.test_bus import positions, read_all, wait_for

A, B = UUID(int=8), UUID(int=9)  # of different shards


def test_the_shards_of_a_reader_that_died_are_taken_over(bus, monkeypatch):
    monkeypatch.setattr(redis_streams, "HEARTBEAT_S", 0.05)
    monkeypatch.setattr(redis_streams, "LEASE_S", 0.5)
    bus.publish(messages(A, [1]))
    dead = redis_streams.StreamReader(bus._redis, "g")
    dead._take_share()
    assert [message.position for part in dead.read(timeout_s=0.05) for message in part.messages] == [1]

    with bus.reader("g") as successor:
        wait_for(lambda: len(successor.shards()) == SHARDS)
        found = read_all(successor)

    assert positions(found, A) == [1]


def test_who_comes_under_the_name_of_one_that_died_goes_on_at_once(bus):
    bus.publish(messages(A, [1]))
    dead = redis_streams.StreamReader(bus._redis, "g", "one")
    dead._take_share()
    assert [message.position for part in dead.read(timeout_s=0.05) for message in part.messages] == [1]

    with bus.reader("g", member="one") as successor:
        assert len(successor.shards()) == SHARDS
        assert positions(read_all(successor), A) == [1]


def test_trimming_takes_what_every_group_has_passed_and_nothing_else(bus):
    with bus.reader("quick") as quick, bus.reader("slow") as slow:
        for reader in (quick, slow):
            read_all(reader)
        bus.publish(messages(A, [1, 2, 3]))
        read_all(quick)
        assert bus.trim() == 0  # the slow one has not read it
        (in_hand,) = [part for part in slow.read(timeout_s=0.05) if part.messages]
        bus.publish(messages(A, [4]))
        read_all(quick)
        assert bus.trim() == 0  # nor passed it
        slow.passed(in_hand)
        assert positions(read_all(slow), A) == [4]

        assert bus.trim() == 4


@pytest.mark.parametrize("ask", [RedisStreams.trim, lambda bus: bus.backlog("g")], ids=["trim", "backlog"])
@pytest.mark.parametrize("vanishes", ["group", "stream"])
def test_what_vanishes_between_two_questions_holds_nothing_up(bus, valkey, monkeypatch, vanishes, ask):
    bus.publish(messages(A, [1]))
    reader = redis_streams.StreamReader(bus._redis, "g")
    reader._take_share()
    reader.read(timeout_s=0.05)
    groups = bus._groups

    def then_it_vanishes(shard):
        found = groups(shard)
        if vanishes == "group":
            bus.forget("g")
        else:
            valkey.delete(stream_of(shard))
        return found

    monkeypatch.setattr(bus, "_groups", then_it_vanishes)

    ask(bus)


def test_what_the_server_sent_as_the_connection_broke_comes_first(bus, monkeypatch):
    with bus.reader("g") as reader:
        read_all(reader)
        bus.publish(messages(A, [1]))
        with monkeypatch.context() as broken:
            ask = reader._ask

            def ask_and_hear_nothing(*args):
                ask(*args)
                raise RedisGone

            broken.setattr(reader, "_ask", ask_and_hear_nothing)
            with pytest.raises(Unavailable):
                reader.read(timeout_s=0.05)
        bus.publish(messages(A, [2]))

        assert positions(read_all(reader), A) == [1, 2]


def test_what_was_passed_as_the_connection_broke_is_told_again(bus, monkeypatch):
    with bus.reader("g") as reader:
        bus.publish(messages(A, [1]))
        (part,) = [part for part in reader.read(timeout_s=0.05) if part.messages]
        reader.passed(part)
        with monkeypatch.context() as broken:
            broken.setattr(bus._redis, "pipeline", lambda **options: raises(RedisGone()))
            with pytest.raises(Unavailable):
                reader.read(timeout_s=0.05)
        assert bus.backlog("g").in_hand == 1

        assert read_all(reader) == []

        assert bus.backlog("g").in_hand == 0


def raises(error):
    raise error


def test_a_stream_that_nobody_reads_yet_keeps_what_is_young(bus):
    bus.publish(messages(A, [1]))

    assert bus.trim() == 0


def test_a_stream_whose_data_is_lost_takes_nothing_before_it_is_begun_again(bus, valkey):
    with bus.reader("g") as reader:
        read_all(reader)
        assert bus.lost(range(SHARDS)) == frozenset()

        valkey.flushdb()

        assert bus.lost(range(SHARDS)) == set(range(SHARDS))
        with pytest.raises(BusLost) as refusal:
            bus.publish(messages(A, [1]) + messages(B, [2]))
        assert read_all(reader) == []
        bus.begin(refusal.value.shards | {shard_of(B)})
        bus.publish(messages(A, [1]) + messages(B, [2]))

        assert {message.position for message in read_all(reader)} == {1, 2}
        assert bus.lost([shard_of(A), shard_of(B)]) == frozenset()
        assert len(bus.lost(range(SHARDS))) == SHARDS - 2


def test_a_server_that_was_started_again_may_have_lost_messages(bus, valkey):
    """What its log had not yet on disk is gone; the script is gone with the process, and the mark is of its former run."""
    bus.publish(messages(A, [1]))
    valkey.script_flush()
    valkey.mset({mark_of(shard): "another run" for shard in range(SHARDS)})

    with pytest.raises(BusLost):
        bus.publish(messages(A, [2]))
    assert bus.lost([shard_of(A)]) == {shard_of(A)}
    bus.begin([shard_of(A)])
    bus.publish(messages(A, [2]))

    with bus.reader("g") as reader:
        assert positions(read_all(reader), A) == [1, 2]


def test_a_new_relay_goes_on_with_what_another_has_begun(bus):
    RedisStreams(settings.BUS_URL).publish(messages(A, [1]))

    with bus.reader("g") as reader:
        assert positions(read_all(reader), A) == [1]


def test_a_stream_for_each_shard():
    assert len({stream_of(shard) for shard in range(SHARDS)}) == SHARDS
