"""What there is on the server: for each shard a stream, its mark, and each group's lease and consumer group."""

from collections.abc import Callable
from typing import TypeVar

from redis.exceptions import RedisError, ResponseError

from core.errors import Unavailable

T = TypeVar("T")


def stream_of(shard: int) -> str:
    """Return the key of a shard's stream."""
    return f"events:{shard}"


def mark_of(shard: int) -> str:
    """Return the key of a shard's mark."""
    return f"events:{shard}:mark"


def lease_of(group: str, shard: int) -> str:
    """Return the key of a group's lease on a shard."""
    return f"events:lease:{group}:{shard}"


def is_of(group: str, name: bytes) -> bool:
    """Say whether a consumer group is this group's, whichever reader it belongs to (before readers had some: to none)."""
    text = name.decode()
    return group in (text, text.rpartition("@")[0])


def has_moved(error: ResponseError) -> bool:
    """Say whether the consumer group is not there any more: forgotten, lost with the stream, or taken over."""
    return "NOGROUP" in str(error)


def asked(call: Callable[[], T]) -> T:
    """Raise Unavailable for a server that does not answer; what it refuses stays as it is."""
    try:
        return call()
    except ResponseError:
        raise
    except RedisError as error:
        raise Unavailable(part="bus") from error


def split(entry_id: bytes | str) -> tuple[int, int]:
    """Return milliseconds and number of an entry."""
    text = entry_id.decode() if isinstance(entry_id, bytes) else entry_id
    millis, _, number = text.partition("-")
    return int(millis), int(number or 0)
