"""The bus on Kafka or what speaks like it (Redpanda): one topic, a partition for each shard, a group for each subscriber.

Who reads which partition is the brokers' to say; a process that dies is replaced after some seconds, or at once by one of
its name. Positions are committed by hand, a moment after the messages before them are dealt with. What is old
goes with the topic's retention.
"""

from events.bus.kafka.adapter import Kafka as Kafka
from events.bus.kafka.reader import TopicReader as TopicReader
