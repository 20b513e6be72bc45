"""What the platform asks of a bus: at least once, and in order for each tenant.

Adapters raise `core.errors.Unavailable` when the bus does not answer: what was meant may have happened, and is repeated.
"""

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from events.messages import Message


class BusLost(Exception):
    """Shards have lost messages, or were never begun. Nothing of the batch is in them."""

    def __init__(self, shards: Collection[int]) -> None:
        super().__init__(f"shards {sorted(shards)}")
        self.shards = frozenset(shards)


@dataclass(frozen=True, slots=True)
class Part:
    """Messages of one shard, in order; none, if none was waiting. What was sent before `sent_at` is in it or was passed."""

    shard: int
    messages: Sequence[Message]
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Backlog:
    """What a group has not passed yet, over all shards; `oldest_at` says when the oldest of it was put on the bus.

    A bus that cannot tell what waits from what is in hand counts both as waiting.
    """

    waiting: int
    in_hand: int
    oldest_at: datetime | None = None


class Reader(Protocol):
    """One process's share of a group."""

    def shards(self) -> frozenset[int]:
        """Return the shards that are this reader's now. Nobody else of the group reads them meanwhile."""
        ...

    def read(self, *, timeout_s: float) -> list[Part]:
        """Wait for messages and return them, with an empty part for each shard that has none.

        What was returned and not passed comes again, first, to whoever reads next.
        """
        ...

    def passed(self, part: Part) -> None:
        """Say that all messages of a part are dealt with."""
        ...


class Bus(Protocol):
    """Carries messages from the relay to the groups that subscribe."""

    def publish(self, messages: Sequence[Message]) -> None:
        """Append messages, a tenant's in this order.

        Raises Unavailable: some may have arrived, all are sent again. Raises BusLost before anything is appended to a
        shard that has lost messages: those come first.
        """
        ...

    def reader(self, group: str, *, member: str = "") -> AbstractContextManager[Reader]:
        """Join a group, from the oldest message that the bus has, and leave it at the end of the block.

        Who comes under the name of a member that died has its shards at once. Two never use one name.
        """
        ...

    def backlog(self, group: str) -> Backlog:
        """Return how much waits for a group."""
        ...

    def forget(self, group: str) -> None:
        """Keep nothing for a group any more. Safe to repeat."""
        ...

    def trim(self) -> int:
        """Throw away what every group has passed, unless the bus does so by itself; return how many messages that were."""
        ...

    def lost(self, shards: Collection[int]) -> frozenset[int]:
        """Return those of the shards that may have lost messages since `begin`, a restarted server's too."""
        ...

    def begin(self, shards: Collection[int]) -> None:
        """Take messages for these shards from now on. What they have lost is sent again by whoever calls this."""
        ...
