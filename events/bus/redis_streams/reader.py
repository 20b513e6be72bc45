"""See `StreamReader`."""

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import structlog
from redis.exceptions import RedisError, ResponseError

from core.errors import Unavailable
from events.bus.port import Part
from events.bus.redis_streams.leases import Leases
from events.bus.redis_streams.streams import asked, has_moved, lease_of, mark_of, split, stream_of
from events.messages import Message

READ_AT_ONCE = 200
READER = "reader"  # the one consumer of each consumer group
# keys: stream, lease, mark; arguments: who holds the lease, group, name of the consumer group that takes its place
_JOIN = """
if redis.call('get', KEYS[2]) ~= ARGV[1] then return -1 end
if redis.call('get', KEYS[3]) ~= string.match(redis.call('info', 'server'), 'run_id:(%x+)') then return 0 end
local begin, read, old = '0', false, {}
local groups = redis.call('exists', KEYS[1]) == 1 and redis.call('xinfo', 'groups', KEYS[1]) or {}
for _, fields in ipairs(groups) do
    local info = {}
    for i = 1, #fields, 2 do info[fields[i]] = fields[i + 1] end
    if info.name == ARGV[2] or string.match(info.name, '^(.*)@%x+$') == ARGV[2] then
        begin, read = info['last-delivered-id'], info['entries-read']
        if info.pending > 0 then
            local first = redis.call('xpending', KEYS[1], info.name)[2]
            local before = redis.call('xrevrange', KEYS[1], '(' .. first, '-', 'COUNT', 1)[1]
            begin, read = before and before[1] or '0', false
        end
        old[#old + 1] = info.name
    end
end
local create = {'xgroup', 'create', KEYS[1], ARGV[3], begin, 'MKSTREAM'}
if read then create[7], create[8] = 'ENTRIESREAD', read end
redis.call(unpack(create))
for _, name in ipairs(old) do redis.call('xgroup', 'destroy', KEYS[1], name) end
return 1
"""
log = structlog.get_logger(__name__)


class StreamReader:
    """See `events.bus.port.Reader`."""

    def __init__(self, redis: Any, group: str, member: str = "") -> None:
        self._redis, self._group = redis, group
        self.leases = Leases(redis, group, member)
        self._name = ""  # of our consumer groups
        self._joined: set[int] = set()  # shards whose consumer group is ours, as far as we know
        self._ids: dict[int, list[bytes]] = {}  # of the parts that were read and not passed yet
        self._passed: dict[int, list[bytes]] = {}  # and passed, which the server is told along with the next question

    @contextmanager
    def membership(self) -> Iterator[None]:
        """Take a share of the group's shards, and give it back in the end."""
        try:
            with self.leases.kept():
                yield
        finally:
            self._leave()

    def _leave(self) -> None:
        try:
            self._ask()
            self.leases.give_back()
        except RedisError as error:
            log.warning("bus_not_left", group=self._group, error=str(error))

    def shards(self) -> frozenset[int]:
        return self.leases.held()

    def read(self, *, timeout_s: float) -> list[Part]:
        if self._ids or self.leases.is_another_run:
            self._begin_again()
        try:
            if shards := self._join(self.shards()):
                return self._read(shards, timeout_s)
        except Unavailable:
            self._begin_again()  # the server may have taken for read what it could not send
            raise
        except ResponseError as error:
            self._begin_again()
            if has_moved(error):
                return []
            raise Unavailable(part="bus") from error  # out of memory, for one
        time.sleep(min(timeout_s, 0.2))
        return []

    def _begin_again(self) -> None:
        """Join all shards anew: what was read and not passed comes again, whether or not it arrived."""
        self._joined.clear()
        self._ids.clear()
        self.leases.is_another_run = False

    def passed(self, part: Part) -> None:
        if ids := self._ids.pop(part.shard, None):
            self._passed[part.shard] = self._passed.get(part.shard, []) + ids

    def _join(self, mine: frozenset[int]) -> frozenset[int]:
        """Shut out whoever else reads our shards. Return those that can be read: leased to us, and begun."""
        if new := sorted(mine - self._joined):
            answers = asked(lambda: self._join_all(new))
            self._joined |= {shard for shard, answer in zip(new, answers, strict=True) if answer == 1}
            if -1 in answers:  # the lease is another's, or lost with the bus's data
                self.leases.look_now()
        return mine & self._joined

    def _join_all(self, shards: Sequence[int]) -> list[int]:
        self._ask()
        if not self._joined:  # a new name, as an old question may still wait on the server
            self._name = f"{self._group}@{secrets.token_hex(8)}"
        with self._redis.pipeline(transaction=False) as pipe:
            for shard in shards:
                keys = stream_of(shard), lease_of(self._group, shard), mark_of(shard)
                pipe.eval(_JOIN, len(keys), *keys, self.leases.holder, self._group, self._name)
            answers: list[int] = pipe.execute()
        return answers

    def _read(self, shards: frozenset[int], timeout_s: float) -> list[Part]:
        """Read what is there of every shard; if that is nothing, wait for the first message of any."""
        asked_at = datetime.now(UTC)
        streams = {stream_of(shard): ">" for shard in shards}
        found = asked(lambda: self._ask(streams, max(1, int(timeout_s * 1000))))
        parts = [self._part(int(name.decode().rpartition(":")[2]), entries) for name, entries in found or []]
        idle = shards - {part.shard for part in parts}
        return parts + [Part(shard, [], asked_at) for shard in sorted(idle)]

    def _ask(self, streams: dict[str, str] | None = None, block_ms: int | None = None) -> Any:
        """Tell what was passed and read, in one round trip. What could not be told is told again."""
        with self._redis.pipeline(transaction=False) as pipe:
            for shard, ids in self._passed.items():
                pipe.xack(stream_of(shard), self._name, *ids)
            if streams:
                pipe.xreadgroup(self._name, READER, streams, count=READ_AT_ONCE, block=block_ms)
            answers = pipe.execute(raise_on_error=False)
        self._passed.clear()
        if streams and isinstance(answers[-1], RedisError):
            raise answers[-1]
        return answers[-1] if streams else None

    def _part(self, shard: int, entries: list[tuple[bytes, dict[bytes, bytes]]]) -> Part:
        self._ids[shard] = [entry_id for entry_id, _ in entries]
        millis, _ = split(entries[-1][0])
        messages = [Message.from_text(fields[b"m"]) for _, fields in entries if fields]
        return Part(shard, messages, datetime.fromtimestamp(millis / 1000, UTC))
