"""Real relays and consumers that are killed, cut off, and left without the bus's data."""

import os
import random
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.conf import settings
from django.db import connections, transaction
from psycopg import sql

from accounts.people.models import Role
from core.ids import uuid7
from core.tenancy import enter
from events import publish
from events.inbox.models import HandledMessage
from events.outbox.models import OutboxMessage, ParkedMessage
from events.relay import _connect
from plexica_sdk.events import MemberAdded
from tests.events.conftest import effects
from tests.support.event_handlers import FAILS, HANGS
from tests.support.own_kafka import OwnKafka
from tests.support.own_valkey import OwnValkey
from tests.support.settings_with_handlers import EVENT_RETRY_DELAYS_S as DELAYS

EVENTS, TENANTS = 10_000, 20
LONG_S = 300.0  # a busy machine; no promise hangs on it
OURS = "tests.delivery"  # how PostgreSQL knows the connections of our processes


class Processes:
    """`manage.py` processes on this test process's database."""

    def __init__(self, bus_url: str) -> None:
        self.running: list[subprocess.Popen[bytes]] = []
        self._name = str(settings.DATABASES["default"]["NAME"])
        self._env = {
            "PLEXICA_BUS_URL": bus_url,
            "DJANGO_SETTINGS_MODULE": "tests.support.settings_with_handlers",
            "PLEXICA_LOG_LEVEL": "ERROR",
            "PGAPPNAME": OURS,
        }

    def start(self, command: str, **env: str) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [sys.executable, "manage.py", command],
            env=os.environ | self._env | env,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.running.append(process)
        return process

    def kill(self, process: "subprocess.Popen[bytes]") -> None:
        """kill -9, its children too."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.running.remove(process)

    def cut_off(self) -> None:
        """End every connection to PostgreSQL that they have, and none of another test process's."""
        with psycopg.connect(os.environ["PLEXICA_DATABASE_ADMIN_URL"], autocommit=True) as admin:
            cut = admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s AND datname = %s",
                [OURS, self._name],
            )
            assert cut.rowcount > 0

    def end(self) -> None:
        for process in self.running:
            process.terminate()
        for process in self.running:
            assert process.wait(timeout=30) == 0

    def kill_all(self) -> None:
        for process in list(self.running):
            if process.poll() is None:
                self.kill(process)


@pytest.fixture(params=[OwnValkey, OwnKafka], ids=["valkey", "kafka"])
def own_bus(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OwnValkey | OwnKafka]:
    """The server of a bus, which may be killed."""
    own: OwnValkey | OwnKafka = request.param(tmp_path)
    own.start()
    yield own
    own.kill()


@pytest.fixture
def processes(outbox: None, own_bus: OwnValkey | OwnKafka) -> Iterator[Processes]:
    processes = Processes(own_bus.url)
    try:
        yield processes
        processes.end()
    finally:
        processes.kill_all()


def publish_to(tenants: list[Any], count: int, *, at_most: int = 40) -> dict[UUID, list[UUID]]:
    """Publish so many events over the tenants, some in each transaction; return each tenant's in order."""
    sent: dict[UUID, list[UUID]] = {tenant.pk: [] for tenant in tenants}
    left = count
    while left:
        tenant = random.choice(tenants)
        some = [uuid7() for _ in range(min(left, random.randint(1, at_most)))]
        with enter(tenant.ref), transaction.atomic():
            for one in some:
                publish(MemberAdded(person_id=one))
        sent[tenant.pk] += some
        left -= len(some)
    return sent


def wait_for(
    condition: Callable[[], object], *, timeout_s: float = LONG_S, says: Callable[[], object] = lambda: ""
) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, says()
        time.sleep(0.05)


def count_effects(tenants: list[Any]) -> int:
    one = sql.SQL("SELECT count(*) AS n FROM {}.people_role WHERE label = 'effect'")
    each = sql.SQL(" UNION ALL ").join(one.format(sql.Identifier(tenant.schema_name)) for tenant in tenants)
    with _connect() as raw:
        row = raw.execute(sql.SQL("SELECT sum(n)::int FROM ({}) each").format(each)).fetchone()
        return int(row[0]) if row else 0


def all_arrived(tenants: list[Any], sent: dict[UUID, list[UUID]]) -> None:
    """Wait until every event is handled: once, and each tenant's in order."""
    wanted = sum(map(len, sent.values()))
    wait_for(lambda: count_effects(tenants) >= wanted, says=lambda: f"{count_effects(tenants)} of {wanted}")
    for tenant in tenants:
        assert effects(tenant) == sent[tenant.pk]
    assert not ParkedMessage.objects.exists()


def meanwhile(function: Callable[[], Any]) -> Callable[[], Any]:
    """Run a function in a thread; the returned one waits for its result."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(function())
        finally:
            connections.close_all()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def result() -> Any:
        thread.join(LONG_S)
        return results[0]

    return result


def test_whatever_dies_each_event_is_handled_once_and_in_order(tenants, processes, own_bus):
    """Relays, consumers, PostgreSQL's connections, the bus with and without its data; one transaction commits late."""
    late, *some = tenants(TENANTS)
    relay, consumer = processes.start("relay_events"), processes.start("consume_events")
    processes.start("relay_events"), processes.start("consume_events")
    may_commit = threading.Event()

    def commit_late() -> dict[UUID, list[UUID]]:
        one = uuid7()
        with enter(late.ref), transaction.atomic():
            publish(MemberAdded(person_id=one))
            assert may_commit.wait(10 * LONG_S)
        return {late.pk: [one]}

    committing = meanwhile(commit_late)
    sent: dict[UUID, list[UUID]] = {tenant.pk: [] for tenant in some}

    def amid(events: int, trouble: Callable[[], object]) -> None:
        """Let it happen while so many events are on their way, and see them all arrive."""
        before = sum(map(len, sent.values()))
        publishing = meanwhile(lambda: publish_to(some, events))
        wait_for(lambda: count_effects(some) > before, says=lambda: f"{count_effects(some)} of {before}")
        begin = time.monotonic()
        trouble()
        for tenant_id, ids in publishing().items():
            sent[tenant_id] += ids
        print(f"published {time.monotonic() - begin:.1f} s", end=" ")
        all_arrived(some, sent)
        print(f"handled {time.monotonic() - begin:.1f} s after the trouble")

    share = EVENTS // 5
    try:
        amid(share, lambda: (processes.kill(relay), processes.start("relay_events")))
        amid(share, lambda: (processes.kill(consumer), processes.start("consume_events")))
        amid(share, processes.cut_off)
        amid(share, lambda: (own_bus.kill(), own_bus.start()))
        amid(share, own_bus.lose)
    finally:
        may_commit.set()

    all_arrived([late], committing())


def test_a_handler_that_fails_or_hangs_in_one_tenant_holds_up_no_other(tenants, processes):
    failing, hanging, *healthy = some = tenants(5)
    processes.start("relay_events")
    processes.start("consume_events", TESTS_TROUBLE="1")
    first = publish_to(some, 5)
    all_arrived(some, first)
    for tenant, label in ((failing, FAILS), (hanging, HANGS)):
        with enter(tenant.ref):
            Role.objects.create(name=label, label=label)

    sent = publish_to(some, 300, at_most=10)  # so that each gets some

    everything = {tenant.pk: first[tenant.pk] + sent[tenant.pk] for tenant in some}
    wanted = sum(len(everything[tenant.pk]) for tenant in healthy)
    wait_for(lambda: count_effects(healthy) >= wanted)
    for tenant in healthy:
        assert effects(tenant) == everything[tenant.pk]
    for tenant in (failing, hanging):
        wait_for(lambda tenant=tenant: _parked_of(tenant) == len(sent[tenant.pk]), says=ParkedMessage.objects.count)
        wait_for(lambda tenant=tenant: _first_parked(tenant).attempts == len(DELAYS), says=lambda: "tries are missing")
    assert "killed" in _first_parked(hanging).error

    for tenant, label in ((failing, FAILS), (hanging, HANGS)):
        with enter(tenant.ref):
            Role.objects.filter(label=label).delete()
    ParkedMessage.objects.update(next_try_at="2020-01-01T00:00:00Z")
    all_arrived(some, everything)


def _first_parked(tenant: Any) -> Any:
    return ParkedMessage.objects.filter(tenant_id=tenant.pk).order_by("position").first()


def _parked_of(tenant: Any) -> int:
    return ParkedMessage.objects.filter(tenant_id=tenant.pk).count()


def test_an_event_waits_for_no_poll(tenants, processes):
    some = tenants(2)
    processes.start("relay_events"), processes.start("consume_events")
    all_arrived(some, publish_to(some, 1))

    for _ in range(12):  # one by one: nothing stands in the way of the next, on a busy machine neither
        time.sleep(0.3)  # until the last one is marked: the relay waits for the next one from then on
        before = count_effects(some)
        publish_to(some, 1)
        wait_for(partial(_more_than, before, some))

    quick, *_ = statistics.quantiles(_took_ms(some), n=4)
    assert quick < 400  # the relay's next poll is 700 away


def _more_than(count: int, tenants: list[Any]) -> bool:
    return count_effects(tenants) > count


def _took_ms(tenants: list[Any]) -> list[float]:
    took: list[float] = []
    for tenant in tenants:
        with enter(tenant.ref):
            handled = dict(HandledMessage.objects.values_list("position", "handled_at"))
        rows = OutboxMessage.objects.filter(pk__in=handled).values_list("id", "occurred_at")
        took += [(handled[position] - at).total_seconds() * 1e3 for position, at in rows]
    return took
