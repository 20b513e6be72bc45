"""See `Kafka`."""

import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import OffsetSpec

from events.bus.kafka.reader import TopicReader
from events.bus.kafka.topic import TIMEOUT_S, TOPIC_ID, Topic, answering
from events.bus.port import Backlog, BusLost
from events.messages import Message

MARKED_EVERY_S = 3600.0  # brokers forget what nobody commits again for a week


class Kafka:
    """See `events.bus.port.Bus`.

    A shard's mark lies with committed offsets and names the topic by its id: one that was made anew is another.
    """

    def __init__(self, url: str) -> None:
        self._topic = Topic(url)
        self._producer: Producer | None = None
        self._topic_id = ""
        self._begun: set[int] = set()  # shards of which that was seen
        self._marked_at = float("-inf")
        self._looking = threading.Lock()

    def publish(self, messages: Sequence[Message]) -> None:
        unseen = {message.shard for message in messages} - self._begun
        if unseen and (lost := self.lost(unseen)):
            raise BusLost(lost)
        self._begun |= unseen
        try:
            with answering():
                self._produce(messages)
        except BaseException:
            self._drop_producer()
            raise

    def _produce(self, messages: Sequence[Message]) -> None:
        failed: list[KafkaError] = []
        producer = self._producer = self._producer or self._topic.producer()
        for message in messages:
            producer.produce(
                self._topic.name,
                message.as_text().encode(),
                key=str(message.tenant_id or "").encode(),
                partition=message.shard,
                headers={TOPIC_ID: self._topic_id},
                on_delivery=lambda error, _: failed.append(error) if error else None,
            )
        left = producer.flush(TIMEOUT_S + 1)
        if failed or left:
            raise KafkaException(failed[0] if failed else KafkaError(KafkaError._TIMED_OUT))

    def _drop_producer(self) -> None:
        """Nothing of what failed may arrive after what is sent next."""
        if self._producer:
            self._producer.purge()
        self._producer = None
        self._begun.clear()

    @contextmanager
    def reader(self, group: str, *, member: str = "") -> Iterator[TopicReader]:
        with answering():
            self._topic.make()
        reader = TopicReader(self._topic, group, member, forgotten=lambda shard: self._mark([shard], ""))
        with reader.membership():
            yield reader

    def backlog(self, group: str) -> Backlog:
        with answering():
            begins, ends = self._topic.offsets(OffsetSpec.earliest()), self._topic.offsets(OffsetSpec.latest())
            asked = ConsumerGroupTopicPartitions(self._topic.group(group), self._topic.partitions())
            (future,) = self._topic.admin.list_consumer_group_offsets([asked], request_timeout=TIMEOUT_S).values()
            taken = {found.partition: found.offset for found in future.result().topic_partitions}
            firsts = {shard: max(taken.get(shard, 0), begins[shard]) for shard in begins}
            waiting = {shard: first for shard, first in firsts.items() if first < ends[shard]}
            return Backlog(sum(ends[shard] - first for shard, first in waiting.items()), 0, self._oldest_at(waiting))

    def _oldest_at(self, firsts: dict[int, int]) -> datetime | None:
        """Return when the oldest of these messages was put on the bus."""
        found: dict[int, int] = {}
        with self._looking:
            self._looker.assign([TopicPartition(self._topic.name, shard, offset) for shard, offset in firsts.items()])
            until = time.monotonic() + TIMEOUT_S
            while len(found) < len(firsts) and time.monotonic() < until:
                record = self._looker.poll(0.1)
                if record is not None and not record.error():
                    found.setdefault(record.partition(), record.timestamp()[1])
            self._looker.unassign()
        return datetime.fromtimestamp(min(found.values()) / 1000, UTC) if found else None

    def forget(self, group: str) -> None:
        name = self._topic.group(group)
        with answering():
            try:
                self._topic.admin.delete_consumer_groups([name], request_timeout=TIMEOUT_S)[name].result()
            except KafkaException as error:
                if error.args[0].code() != KafkaError.GROUP_ID_NOT_FOUND:
                    raise

    def trim(self) -> int:
        return 0

    def lost(self, shards: Collection[int]) -> frozenset[int]:
        with answering():
            topic = self._topic.describe()
            if topic is None or not shards:
                return frozenset(shards)
            if self._topic_id != str(topic.topic_id):
                self._topic_id = str(topic.topic_id)
                self._drop_producer()
                self.__dict__.pop("_looker", None)  # what knows another topic takes this one's leaders for outdated
            marks = self._looker.committed(self._topic.partitions(shards), TIMEOUT_S)
        lost = frozenset(mark.partition for mark in marks if mark.metadata != self._topic_id)
        if time.monotonic() - self._marked_at > MARKED_EVERY_S:
            self._mark(set(shards) - lost, self._topic_id)
        return lost

    def begin(self, shards: Collection[int]) -> None:
        with answering():
            topic = self._topic.make()
        self._mark(shards, str(topic.topic_id))

    def _mark(self, shards: Collection[int], mark: str) -> None:
        if shards:
            marks = [TopicPartition(self._topic.name, shard, 0, metadata=mark) for shard in sorted(shards)]
            with answering():
                self._looker.commit(offsets=marks, asynchronous=False)
        self._marked_at = time.monotonic()

    @cached_property
    def _looker(self) -> Consumer:
        """Joins no group; under the name of its own lie the marks."""
        return self._topic.consumer("marks")
