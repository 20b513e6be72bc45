"""See `RedisStreams`."""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from redis import Redis
from redis.exceptions import NoScriptError, RedisError, ResponseError

from core.errors import Unavailable
from events.bus.port import Backlog, BusLost
from events.bus.redis_streams.reader import StreamReader
from events.bus.redis_streams.streams import asked, has_moved, is_of, mark_of, split, stream_of
from events.messages import SHARDS, Message

COUNTED_AT_ONCE = 10_000
KEPT_UNREAD_S = 3600.0  # in a stream that no group reads yet
TIMEOUT_S = 5.0
# keys: stream, mark; arguments: the mark that is expected, messages
_APPEND = """
if redis.call('get', KEYS[2]) ~= ARGV[1] then return -1 end
for i = 2, #ARGV do redis.call('xadd', KEYS[1], '*', 'm', ARGV[i]) end
return #ARGV - 1
"""


class RedisStreams:
    """See `events.bus.port.Bus`."""

    def __init__(self, url: str) -> None:
        self._redis: Any = Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
        self._append = hashlib.sha1(_APPEND.encode(), usedforsecurity=False).hexdigest()
        self._run = ""  # of the server, as it was when the script was loaded

    def publish(self, messages: Sequence[Message]) -> None:
        by_shard: dict[int, list[str]] = {}
        for message in messages:
            by_shard.setdefault(message.shard, []).append(message.as_text())
        for shard, answer in asked(lambda: self._append_all(by_shard)).items():
            if isinstance(answer, NoScriptError):
                asked(self._load)  # for the next time; what the marks are worth now, `lost` says
                raise BusLost(by_shard)
            if isinstance(answer, RedisError):  # out of memory, for one
                raise Unavailable(part="bus") from answer
            if answer < 0:
                raise BusLost([shard])

    def _append_all(self, by_shard: dict[int, list[str]]) -> dict[int, Any]:
        if not self._run:
            self._load()
        with self._redis.pipeline(transaction=False) as pipe:
            for shard, texts in by_shard.items():
                pipe.evalsha(self._append, 2, stream_of(shard), mark_of(shard), self._run, *texts)
            return dict(zip(by_shard, pipe.execute(raise_on_error=False), strict=True))

    def _load(self) -> None:
        """Learn which run of the server this is, before the script is there: another run would not know it."""
        self._run = self._redis.info("server")["run_id"]
        self._redis.script_load(_APPEND)

    @contextmanager
    def reader(self, group: str, *, member: str = "") -> Iterator[StreamReader]:
        reader = StreamReader(self._redis, group, member)
        with reader.membership():
            yield reader

    def backlog(self, group: str) -> Backlog:
        waiting = in_hand = 0
        oldest: list[int] = []
        for shard in range(SHARDS):
            for info in self._groups(shard):
                if is_of(group, info["name"]):
                    waiting += self._lag(shard, info)
                    in_hand += int(info["pending"])
                    oldest += self._oldest_ms(shard, info)
        return Backlog(waiting, in_hand, datetime.fromtimestamp(min(oldest) / 1000, UTC) if oldest else None)

    def _lag(self, shard: int, info: dict[str, Any]) -> int:
        """Return how many wait; where the server has lost count, as many as can be seen at once."""
        return int(info["lag"]) if info["lag"] is not None else len(self._after(shard, info, COUNTED_AT_ONCE))

    def _after(self, shard: int, info: dict[str, Any], count: int) -> list[Any]:
        begin = f"({info['last-delivered-id'].decode()}"
        found: list[Any] = asked(lambda: self._redis.xrange(stream_of(shard), min=begin, count=count))
        return found

    def _oldest_ms(self, shard: int, info: dict[str, Any]) -> list[int]:
        """Return when the first message that the group has not passed was put on the bus, if there is one."""
        try:
            if first := self._first_in_hand(shard, info):
                return [first[0]]
        except ResponseError as error:
            if not has_moved(error):
                raise
        return [split(entry_id)[0] for entry_id, _ in self._after(shard, info, 1)]

    def _first_in_hand(self, shard: int, info: dict[str, Any]) -> tuple[int, int] | None:
        if not info["pending"]:
            return None
        pending = asked(lambda: self._redis.xpending(stream_of(shard), info["name"]))
        return split(pending["min"]) if pending["min"] else None

    def forget(self, group: str) -> None:
        def destroy() -> None:
            for shard in range(SHARDS):
                for info in self._groups(shard):
                    if is_of(group, info["name"]):
                        self._redis.xgroup_destroy(stream_of(shard), info["name"])

        asked(destroy)

    def trim(self) -> int:
        return sum(self._trim(shard) for shard in range(SHARDS))

    def lost(self, shards: Collection[int]) -> frozenset[int]:
        def look() -> frozenset[int]:
            wanted = sorted(shards)
            run = self._redis.info("server")["run_id"].encode()
            marks = self._redis.mget([mark_of(shard) for shard in wanted]) if wanted else []
            return frozenset(shard for shard, mark in zip(wanted, marks, strict=True) if mark != run)

        return asked(look)

    def begin(self, shards: Collection[int]) -> None:
        def mark() -> None:
            self._load()
            self._redis.mset({mark_of(shard): self._run for shard in shards})

        asked(mark)

    def _groups(self, shard: int) -> list[dict[str, Any]]:
        try:
            groups: list[dict[str, Any]] = asked(lambda: self._redis.xinfo_groups(stream_of(shard)))
        except ResponseError:  # no such stream yet
            return []
        return groups

    def _trim(self, shard: int) -> int:
        try:
            lowest = [self._lowest_wanted(shard, info) for info in self._groups(shard)]
        except ResponseError as error:
            if not has_moved(error):
                raise
            return 0  # whoever took the group over wants what was in hand: that shows the next time
        if not lowest:
            now_ms = int(asked(self._redis.time)[0] * 1000)
            lowest = [(now_ms - int(KEPT_UNREAD_S * 1000), 0)]
        millis, number = min(lowest)
        return int(asked(lambda: self._redis.xtrim(stream_of(shard), minid=f"{millis}-{number}", approximate=False)))

    def _lowest_wanted(self, shard: int, info: dict[str, Any]) -> tuple[int, int]:
        """Return the id of the first message that a group still needs."""
        if first := self._first_in_hand(shard, info):
            return first
        millis, number = split(info["last-delivered-id"])
        return millis, number + 1
