"""Shares a group's shards out among its readers."""

import math
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from redis.exceptions import RedisError

from events.bus.redis_streams.streams import lease_of
from events.messages import SHARDS

LEASE_S = 10.0
HEARTBEAT_S = 2.0
_RENEW = (
    "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) else return 0 end"
)
_RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end"
log = structlog.get_logger(__name__)


class Leases:
    """One reader's leases. Who holds one is to read the shard; that nobody else does is the reader's to see to."""

    def __init__(self, redis: Any, group: str, member: str) -> None:
        self._redis, self._group = redis, group
        self.holder = member or secrets.token_hex(8)
        self._is_new = True
        self._held: set[int] = set()
        self._lock = threading.Lock()
        self._run = ""  # of the server
        self.is_another_run = False  # of the server, than before; whoever acts on it takes it back
        self._ended, self._look_now = threading.Event(), threading.Event()

    def held(self) -> frozenset[int]:
        """Return the shards, as they were at the last look."""
        with self._lock:
            return frozenset(self._held)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep them until the end of the block, in a thread. They are not given back then."""
        thread = threading.Thread(target=self._keep, name="bus-leases", daemon=True)
        self._try()
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            self._look_now.set()
            thread.join()

    def look_now(self) -> None:
        """Look with the next breath, not with the next heartbeat."""
        self._look_now.set()

    def give_back(self) -> None:
        """Let others have the shards at once."""
        for shard in self.held():
            self._release(shard)
        self._redis.zrem(f"events:readers:{self._group}", self.holder)

    def _keep(self) -> None:
        while not self._ended.is_set():
            self._look_now.wait(HEARTBEAT_S)
            self._look_now.clear()
            if not self._ended.is_set():
                self._try()

    def _try(self) -> None:
        try:
            self.take_share()
        except RedisError as error:
            log.warning("bus_leases_not_renewed", group=self._group, error=str(error))

    def take_share(self) -> None:
        """Renew what is held, and hold no more than an even share of the shards among the readers of the group."""
        readers, now = f"events:readers:{self._group}", time.time()
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.zadd(readers, {self.holder: now})
            pipe.zremrangebyscore(readers, 0, now - LEASE_S)
            pipe.zcard(readers)
            pipe.info("server")
            *_, alive, server = pipe.execute()
        self.is_another_run |= self._run not in ("", server["run_id"])
        self._run = server["run_id"]
        share = math.ceil(SHARDS / max(1, alive))
        candidates = range(SHARDS) if self._is_new else sorted(self.held())  # who had our name may have left some
        kept = [shard for shard in candidates if self._renew(shard)]
        for shard in kept[share:]:
            self._release(shard)
        held = set(kept[:share])
        for shard in range(SHARDS):
            if len(held) < share and shard not in held and self._take(shard):
                held.add(shard)
        with self._lock:
            self._held = held
        self._is_new = False

    def _renew(self, shard: int) -> bool:
        return bool(self._redis.eval(_RENEW, 1, lease_of(self._group, shard), self.holder, int(LEASE_S * 1000)))

    def _take(self, shard: int) -> bool:
        return bool(self._redis.set(lease_of(self._group, shard), self.holder, nx=True, px=int(LEASE_S * 1000)))

    def _release(self, shard: int) -> None:
        self._redis.eval(_RELEASE, 1, lease_of(self._group, shard), self.holder)
