"""How the Keycloaks are: what /health/ready, /metrics, doctor and `manage.py identity_servers` say of each."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from django.conf import settings
from django.db import DatabaseError
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from accounts.identity.keycloak.client import exchange
from accounts.identity.keycloak.placement import Load, read_loads
from core.errors import PlexicaError, Unavailable
from core.health.doctor import Line

PING_S = 3.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look at a server found."""

    load: Load
    answers: bool
    latency_ms: float


def look_at_servers() -> list[Finding]:
    """Ask every server of the settings, side by side."""
    if not settings.KEYCLOAK_SERVERS:
        return []
    loads = read_loads()
    with ThreadPoolExecutor(len(loads)) as threads:
        return list(threads.map(_look, loads))


def _look(load: Load) -> Finding:
    begin = time.perf_counter()
    try:  # reads the database of the server
        answers = exchange("GET", f"{load.server.url}/realms/master", connect_s=1.0, answer_s=PING_S).status_code == 200
    except PlexicaError:
        answers = False
    return Finding(load, answers, round((time.perf_counter() - begin) * 1000, 1))


def identity_servers() -> None:
    """Every Keycloak that has realms answers, and where new ones go."""
    wanted = settings.IDENTITY_PROVIDER == "keycloak"
    silent = [f.load.server.name for f in look_at_servers() if not f.answers and (wanted or f.load.realms)]
    if silent:
        raise Unavailable(part=", ".join(silent))


def examine_servers() -> Iterator[Line]:
    """What `manage.py doctor` says of each."""
    for finding in look_at_servers():
        part, load = f"keycloak {finding.load.server.name}", finding.load
        if not finding.answers:
            yield Line("fail" if load.realms else "warn", part, "does not answer", "start it, or mend its address")
        elif load.share >= 1:
            yield Line("warn", part, f"is full: {load.realms} realms", "add a server to PLEXICA_KEYCLOAK_SERVERS")
        else:
            says = f"answers in {finding.latency_ms:g} ms, {load.realms} of {load.server.capacity} realms"
            yield Line("ok", part, says)


class ServerFigures(Collector):
    """Figures of each server for Prometheus, read when they are asked for."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        up = GaugeMetricFamily("plexica_identity_server_up", "Whether the Keycloak answers", labels=["server"])
        realms = GaugeMetricFamily("plexica_identity_server_realms", "Realms that are on it", labels=["server"])
        room = GaugeMetricFamily("plexica_identity_server_capacity", "Realms that it takes", labels=["server"])
        seconds = GaugeMetricFamily("plexica_identity_server_seconds", "Time to answer", labels=["server"])
        try:
            found = look_at_servers()
        except DatabaseError:  # nobody knows then where realms are; the other figures must still come
            return
        for finding in found:
            name = [finding.load.server.name]
            up.add_metric(name, float(finding.answers))
            realms.add_metric(name, finding.load.realms)
            room.add_metric(name, finding.load.server.capacity)
            seconds.add_metric(name, finding.latency_ms / 1000)
        yield from (up, realms, room, seconds)

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Tell no names before: collecting asks servers."""
        return iter(())
