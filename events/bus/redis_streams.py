"""The bus on Valkey or Redis: a stream for each shard, a consumer group for each subscriber.

A shard is read by one process of a group at a time, which holds a lease on it. It reads under a name that belongs to the
shard, not to the process: so what a process that died had in hand is what its successor is given first.

A mark beside each stream names the run of the server under which the stream was begun. A server that lost its data has no
mark, and one that was started again has another's: what its log had not yet on disk is gone. The script that appends
compares the mark, and is itself forgotten by a server that ends: so nothing is appended behind a gap.
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
READER = "reader"  # the name under which a shard is read, whichever process does
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
T = TypeVar("T")
log = structlog.get_logger(__name__)


def stream_of(shard: int) -> str:
    """Return the key of a shard's stream."""
    return f"events:{shard}"


def mark_of(shard: int) -> str:
    """Return the key of a shard's mark."""
    return f"events:{shard}:mark"


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
                if info["name"].decode() == group:
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
        if first := self._first_in_hand(shard, info):
            return [first[0]]
        return [_split(entry_id)[0] for entry_id, _ in self._after(shard, info, 1)]

    def _first_in_hand(self, shard: int, info: dict[str, Any]) -> tuple[int, int] | None:
        if not info["pending"]:
            return None
        try:
            pending = _asked(lambda: self._redis.xpending(stream_of(shard), info["name"]))
        except ResponseError as error:  # somebody has forgotten the group meanwhile, or the stream is lost
            if "NOGROUP" not in str(error):
                raise
            return None
        return _split(pending["min"]) if pending["min"] else None

    def forget(self, group: str) -> None:
        def destroy() -> None:
            for shard in range(SHARDS):
                if self._redis.exists(stream_of(shard)):
                    self._redis.xgroup_destroy(stream_of(shard), group)

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
        lowest = [self._lowest_wanted(shard, info) for info in self._groups(shard)]
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
        self._again: set[int] = set()  # shards of which what is in hand comes first
        self._known: set[int] = set()  # shards in whose stream the group surely is
        self._stop = threading.Event()
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
            thread.join()
            self._leave()

    def shards(self) -> frozenset[int]:
        with self._lock:
            return frozenset(self._mine)

    def _keep_leases(self) -> None:
        while not self._stop.wait(HEARTBEAT_S):
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
            alive = pipe.execute()[2]
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
            self._again |= held - self._mine
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
        mine = self.shards()
        if not mine:
            self._stop.wait(min(timeout_s, 0.2))
            return []
        self._again |= set(self._ids)  # read before, and not passed: it comes first
        self._ids.clear()
        try:
            _asked(lambda: self._join(mine))
            return self._read_in_hand(self._again & mine) or self._read_new(mine, timeout_s)
        except ResponseError as error:  # the bus came back without its data, and so without the group
            if "NOGROUP" not in str(error):
                raise
            self._known.clear()
            return self.read(timeout_s=timeout_s)

    def passed(self, part: Part) -> None:
        if ids := self._ids.pop(part.shard, None):
            self._passed[part.shard] = self._passed.get(part.shard, []) + ids

    def _join(self, shards: frozenset[int]) -> None:
        for shard in shards - self._known:
            try:
                self._redis.xgroup_create(stream_of(shard), self._group, id="0", mkstream=True)
            except ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise
            self._known.add(shard)

    def _read_in_hand(self, shards: set[int]) -> list[Part]:
        parts = []
        for shard in sorted(shards):
            found = self._ask_for([shard], "0", None)
            parts += found
            if not found:
                self._again.discard(shard)
        return parts

    def _read_new(self, shards: frozenset[int], timeout_s: float) -> list[Part]:
        """Read what is there of every shard; if that is nothing, wait for the first message of any."""
        asked_at = datetime.now(UTC)
        found = self._ask_for(shards, ">", max(1, int(timeout_s * 1000)))
        idle = shards - {part.shard for part in found}
        return found + [Part(shard, [], asked_at) for shard in sorted(idle)]

    def _ask_for(self, shards: Collection[int], begin: str, block_ms: int | None) -> list[Part]:
        streams = {stream_of(shard): begin for shard in shards}
        try:
            found = _asked(lambda: self._ask(streams, block_ms))
        except Unavailable:
            self._again |= set(shards)  # the server may have taken it for read
            raise
        return [self._part(int(name.decode().rpartition(":")[2]), entries) for name, entries in found or [] if entries]

    def _ask(self, streams: dict[str, str] | None = None, block_ms: int | None = None) -> Any:
        """Tell what was passed and read, in one round trip. What could not be told is told again."""
        with self._redis.pipeline(transaction=False) as pipe:
            for shard, ids in self._passed.items():
                pipe.xack(stream_of(shard), self._group, *ids)
            if streams:
                pipe.xreadgroup(self._group, READER, streams, count=READ_AT_ONCE, block=block_ms)
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
