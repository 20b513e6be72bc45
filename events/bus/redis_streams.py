"""The bus on Valkey or Redis: a stream for each shard, and on it one consumer group for each subscriber.

A shard is read by one process of a group at a time, which holds a lease on it. A lease alone shuts nobody out: whoever was
asleep, or waits for an answer, still believes to hold it. So the consumer group in the stream carries its reader's name.
Who takes a shard over puts a group of its own in the place of its predecessor's, from the first message that was not
passed; the predecessor, whatever it believes, has nothing more to read from, in an answer that it waits for neither.

A mark beside each stream names the run of the server under which the stream was begun. A server that lost its data has no
mark, and one that was started again has another's: what its log had not yet on disk is gone. The script that appends
compares the mark, and is itself forgotten by a server that ends: so nothing is appended behind a gap. A stream without
its mark is not read either: where messages are missing, nobody says to have passed all that was sent.
"""

import hashlib
import math
import secrets
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import structlog
from redis import Redis
from redis.exceptions import NoScriptError, RedisError, ResponseError

from core.errors import Unavailable
from events.bus.port import Backlog, BusLost, Part
from events.messages import SHARDS, Message

LEASE_S = 10.0
HEARTBEAT_S = 2.0
READ_AT_ONCE = 200
COUNTED_AT_ONCE = 10_000
KEPT_UNREAD_S = 3600.0  # in a stream that no group reads yet
TIMEOUT_S = 5.0
READER = "reader"  # the one consumer of each consumer group
_RENEW = (
    "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) else return 0 end"
)
_RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end"
# keys: stream, mark; arguments: the mark that is expected, messages
_APPEND = """
if redis.call('get', KEYS[2]) ~= ARGV[1] then return -1 end
for i = 2, #ARGV do redis.call('xadd', KEYS[1], '*', 'm', ARGV[i]) end
return #ARGV - 1
"""
# keys: stream, lease, mark; arguments: who holds the lease, group, name of the consumer group that takes its place
_JOIN = """
if redis.call('get', KEYS[2]) ~= ARGV[1] then return -1 end
if redis.call('get', KEYS[3]) ~= string.match(redis.call('info', 'server'), 'run_id:(%x+)') then return 0 end
local begin, read = '0', false
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
        redis.call('xgroup', 'destroy', KEYS[1], info.name)
    end
end
local create = {'xgroup', 'create', KEYS[1], ARGV[3], begin, 'MKSTREAM'}
if read then create[7], create[8] = 'ENTRIESREAD', read end
redis.call(unpack(create))
return 1
"""
T = TypeVar("T")
log = structlog.get_logger(__name__)


def stream_of(shard: int) -> str:
    """Return the key of a shard's stream."""
    return f"events:{shard}"


def mark_of(shard: int) -> str:
    """Return the key of a shard's mark."""
    return f"events:{shard}:mark"


def _is_of(group: str, name: bytes) -> bool:
    """Say whether a consumer group is this group's, whichever reader it belongs to (before readers had some: to none)."""
    text = name.decode()
    return group in (text, text.rpartition("@")[0])


def _has_moved(error: ResponseError) -> bool:
    """Say whether the consumer group is not there any more: forgotten, lost with the stream, or taken over."""
    return "NOGROUP" in str(error)


def _asked(call: Callable[[], T]) -> T:
    try:
        return call()
    except ResponseError:
        raise
    except RedisError as error:
        raise Unavailable(part="bus") from error


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
        for shard, answer in _asked(lambda: self._append_all(by_shard)).items():
            if isinstance(answer, NoScriptError):
                _asked(self._load)  # for the next time; what the marks are worth now, `lost` says
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
    def reader(self, group: str, *, member: str = "") -> Iterator["StreamReader"]:
        reader = StreamReader(self._redis, group, member)
        with reader.leases():
            yield reader

    def backlog(self, group: str) -> Backlog:
        waiting = in_hand = 0
        oldest: list[int] = []
        for shard in range(SHARDS):
            for info in self._groups(shard):
                if _is_of(group, info["name"]):
                    waiting += self._lag(shard, info)
                    in_hand += int(info["pending"])
                    oldest += self._oldest_ms(shard, info)
        return Backlog(waiting, in_hand, datetime.fromtimestamp(min(oldest) / 1000, UTC) if oldest else None)

    def _lag(self, shard: int, info: dict[str, Any]) -> int:
        """Return how many wait; where the server has lost count, as many as can be seen at once."""
        return int(info["lag"]) if info["lag"] is not None else len(self._after(shard, info, COUNTED_AT_ONCE))

    def _after(self, shard: int, info: dict[str, Any], count: int) -> list[Any]:
        begin = f"({info['last-delivered-id'].decode()}"
        found: list[Any] = _asked(lambda: self._redis.xrange(stream_of(shard), min=begin, count=count))
        return found

    def _oldest_ms(self, shard: int, info: dict[str, Any]) -> list[int]:
        """Return when the first message that the group has not passed was put on the bus, if there is one."""
        try:
            if first := self._first_in_hand(shard, info):
                return [first[0]]
        except ResponseError as error:
            if not _has_moved(error):
                raise
        return [_split(entry_id)[0] for entry_id, _ in self._after(shard, info, 1)]

    def _first_in_hand(self, shard: int, info: dict[str, Any]) -> tuple[int, int] | None:
        if not info["pending"]:
            return None
        pending = _asked(lambda: self._redis.xpending(stream_of(shard), info["name"]))
        return _split(pending["min"]) if pending["min"] else None

    def forget(self, group: str) -> None:
        def destroy() -> None:
            for shard in range(SHARDS):
                for info in self._groups(shard):
                    if _is_of(group, info["name"]):
                        self._redis.xgroup_destroy(stream_of(shard), info["name"])

        _asked(destroy)

    def trim(self) -> int:
        return sum(self._trim(shard) for shard in range(SHARDS))

    def lost(self, shards: Collection[int]) -> frozenset[int]:
        def look() -> frozenset[int]:
            wanted = sorted(shards)
            run = self._redis.info("server")["run_id"].encode()
            marks = self._redis.mget([mark_of(shard) for shard in wanted]) if wanted else []
            return frozenset(shard for shard, mark in zip(wanted, marks, strict=True) if mark != run)

        return _asked(look)

    def begin(self, shards: Collection[int]) -> None:
        def mark() -> None:
            self._load()
            self._redis.mset({mark_of(shard): self._run for shard in shards})

        _asked(mark)

    def _groups(self, shard: int) -> list[dict[str, Any]]:
        try:
            groups: list[dict[str, Any]] = _asked(lambda: self._redis.xinfo_groups(stream_of(shard)))
        except ResponseError:  # no such stream yet
            return []
        return groups

    def _trim(self, shard: int) -> int:
        try:
            lowest = [self._lowest_wanted(shard, info) for info in self._groups(shard)]
        except ResponseError as error:
            if not _has_moved(error):
                raise
            return 0  # whoever took the group over wants what was in hand: that shows the next time
        if not lowest:
            now_ms = int(_asked(self._redis.time)[0] * 1000)
            lowest = [(now_ms - int(KEPT_UNREAD_S * 1000), 0)]
        millis, number = min(lowest)
        return int(_asked(lambda: self._redis.xtrim(stream_of(shard), minid=f"{millis}-{number}", approximate=False)))

    def _lowest_wanted(self, shard: int, info: dict[str, Any]) -> tuple[int, int]:
        """Return the id of the first message that a group still needs."""
        if first := self._first_in_hand(shard, info):
            return first
        millis, number = _split(info["last-delivered-id"])
        return millis, number + 1


class StreamReader:
    """See `events.bus.port.Reader`."""

    def __init__(self, redis: Any, group: str, member: str = "") -> None:
        self._redis, self._group = redis, group
        self._token = member or secrets.token_hex(8)
        self._is_new = True
        self._mine: set[int] = set()
        self._lock = threading.Lock()
        self._name = ""  # of our consumer groups
        self._joined: set[int] = set()  # shards whose consumer group is ours, as far as we know
        self._run = ""  # of the server
        self._is_another_run = False  # than the one that we joined
        self._stop = threading.Event()
        self._look_now = threading.Event()  # at the leases
        self._ids: dict[int, list[bytes]] = {}  # of the parts that were read and not passed yet
        self._passed: dict[int, list[bytes]] = {}  # and passed, which the server is told along with the next question

    # -- leases

    @contextmanager
    def leases(self) -> Iterator[None]:
        thread = threading.Thread(target=self._keep_leases, name="bus-leases", daemon=True)
        self._try_leases()
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._look_now.set()
            thread.join()
            self._leave()

    def shards(self) -> frozenset[int]:
        with self._lock:
            return frozenset(self._mine)

    def _keep_leases(self) -> None:
        while not self._stop.is_set():
            self._look_now.wait(HEARTBEAT_S)
            self._look_now.clear()
            if not self._stop.is_set():
                self._try_leases()

    def _try_leases(self) -> None:
        try:
            self._take_share()
        except RedisError as error:
            log.warning("bus_leases_not_renewed", group=self._group, error=str(error))

    def _take_share(self) -> None:
        """Renew what is held, and hold no more than an even share of the shards among the readers of the group."""
        readers, now = f"events:readers:{self._group}", time.time()
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.zadd(readers, {self._token: now})
            pipe.zremrangebyscore(readers, 0, now - LEASE_S)
            pipe.zcard(readers)
            pipe.info("server")
            *_, alive, server = pipe.execute()
        self._is_another_run |= self._run not in ("", server["run_id"])
        self._run = server["run_id"]
        share = math.ceil(SHARDS / max(1, alive))
        candidates = range(SHARDS) if self._is_new else sorted(self.shards())  # who had our name may have left some
        kept = [shard for shard in candidates if self._renew(shard)]
        for shard in kept[share:]:
            self._redis.eval(_RELEASE, 1, self._lease(shard), self._token)
        held = set(kept[:share])
        for shard in range(SHARDS):
            if len(held) < share and shard not in held and self._take(shard):
                held.add(shard)
        with self._lock:
            self._mine = held
        self._is_new = False

    def _lease(self, shard: int) -> str:
        return f"events:lease:{self._group}:{shard}"

    def _renew(self, shard: int) -> bool:
        return bool(self._redis.eval(_RENEW, 1, self._lease(shard), self._token, int(LEASE_S * 1000)))

    def _take(self, shard: int) -> bool:
        return bool(self._redis.set(self._lease(shard), self._token, nx=True, px=int(LEASE_S * 1000)))

    def _leave(self) -> None:
        try:
            self._ask()
            for shard in self.shards():
                self._redis.eval(_RELEASE, 1, self._lease(shard), self._token)
            self._redis.zrem(f"events:readers:{self._group}", self._token)
        except RedisError as error:
            log.warning("bus_not_left", group=self._group, error=str(error))

    # -- messages

    def read(self, *, timeout_s: float) -> list[Part]:
        if self._ids or self._is_another_run:
            self._begin_again()
        try:
            if shards := self._join(self.shards()):
                return self._read(shards, timeout_s)
        except Unavailable:
            self._begin_again()  # the server may have taken for read what it could not send
            raise
        except ResponseError as error:
            if not _has_moved(error):
                raise
            self._begin_again()
            return []
        self._stop.wait(min(timeout_s, 0.2))
        return []

    def _begin_again(self) -> None:
        """Join all shards anew: what was read and not passed comes again, whether or not it arrived."""
        self._joined.clear()
        self._ids.clear()
        self._is_another_run = False

    def passed(self, part: Part) -> None:
        if ids := self._ids.pop(part.shard, None):
            self._passed[part.shard] = self._passed.get(part.shard, []) + ids

    def _join(self, mine: frozenset[int]) -> frozenset[int]:
        """Shut out whoever else reads our shards. Return those that can be read: leased to us, and begun."""
        if new := sorted(mine - self._joined):
            answers = _asked(lambda: self._join_all(new))
            self._joined |= {shard for shard, answer in zip(new, answers, strict=True) if answer == 1}
            if -1 in answers:  # the lease is another's, or lost with the bus's data
                self._look_now.set()
        return mine & self._joined

    def _join_all(self, shards: Sequence[int]) -> list[int]:
        self._ask()
        if not self._joined:
            self._name = (
                f"{self._group}@{secrets.token_hex(8)}"  # a new one: an old question may still wait on the server
            )
        with self._redis.pipeline(transaction=False) as pipe:
            for shard in shards:
                keys = stream_of(shard), self._lease(shard), mark_of(shard)
                pipe.eval(_JOIN, len(keys), *keys, self._token, self._group, self._name)
            answers: list[int] = pipe.execute()
        return answers

    def _read(self, shards: frozenset[int], timeout_s: float) -> list[Part]:
        """Read what is there of every shard; if that is nothing, wait for the first message of any."""
        asked_at = datetime.now(UTC)
        streams = {stream_of(shard): ">" for shard in shards}
        found = _asked(lambda: self._ask(streams, max(1, int(timeout_s * 1000))))
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
        millis, _ = _split(entries[-1][0])
        messages = [Message.from_text(fields[b"m"]) for _, fields in entries if fields]
        return Part(shard, messages, datetime.fromtimestamp(millis / 1000, UTC))


def _split(entry_id: bytes | str) -> tuple[int, int]:
    text = entry_id.decode() if isinstance(entry_id, bytes) else entry_id
    millis, _, number = text.partition("-")
    return int(millis), int(number or 0)
