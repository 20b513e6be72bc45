"""The bus on Valkey: leases, streams that are cut behind what was read, and servers that lose data."""

import threading
from uuid import UUID

import pytest
from django.conf import settings
from redis.exceptions import ConnectionError as RedisGone

from core.errors import Unavailable
from events.bus.port import BusLost
from events.bus.redis_streams import RedisStreams, StreamReader, leases
from events.bus.redis_streams.streams import mark_of, stream_of
from events.messages import SHARDS, shard_of
from tests.events.conftest import messages
from tests.events.test_bus import positions, read_all, wait_for
from tests.support.own_valkey import OwnValkey

A, B = UUID(int=8), UUID(int=9)  # of different shards


@pytest.fixture
def own_valkey(tmp_path):
    """A server that may be ended."""
    own = OwnValkey(tmp_path)
    own.start()
    yield own
    own.kill()


def test_the_shards_of_a_reader_that_died_are_taken_over(bus, monkeypatch):
    monkeypatch.setattr(leases, "HEARTBEAT_S", 0.05)
    monkeypatch.setattr(leases, "LEASE_S", 0.5)
    bus.publish(messages(A, [1]))
    dead = StreamReader(bus._redis, "g")
    dead.leases.take_share()
    assert [message.position for part in dead.read(timeout_s=0.05) for message in part.messages] == [1]

    with bus.reader("g") as successor:
        wait_for(lambda: len(successor.shards()) == SHARDS)
        found = read_all(successor)

    assert positions(found, A) == [1]


def test_who_comes_under_the_name_of_one_that_died_goes_on_at_once(bus):
    bus.publish(messages(A, [1]))
    dead = StreamReader(bus._redis, "g", "one")
    dead.leases.take_share()
    assert [message.position for part in dead.read(timeout_s=0.05) for message in part.messages] == [1]

    with bus.reader("g", member="one") as successor:
        assert len(successor.shards()) == SHARDS
        assert positions(read_all(successor), A) == [1]


def holds_all(bus, member="", *, group="g"):
    """Return a reader that believes to hold every shard, and looks at its leases only when told to."""
    reader = StreamReader(bus._redis, group, member)
    reader.leases.take_share()
    assert len(reader.shards()) == SHARDS
    return reader


def let_go(valkey):
    """Let all leases end, as after a long sleep."""
    for kind in ("lease", "readers"):
        for key in valkey.scan_iter(f"events:{kind}:*"):
            valkey.delete(key)


def read_once(reader):
    return [message for part in reader.read(timeout_s=0.02) for message in part.messages]


def test_who_slept_through_its_lease_reads_nothing_that_its_successor_does_not_read_too(bus, valkey):
    sleeper = holds_all(bus)
    bus.publish(messages(A, [1, 2]))
    (in_hand,) = [part for part in sleeper.read(timeout_s=0.02) if part.messages]
    let_go(valkey)
    successor = holds_all(bus)
    assert positions(read_once(successor), A) == [1, 2]
    bus.publish(messages(A, [3]))

    sleeper.passed(in_hand)
    assert (read_once(sleeper), read_once(sleeper)) == ([], [])

    assert positions(read_all(successor), A) == [1, 2, 3]


def test_who_waits_for_messages_of_a_shard_that_another_takes_over_is_sent_none(bus, valkey):
    waiting = holds_all(bus)
    assert read_all(waiting) == []
    found = []
    thread = threading.Thread(target=lambda: found.append(waiting.read(timeout_s=20)))
    thread.start()
    wait_for(lambda: any(client["cmd"] == "xreadgroup" and "b" in client["flags"] for client in valkey.client_list()))
    let_go(valkey)
    successor = holds_all(bus)

    assert read_once(successor) == []
    bus.publish(messages(A, [1]))
    thread.join(10)

    assert found == [[]]
    assert positions(read_all(successor), A) == [1]


def test_readers_of_a_bus_that_lost_its_data_do_not_share_what_is_sent_again(bus, valkey):
    """The first that looks takes all shards; the others believe for a while that they still hold theirs."""
    one, other = StreamReader(bus._redis, "g"), StreamReader(bus._redis, "g")
    for reader in (one, other, one, other):
        reader.leases.take_share()
    assert shard_of(A) in other.shards() ^ one.shards()
    first, second = (one, other) if shard_of(A) in other.shards() else (other, one)
    assert read_all(one) + read_all(other) == []

    valkey.flushdb()
    bus.begin(range(SHARDS))
    first.leases.take_share()
    bus.publish(messages(A, [1, 2]))
    assert positions(read_all(first), A) == [1, 2]
    bus.publish(messages(A, [3]))

    assert (read_once(second), read_once(second)) == ([], [])
    assert positions(read_all(first), A) == [3]


def test_of_a_stream_that_is_not_begun_nobody_says_that_nothing_waits(new_redis_streams, valkey):
    """Else the relay would not send again what was lost and never read."""
    with new_redis_streams.reader("g") as reader:
        assert reader.read(timeout_s=0.02) == []
        new_redis_streams.begin([0])
        assert [part.shard for part in reader.read(timeout_s=0.02)] == [0]
        valkey.set(mark_of(0), "another run")
        reader._begin_again()  # as when the connection has ended

        assert reader.read(timeout_s=0.02) == []


def test_a_reader_sees_that_the_server_is_another_run(own_valkey):
    bus = RedisStreams(own_valkey.url)
    bus.begin(range(SHARDS))
    reader = holds_all(bus)
    assert {part.shard for part in reader.read(timeout_s=0.02)} == set(range(SHARDS))
    own_valkey.start_again()
    reader.leases.take_share()  # over a connection that was made anew, like the next reading

    assert reader.read(timeout_s=0.02) == []
    bus.begin(range(SHARDS))
    assert {part.shard for part in reader.read(timeout_s=0.02)} == set(range(SHARDS))


def test_a_group_that_has_no_reader_yet_is_taken_over_as_it_stands(bus, valkey):
    bus.publish(messages(A, [1, 2, 3]))
    valkey.xgroup_create(stream_of(shard_of(A)), "g", id="0")
    ((_, entries),) = valkey.xreadgroup("g", "reader", {stream_of(shard_of(A)): ">"}, count=1)
    valkey.xack(stream_of(shard_of(A)), "g", entries[0][0])
    reader = holds_all(bus)

    assert positions(read_all(reader), A) == [2, 3]
    reader._leave()
    assert len(valkey.xinfo_groups(stream_of(shard_of(A)))) == 1


def test_a_server_without_memory_takes_no_group_away(own_valkey):
    bus = RedisStreams(own_valkey.url)
    bus.begin(range(SHARDS))
    bus.publish(messages(A, [1]))
    assert positions(read_once(holds_all(bus)), A) == [1]
    let_go(own_valkey.client)
    successor = holds_all(bus)
    own_valkey.client.config_set("maxmemory", 1)
    for _ in range(2):
        with pytest.raises(Unavailable):
            successor.read(timeout_s=0.02)
    assert bus.backlog("g").in_hand == 1

    own_valkey.client.config_set("maxmemory", 0)

    assert positions(read_all(successor), A) == [1]


def test_the_backlog_stays_right_from_reader_to_reader(bus, valkey):
    for number in range(3):
        bus.publish(messages(A, [10 * number + 1, 10 * number + 2]))
        let_go(valkey)
        reader = holds_all(bus)
        reader._join(reader.shards())
        assert bus.backlog("g").waiting == 2
        assert len(read_once(reader)) == 2
        assert bus.backlog("g").in_hand == 2
        let_go(valkey)
        successor = holds_all(bus)
        assert len(read_all(successor)) == 2
        backlog = bus.backlog("g")
        assert (backlog.waiting, backlog.in_hand) == (0, 0)
        successor._leave()


def test_what_is_in_hand_as_a_group_moves_is_not_trimmed(bus, valkey, monkeypatch):
    bus.publish(messages(A, [1]))
    holds_all(bus).read(timeout_s=0.02)
    let_go(valkey)
    successor = holds_all(bus)
    groups = bus._groups

    def then_it_moves(shard):
        found = groups(shard)
        successor._join(frozenset([shard]))
        return found

    monkeypatch.setattr(bus, "_groups", then_it_moves)
    assert bus.trim() == 0

    assert positions(read_all(successor), A) == [1]


def test_one_group_is_not_taken_for_another_whose_name_it_begins(bus, valkey):
    bus.publish(messages(A, [1]))
    for group in ("g", "g@1", "g.h"):
        assert positions(read_all(holds_all(bus, group=group)), A) == [1]

    bus.forget("g")
    let_go(valkey)

    with bus.reader("g.h") as reader, bus.reader("g") as anew:
        assert positions(read_all(anew), A) == [1]
        assert read_all(reader) == []


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
    reader = StreamReader(bus._redis, "g")
    reader.leases.take_share()
    reader.read(timeout_s=0.05)
    groups = bus._groups

    def then_it_vanishes(shard):
        found = groups(shard)
        if vanishes == "group":
            RedisStreams(settings.BUS_URL).forget("g")
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

        found = []
        wait_for(lambda: found.extend(read_all(reader)) or len(found) >= 2)  # its leases were lost, too
        assert {message.position for message in found} == {1, 2}
        assert bus.lost([shard_of(A), shard_of(B)]) == frozenset()
        assert len(bus.lost(range(SHARDS))) == SHARDS - 2


def test_a_server_that_was_started_again_may_have_lost_messages(own_valkey):
    """What its log had not yet on disk is gone; the script is gone with the process, and the mark is of its former run."""
    bus = RedisStreams(own_valkey.url)
    bus.begin(range(SHARDS))
    bus.publish(messages(A, [1]))
    own_valkey.start_again()

    with pytest.raises((BusLost, Unavailable)):  # the first question finds out that the connection is gone
        bus.publish(messages(A, [2]))
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
