"""The bus: carries events from the relay to their subscribers. `bus()` is the only place that chooses an adapter."""

from functools import cache
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from events.bus.port import Bus


@cache
def bus() -> "Bus":
    """Return this process's bus."""
    if settings.BUS_URL.startswith("kafka://"):
        from events.bus.kafka import Kafka

        return Kafka(settings.BUS_URL)
    from events.bus.redis_streams import RedisStreams

    return RedisStreams(settings.BUS_URL)
