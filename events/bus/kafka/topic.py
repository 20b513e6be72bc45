"""The topic that carries the events, and the connections that lead to it."""

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec, TopicDescription
from django.core.exceptions import ImproperlyConfigured

from core.errors import Unavailable
from events.messages import SHARDS

TIMEOUT_S = 5.0
SESSION_S = 6.0  # the least that brokers take
LONGEST_PART_S = 600.0  # then another process takes over, and handles nothing twice
KEPT_S = 7 * 24 * 3600
OPTIONS = ("security.protocol", "sasl.mechanism", "ssl.ca.location")  # of librdkafka, in the address's query
TOPIC_ID = "topic-id"  # the header of messages that says which topic they were meant for
UNKNOWN = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError.UNKNOWN_TOPIC_ID)
ALWAYS = {"log_level": 2, "reconnect.backoff.max.ms": 1000, "topic.metadata.refresh.interval.ms": 10_000}
CONSUMING = {
    "enable.auto.commit": False,
    "auto.offset.reset": "earliest",
    "partition.assignment.strategy": "cooperative-sticky",
    "session.timeout.ms": int(SESSION_S * 1000),
    "heartbeat.interval.ms": int(SESSION_S * 1000 / 4),
    "max.poll.interval.ms": int(LONGEST_PART_S * 1000),
    "fetch.error.backoff.ms": 50,
    "fetch.wait.max.ms": 100,  # who reads again from an earlier place waits for the fetch at hand
}


@contextmanager
def answering() -> Iterator[None]:
    """Turn librdkafka's errors into Unavailable."""
    try:
        yield
    except (KafkaException, BufferError) as error:
        raise Unavailable(part="bus") from error


def read_address(url: str) -> tuple[dict[str, Any], str]:
    """Return librdkafka's settings and the topic of kafka://[user:password@]host:port[,host:port]/topic[?option=value]."""
    parts = urlsplit(url)
    login, _, servers = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    topic, options = parts.path.strip("/"), dict(parse_qsl(parts.query))
    if unknown := sorted(set(options) - set(OPTIONS)):
        raise ImproperlyConfigured(f"the bus's address takes {', '.join(OPTIONS)}, and not {', '.join(unknown)}")
    if not servers or not topic or "/" in topic:
        raise ImproperlyConfigured("the bus's address is kafka://host:port[,host:port]/topic")
    secrets = {"sasl.username": unquote(user), "sasl.password": unquote(password)} if user else {}
    return {"bootstrap.servers": servers, **secrets, **options}, topic


class Topic:
    """One topic with a partition for each shard. Methods raise KafkaException unless they say otherwise."""

    def __init__(self, url: str) -> None:
        self._servers, self.name = read_address(url)

    def describe(self) -> TopicDescription | None:
        """Return the topic, if there is one. Raises ImproperlyConfigured if it is not as ours has to be."""
        asked = self.admin.describe_topics(TopicCollection([self.name]), request_timeout=TIMEOUT_S)
        try:
            topic: TopicDescription = asked[self.name].result()
        except KafkaException as error:
            if error.args[0].code() in UNKNOWN:
                return None
            raise
        if len(topic.partitions) != SHARDS:
            count = len(topic.partitions)
            raise ImproperlyConfigured(f"the topic {self.name} has {count} partitions, and must have {SHARDS}")
        return topic

    def make(self) -> TopicDescription:
        """Make the topic unless it is there, and return it when it can be used."""
        if topic := self.describe():
            return topic
        config = {"cleanup.policy": "delete", "retention.ms": str(KEPT_S * 1000)}
        wanted = NewTopic(self.name, num_partitions=SHARDS, replication_factor=-1, config=config)
        try:
            self.admin.create_topics([wanted], operation_timeout=TIMEOUT_S)[self.name].result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
        until = time.monotonic() + TIMEOUT_S
        while (topic := self.describe()) is None or any(part.leader is None for part in topic.partitions):
            if time.monotonic() > until:
                raise KafkaException(KafkaError(KafkaError.LEADER_NOT_AVAILABLE))
            time.sleep(0.02)
        return topic

    def partitions(self, shards: Collection[int] = range(SHARDS)) -> list[TopicPartition]:
        """Name the partitions of shards, in order."""
        return [TopicPartition(self.name, shard) for shard in sorted(shards)]

    def offsets(self, spec: OffsetSpec) -> dict[int, int]:
        """Return each shard's offset at its beginning or at its end."""
        asked = self.admin.list_offsets(dict.fromkeys(self.partitions(), spec), request_timeout=TIMEOUT_S)
        return {partition.partition: future.result().offset for partition, future in asked.items()}

    @cached_property
    def admin(self) -> AdminClient:
        """A connection for questions, which wait for no fetch."""
        return AdminClient({**self._servers, **ALWAYS})

    def group(self, name: str) -> str:
        """Return what the brokers call a group of ours."""
        return f"{self.name}: {name}"

    def consumer(self, group: str, *, member: str = "") -> Consumer:
        """Return a consumer that has not subscribed to anything yet."""
        named = {"group.instance.id": member} if member else {}
        return Consumer({**self._servers, **ALWAYS, **CONSUMING, **named, "group.id": self.group(group)})

    def producer(self) -> Producer:
        """Return a producer that keeps the order and sends nothing twice by itself."""
        timeout = {"message.timeout.ms": int(TIMEOUT_S * 1000)}
        return Producer({**self._servers, **ALWAYS, **timeout, "enable.idempotence": True, "linger.ms": 0})
