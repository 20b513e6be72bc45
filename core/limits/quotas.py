"""Quotas, and taking from them. Valkey may be lost at any time: then nothing is counted and everything goes on."""

import math
import time
from dataclasses import dataclass
from functools import cache
from typing import Literal

import structlog
from django.conf import settings
from django.core.cache import caches
from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from core.tenancy.cache import make_key

SOCKET_TIMEOUT_S = 0.5
LEFT_ALONE_S = 5.0  # after a failure Valkey is not asked for so long, or each request would wait for it
QuotaName = Literal["address", "sign-in", "tenant", "client"]
OF_TENANT = ("tenant", "client")  # counted under the tenant's keys, which go with it; the others whatever the tenant
log = structlog.get_logger(__name__)
_left_alone_until = 0.0


@dataclass(frozen=True, slots=True)
class Standing:
    """What is left of a quota after a request took from it."""

    name: str
    limit: int
    window_s: int
    remaining: int
    reset_s: int
    is_within: bool


def take(name: QuotaName, who: str) -> Standing | None:
    """Take one request from somebody's quota; None where it has no limit, or nobody can count."""
    global _left_alone_until
    item = _item(settings.RATE_LIMITS[name])
    if item is None or time.monotonic() < _left_alone_until:
        return None
    limiter = _limiter(str(settings.CACHES["default"]["LOCATION"]), name in OF_TENANT)
    try:
        is_within = limiter.hit(item, name, who)
        window = limiter.get_window_stats(item, name, who)
    except StorageError as error:
        log.warning("rate_limits_off", error=str(error.storage_error))
        _left_alone_until = time.monotonic() + LEFT_ALONE_S
        return None
    return Standing(
        name=name,
        limit=item.amount,
        window_s=item.get_expiry(),
        remaining=window.remaining,
        reset_s=max(1, math.ceil(window.reset_time - time.time())),
        is_within=is_within,
    )


@cache
def _item(limit: str) -> RateLimitItem | None:
    return parse(limit) if limit else None


class _Counters(RedisStorage):
    """Counters under the cache's keys: those of a tenant go with the tenant."""

    STORAGE_SCHEME = None  # type: ignore[assignment]  # not for everybody who names a redis:// address
    of_tenant = True

    def prefixed_key(self, key: str) -> str:
        prefix = caches["default"].key_prefix
        return make_key(f"limit:{key}", prefix, 1) if self.of_tenant else f"{prefix}:everywhere:1:limit:{key}"


@cache
def _limiter(address: str, of_tenant: bool) -> SlidingWindowCounterRateLimiter:
    counters = _Counters(
        address, wrap_exceptions=True, socket_timeout=SOCKET_TIMEOUT_S, socket_connect_timeout=SOCKET_TIMEOUT_S
    )
    counters.of_tenant = of_tenant
    return SlidingWindowCounterRateLimiter(counters)
