"""See `TopicReader`."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as Record
from confluent_kafka.admin import OffsetSpec

from core.errors import Unavailable
from events.bus.kafka.topic import TIMEOUT_S, TOPIC_ID, Topic, answering
from events.bus.port import Part
from events.messages import Message

READ_AT_ONCE = 200
IDLE_EVERY_S = 5.0
COMMIT_EVERY_S = 0.1  # brokers write each commit to a topic of their own
log = structlog.get_logger(__name__)


class TopicReader:
    """See `events.bus.port.Reader`. All of it happens in the thread that reads."""

    def __init__(self, topic: Topic, group: str, member: str, *, forgotten: Callable[[int], None]) -> None:
        self._topic, self._group, self._member = topic, group, member
        self._forgotten = forgotten  # told of a shard of which retention took what the group has not read
        self._mine: set[int] = set()
        self._in_hand: dict[int, tuple[int, int]] = {}  # the first offset of what was read, and the one behind its last
        self._passed: dict[int, int] = {}
        self._uncommitted: set[int] = set()
        self._committed_at = float("-inf")
        self._idle_at = float("-inf")
        self._topic_id = ""  # positions are good for this topic; one that was made anew by its name begins anew
        self._of_consumer = ""  # the first topic that this consumer has seen
        self._is_over = False  # said once: a broker that was restarted may take our consumer for another of its name

    @contextmanager
    def membership(self) -> Iterator[None]:
        """Join the group, and leave it in the end. Who joins waits a moment for what the others let go."""
        with answering():
            self._join()
        try:
            until = time.monotonic() + TIMEOUT_S
            while not self._mine and time.monotonic() < until:
                with answering():
                    self._poll(0.05)
            yield
        finally:
            self._consumer.close()

    def _join(self) -> None:
        self._of_consumer, self._is_over = "", False
        self._consumer = self._topic.consumer(self._group, member=self._member)
        self._consumer.subscribe([self._topic.name], on_assign=self._got, on_revoke=self._gave, on_lost=self._gave)

    def shards(self) -> frozenset[int]:
        return frozenset(self._mine)

    def read(self, *, timeout_s: float) -> list[Part]:
        with answering():
            if self._is_over:
                log.warning("bus_consumer_was_over", group=self._group)
                self._join_again()
            try:
                self._go_back()
                self._commit_passed()
            except KafkaException:  # they ask nobody, and fail for good once the consumer is over
                self._is_over = True
                raise
            asked_at = datetime.now(UTC)
            parts = self._parts(self._poll(min(timeout_s, COMMIT_EVERY_S) if self._uncommitted else timeout_s))
            return parts + self._idle({part.shard for part in parts}, asked_at)

    def passed(self, part: Part) -> None:
        _, behind = self._in_hand.pop(part.shard, (0, 0))
        if behind and part.messages:
            self._passed[part.shard] = behind
            self._uncommitted.add(part.shard)

    def _commit_passed(self) -> None:
        """Commit now and then. Who has a shard after us and reads some messages again handles nothing twice."""
        if self._uncommitted and time.monotonic() - self._committed_at >= COMMIT_EVERY_S:
            offsets = [self._position(shard, self._passed[shard]) for shard in sorted(self._uncommitted)]
            self._consumer.commit(offsets=offsets, asynchronous=True)
            self._uncommitted.clear()
            self._committed_at = time.monotonic()

    def _position(self, shard: int, offset: int) -> TopicPartition:
        return TopicPartition(self._topic.name, shard, offset, metadata=self._topic_id)

    def _go_back(self) -> None:
        """What was read and not passed is read again."""
        for shard, (first, _) in self._in_hand.items():
            if shard in self._mine:
                self._consumer.seek(TopicPartition(self._topic.name, shard, first))
        self._in_hand.clear()

    def _poll(self, timeout_s: float) -> list[Record]:
        first = self._consumer.poll(timeout_s)
        if first is None:
            return []
        records = [first, *self._consumer.consume(READ_AT_ONCE - 1, 0)]
        good = [record for record in records if not record.error()]
        self._is_over |= any(fault.code() == KafkaError._FATAL for record in records if (fault := record.error()))
        meant_for = {dict(record.headers() or []).get(TOPIC_ID, b"").decode() for record in good}
        if meant_for - {self._of_consumer} and self._begins_anew():
            return []
        for record in good:
            shard, offset = record.partition(), record.offset()
            self._in_hand[shard] = (self._in_hand.get(shard, (offset, 0))[0], offset + 1)
        if not good:
            raise KafkaException(first.error())
        return good

    def _begins_anew(self) -> bool:
        """See whether the topic was made anew; then read it from its beginning. Nothing that was read is lost by that."""
        topic = self._topic.describe()
        if topic is None or not self._of_consumer or str(topic.topic_id) == self._of_consumer:
            return False
        log.warning("bus_topic_is_another", topic=self._topic.name)
        self._passed.clear()
        self._join_again()  # this consumer would take the new one's leaders for outdated
        return True

    def _join_again(self) -> None:
        """Take another consumer. What was read and not committed is read again."""
        self._consumer.close()
        for noted in (self._mine, self._in_hand, self._passed, self._uncommitted):
            noted.clear()
        self._join()

    def _parts(self, records: Sequence[Record]) -> list[Part]:
        by_shard: dict[int, list[Record]] = {}
        for record in records:
            by_shard.setdefault(record.partition(), []).append(record)
        return [
            Part(
                shard,
                [Message.from_text(record.value()) for record in of_shard],
                datetime.fromtimestamp(of_shard[-1].timestamp()[1] / 1000, UTC),
            )
            for shard, of_shard in by_shard.items()
            if shard in self._mine  # it may have been taken away between two of them
        ]

    def _idle(self, busy: set[int], asked_at: datetime) -> list[Part]:
        """Return an empty part for each shard of which the broker says that nothing waits. It is asked now and then."""
        if time.monotonic() - self._idle_at < IDLE_EVERY_S:
            return []
        self._idle_at = time.monotonic()
        if self._begins_anew():
            return []
        quiet = [TopicPartition(self._topic.name, shard) for shard in sorted(self._mine - busy)]
        begins, ends = self._topic.offsets(OffsetSpec.earliest()), self._topic.offsets(OffsetSpec.latest())
        at = {found.partition: found.offset for found in self._consumer.position(quiet)}
        return [Part(shard, [], asked_at) for shard in at if max(at[shard], begins[shard]) >= ends[shard]]

    # -- told by the brokers, while polling

    def _got(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._mine |= {partition.partition for partition in partitions}
        try:
            positions = self._positions(consumer, partitions)
            consumer.incremental_assign(positions)
            log.info("bus_shards_taken", group=self._group, positions={one.partition: one.offset for one in positions})
        except (KafkaException, Unavailable) as error:  # it begins where the brokers say
            log.warning("bus_not_compared", error=str(error))

    def _positions(self, consumer: Consumer, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """Return where to go on. Where retention took what the group has not read, the relay sends it again."""
        topic = self._topic.describe()
        self._topic_id = str(topic.topic_id) if topic else ""
        self._of_consumer = self._of_consumer or self._topic_id
        begins, positions = self._topic.offsets(OffsetSpec.earliest()), []
        for known in consumer.committed(partitions, TIMEOUT_S):
            is_good = known.offset >= 0 and known.metadata == self._topic_id
            if is_good and known.offset < begins[known.partition]:
                log.error("bus_forgot_unread", topic=self._topic.name, shard=known.partition)
                self._forgotten(known.partition)
            positions.append(self._position(known.partition, known.offset if is_good else OFFSET_BEGINNING))
        return positions

    def _gave(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        gone = {partition.partition for partition in partitions}
        log.info("bus_shards_left", group=self._group, shards=sorted(gone))
        passed = [self._position(shard, at) for shard, at in self._passed.items() if shard in gone]
        self._mine -= gone
        self._uncommitted -= gone
        for shard in gone:
            self._in_hand.pop(shard, None)
            self._passed.pop(shard, None)
        try:
            if passed:
                consumer.commit(offsets=passed, asynchronous=False)
        except KafkaException as error:  # they were lost, not given back; who has them now handles nothing twice
            log.warning("bus_position_not_kept", error=str(error))
