"""The same as `events`, over the real broker of this checkout."""

import os
import secrets
from collections.abc import Iterator

from benchmarks import events
from benchmarks.harness import Bar, Figure, Ground
from deploy.embedded.paths import Tree
from deploy.embedded.servers.kafka import Kafka
from deploy.embedded.stack import Stack

BARS = {"delivery_p95": Bar("at_most", 30), "sustained": Bar("at_least", 2000)}


def run(ground: Ground, size: int = events.TENANTS) -> Iterator[Figure]:
    """Measure it over `size` tenants, on a topic of its own."""
    stack = Stack(Tree.here())
    stack.up([Kafka.name])
    server = stack.settings([Kafka.name])["PLEXICA_BUS_URL"].rpartition("/")[0]
    os.environ["PLEXICA_BUS_URL"] = f"{server}/bench.{secrets.token_hex(4)}"  # for the processes that it starts
    for figure in events.run(ground, size):
        yield Figure(figure.name, figure.value, figure.unit, BARS.get(figure.name), figure.note)
