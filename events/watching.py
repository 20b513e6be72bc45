"""What `manage.py doctor` and Prometheus say of delivery."""

from collections.abc import Callable, Iterator

from django.db import DatabaseError
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from core.health.doctor import Line
from events.selectors import SLOW_S, EventsStatus, SubscriberStatus, events_status

PART = "events"


def examine_delivery() -> Iterator[Line]:
    """Whether somebody relays and consumes, and what waits for an operator."""
    found = list(troubles_of(events_status()))
    yield from found or [Line("ok", PART, "relayed, consumed, and nothing has failed")]


def troubles_of(status: EventsStatus) -> Iterator[Line]:
    """Return what somebody should do something about."""
    if status.relayed_shards < status.shards:
        nobody = f"nobody relays {status.shards - status.relayed_shards} of {status.shards} shards"
        yield Line("fail", PART, nobody, "start: manage.py relay_events")
    if not status.bus_answers:
        yield Line("fail", PART, "the bus does not answer", "start it, or mend PLEXICA_BUS_URL")
    for one in status.subscribers:
        if one.is_known and not one.is_consumed:
            yield Line("fail", PART, f"nobody consumes for {one.name}", "start: manage.py consume_events")
    if status.oldest_s > SLOW_S:
        says = f"the oldest event has waited for {status.oldest_s:.0f} s"
        yield Line("warn", PART, says, "look at the logs of relay and consumers; several of each may run")
    if status.failed:
        says = f"{status.failed} failed and wait for an operator"
        yield Line("warn", PART, says, "read them in the console under Events, then retry or dismiss them")


class Figures(Collector):
    """Figures of delivery for Prometheus, read when they are asked for."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            status = events_status()
        except DatabaseError:  # the other figures must still come
            return
        yield _one("plexica_events_unsent", "Committed events that are not on the bus yet", status.unsent)
        yield _one("plexica_events_unsent_seconds", "Age of the oldest of them", status.unsent_s)
        yield _one("plexica_events_oldest_seconds", "Age of the oldest event not taken everywhere", status.oldest_s)
        yield _one(
            "plexica_events_relayed_shards", f"Shards that a relay serves, of {status.shards}", status.relayed_shards
        )
        yield _one("plexica_events_bus_up", "Whether the bus answers", float(status.bus_answers))
        kinds: dict[str, tuple[str, Callable[[SubscriberStatus], float | None]]] = {
            "consumed": ("Whether somebody consumes for the subscriber", lambda one: float(one.is_consumed)),
            "waiting": ("Events on the bus that the subscriber has not taken", lambda one: one.waiting),
            "lag_seconds": ("Age of the oldest of them", lambda one: one.lag_s),
            "parked": ("Events that wait for the subscriber in one tenant", lambda one: one.parked),
            "failed": ("Events that wait for an operator", lambda one: one.failed),
        }
        for name, (says, value_of) in kinds.items():
            family = GaugeMetricFamily(f"plexica_events_{name}", says, labels=["subscriber"])
            for one in status.subscribers:
                if (value := value_of(one)) is not None:
                    family.add_metric([one.name], value)
            yield family

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Tell no names before: collecting asks database and bus."""
        return iter(())


def _one(name: str, says: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, says, value=value)
