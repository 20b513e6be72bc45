"""The bus on Kafka: its topic, positions that retention has overtaken, members that come back."""

from contextlib import suppress
from uuid import UUID

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from django.core.exceptions import ImproperlyConfigured

from core.errors import Unavailable
from events.bus.kafka import Kafka, reader
from events.bus.kafka.topic import KEPT_S, read_address
from events.messages import SHARDS, shard_of
from tests.events.conftest import messages
from tests.events.test_bus import positions, read_all, read_some, wait_for

A = UUID(int=8)


@pytest.fixture
def bus(new_kafka):
    new_kafka.begin(range(SHARDS))
    return new_kafka


def test_the_topic_is_made_with_a_partition_for_each_shard_and_keeps_a_week(bus):
    topic = bus._topic.describe()
    config = _config(bus)

    assert len(topic.partitions) == SHARDS
    assert (config["cleanup.policy"], int(config["retention.ms"])) == ("delete", KEPT_S * 1000)


def test_a_topic_of_another_shape_is_refused_at_the_start(new_kafka, kafka_url):
    servers, name = read_address(kafka_url)
    admin = AdminClient(servers)
    admin.create_topics([NewTopic(name, 3, 1)])[name].result()

    for start in (lambda: new_kafka.begin([0]), lambda: new_kafka.reader("g").__enter__()):
        with pytest.raises(ImproperlyConfigured, match="3 partitions"):
            start()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("kafka://a:1,b:2/events", ({"bootstrap.servers": "a:1,b:2"}, "events")),
        (
            "kafka://me:p%40ss@a:1/e?security.protocol=SASL_SSL&sasl.mechanism=SCRAM-SHA-512",
            (
                {
                    "bootstrap.servers": "a:1",
                    "sasl.username": "me",
                    "sasl.password": "p@ss",
                    "security.protocol": "SASL_SSL",
                    "sasl.mechanism": "SCRAM-SHA-512",
                },
                "e",
            ),
        ),
    ],
)
def test_the_address_says_where_and_how(url, expected):
    assert read_address(url) == expected


@pytest.mark.parametrize("url", ["kafka://a:1", "kafka:///topic", "kafka://a:1/x/y", "kafka://a:1/x?group.id=mine"])
def test_a_wrong_address_is_refused(url):
    with pytest.raises(ImproperlyConfigured):
        read_address(url)


def test_a_group_that_retention_has_overtaken_lets_the_shard_be_sent_again(bus):
    bus.publish(messages(A, [1]))
    with bus.reader("g") as one:
        read_all(one)
    bus.publish(messages(A, [2, 3]))
    _throw_away(bus, shard_of(A), before=3)

    with bus.reader("g") as one:
        read_all(one)

    assert bus.lost(range(SHARDS)) == {shard_of(A)}


def test_who_comes_under_the_name_of_one_that_died_goes_on_at_once(bus):
    bus.publish(messages(A, [1]))
    with bus.reader("g", member="one") as dead:
        assert positions([message for part in read_some(dead) for message in part.messages], A) == [1]
        with bus.reader("g", member="one") as successor:  # the brokers send the other away
            assert len(successor.shards()) == SHARDS
            assert positions(read_all(successor), A) == [1]


@pytest.mark.parametrize(("read", "left"), [(read_all, [2]), (read_some, [1, 2])], ids=["passed", "in hand"])
def test_a_reader_that_the_brokers_took_for_another_comes_back(bus, read, left):
    """They may after a restart of their own: its consumer is over for good then, and nobody else has its shards."""
    bus.publish(messages(A, [1]))
    with bus.reader("g", member="one") as sent_away:
        read(sent_away)
        with bus.reader("g", member="one"), pytest.raises(Unavailable):
            while True:  # how soon it is told depends on the brokers
                sent_away.read(timeout_s=0.05)
        bus.publish(messages(A, [2]))

        assert positions(_read_patiently(sent_away, len(left)), A) == left


def test_a_shard_without_messages_is_told_empty_when_the_broker_says_so(bus, monkeypatch):
    monkeypatch.setattr(reader, "IDLE_EVERY_S", 0.1)
    bus.publish(messages(A, [1]))
    with bus.reader("g") as one:
        empty = set()
        wait_for(lambda: empty.update(part.shard for part in one.read(timeout_s=0.05) if not part.messages) or empty)

    assert empty == set(range(SHARDS)) - {shard_of(A)}


def _read_patiently(one, count):
    """Read so many messages from a reader that may have to join again."""
    found = []

    def read():
        with suppress(Unavailable):
            for part in one.read(timeout_s=0.05):
                found.extend(part.messages)
                one.passed(part)
        return len(found) >= count

    wait_for(read)
    return found


def _config(bus):
    from confluent_kafka.admin import ConfigResource

    resource = ConfigResource("topic", bus._topic.name)
    entries = bus._topic.admin.describe_configs([resource])[resource].result()
    return {name: entry.value for name, entry in entries.items()}


def _throw_away(bus: Kafka, shard: int, *, before: int) -> None:
    asked = TopicPartition(bus._topic.name, shard, before)
    for future in bus._topic.admin.delete_records([asked]).values():
        future.result()
