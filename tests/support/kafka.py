"""A real Kafka for tests: started once, a topic for each test."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from core.errors import Unavailable
from deploy.embedded.paths import Tree
from deploy.embedded.stack import Stack
from events.bus.kafka import Kafka
from events.bus.kafka.topic import read_address
from tests.support import database

GROUPS_S = 60.0


def start() -> str:
    """Start the broker unless it runs, and return its address without a topic."""
    stack = Stack(Tree.here())
    server = stack.settings(["kafka"])["PLEXICA_BUS_URL"].rpartition("/")[0]
    with database.one_process("kafka"):
        stack.up(["kafka"])
        _wait_for_groups(Kafka(f"{server}/tests.ready"))
    return str(server)


def _wait_for_groups(bus: Kafka) -> None:
    """A new broker keeps nobody's position for a moment: the relay comes again then, tests would not."""
    until = time.monotonic() + GROUPS_S
    while True:
        try:
            return bus.begin([0])
        except Unavailable:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


@contextmanager
def topic(server: str) -> Iterator[str]:
    """Give the address of a topic that is not there yet; it goes afterwards."""
    name = f"tests.{secrets.token_hex(6)}"
    yield f"{server}/{name}"
    delete_topic(f"{server}/{name}")


def delete_topic(url: str) -> None:
    """Lose the data."""
    servers, name = read_address(url)
    admin = AdminClient(servers)
    try:
        admin.delete_topics([name])[name].result()
    except KafkaException as error:
        if "UNKNOWN_TOPIC" not in str(error):
            raise
