"""An event from commit to handler, beside a Celery task sent with transaction.on_commit; a backlog; what publishing costs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from benchmarks.harness import Bar, Figure, Ground, median, percentile

TENANTS = 20
PER_SECOND = 200
SECONDS = 15
PAIRS = 3  # rounds of events and tasks, in turn: both meet the same machine
BACKLOG = 20_000
ROUNDS = 400
PATIENCE_S = 60.0  # without anything handled: a process needs some seconds to start on a busy machine
Send = Callable[[UUID], None]


def run(ground: Ground, size: int = TENANTS) -> Iterator[Figure]:
    """Measure it over `size` tenants; over fewer than the promise speaks of, with far fewer events."""
    share = min(1.0, size / TENANTS) ** 2
    handled = Handled(Path(f"var/bench/handled-{os.getpid()}"))
    ground.at_end(handled.path.unlink)
    tenants = ground.make_tenants(size)
    count = round(PER_SECOND * SECONDS * share)
    series: dict[Send, list[float]] = {_publish: [], _delay: []}
    with _celery(handled), _processes(handled, "relay_events", "consume_events") as (relay, _consumer):
        ground.say("starting relay, consumer and worker")
        for send in series:
            _warm_up(tenants, handled, send)
        ground.say(f"{count} events and as many tasks at {PER_SECOND}/s, in turn")
        for _ in range(PAIRS):
            for send in series:
                series[send] += _paced(tenants, count // PAIRS, handled, send)
        ground.say("a backlog")
        sustained = _backlog(ground, tenants, round(BACKLOG * share), handled, relay)
    ours, theirs = series[_publish], series[_delay]
    ground.say("publishing alone")
    cost_us = _publish_cost(tenants[0], rounds=round(ROUNDS * share) + 10)
    at_200 = f"{PER_SECOND}/s over {size} tenants"
    yield Figure("delivery_p50", _ms(median(ours)), "ms", Bar("at_most", 4), at_200)
    yield Figure("delivery_p95", _ms(percentile(ours, 95)), "ms", Bar("at_most", 10))
    yield Figure("delivery_max", _ms(max(ours)), "ms")
    note = f"{_ms(median(theirs))} ms and {_ms(percentile(theirs, 95))} ms"
    ratio = round(percentile(theirs, 95) / percentile(ours, 95), 2)
    yield Figure("vs_celery", ratio, "x", Bar("at_least", 1), note)
    yield Figure("sustained", round(sustained), "/s", Bar("at_least", 3000), "relay and one consumer, from a backlog")
    yield Figure("publish_cost", round(cost_us, 1), "us", Bar("at_most", 300), "added to a service's transaction")


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)


class Handled:
    """The file in which handlers note what they did, and when."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(b"")

    def count(self) -> int:
        """Return how many entries there are."""
        from benchmarks.event_handlers import ENTRY

        return self.path.stat().st_size // ENTRY.size

    def read(self) -> dict[UUID, float]:
        """Return when each was handled."""
        from benchmarks.event_handlers import ENTRY

        whole = self.path.read_bytes()
        return {UUID(bytes=key): at for key, at in ENTRY.iter_unpack(whole[: len(whole) // ENTRY.size * ENTRY.size])}

    def wait_for(self, count: int, keys: Collection[UUID] = ()) -> None:
        """Wait until there are so many entries, these among them: what is handed over twice stands here twice."""
        seen, moved_at = -1, time.monotonic()
        while (now := self.count()) < count or (keys and not self.read().keys() >= set(keys)):
            if now > seen:
                seen, moved_at = now, time.monotonic()
            elif time.monotonic() > moved_at + PATIENCE_S:
                raise RuntimeError(f"{now} of {count} handled, and no more for {PATIENCE_S:.0f} s")
            time.sleep(0.02)


def _publish(key: UUID) -> None:
    from events import publish
    from plexica_sdk.events import MemberAdded

    publish(MemberAdded(person_id=key))


def _delay(key: UUID) -> None:
    from django.db import connection, transaction

    from benchmarks.event_handlers import handle_as_task

    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")  # a transaction that does something, too
    transaction.on_commit(lambda: handle_as_task.delay(str(key)))


def _warm_up(tenants: Sequence[Any], handled: Handled, send: Send) -> None:
    """Wait until what is sent is handled; the first of each tenant pays for caches."""
    before = handled.count()
    for tenant in [*tenants, *tenants]:
        _send_one(tenant, send)
    handled.wait_for(before + len(tenants) * 2)


def _paced(tenants: Sequence[Any], count: int, handled: Handled, send: Send) -> list[float]:
    """Send at an even pace, each in a transaction of its own; return the seconds from each commit to its handler."""
    before = handled.count()
    committed = {}
    begin = time.perf_counter()
    for number in range(count):
        time.sleep(max(0.0, begin + number / PER_SECOND - time.perf_counter()))
        key, moment = _send_one(tenants[number % len(tenants)], send)
        committed[key] = moment
    handled.wait_for(before + count, committed)
    done = handled.read()
    return [done[key] - moment for key, moment in committed.items()]


def _send_one(tenant: Any, send: Send) -> tuple[UUID, float]:
    """Send one and return its key and when it was committed."""
    from django.db import transaction

    from core.ids import uuid7
    from core.tenancy import enter

    key = uuid7()
    at: list[float] = []
    with enter(tenant.ref), transaction.atomic():
        transaction.on_commit(lambda: at.append(time.time()))  # before a task is sent, which happens on commit, too
        send(key)
    return key, at[0]


def _backlog(ground: Ground, tenants: Sequence[Any], count: int, handled: Handled, relay: int) -> float:
    """Let the relay stand still while events gather; return how many a second are handled from then on."""
    before = handled.count()
    os.kill(relay, signal.SIGSTOP)
    with ground.admin() as admin:
        admin.execute(
            "INSERT INTO events_outbox (occurred_at, name, version, tenant_id, actor_kind, request_id, payload)"
            " SELECT clock_timestamp(), 'plexica.member.added', 1, (%s::uuid[])[1 + n %% %s], 'system', '',"
            " jsonb_build_object('person_id', gen_random_uuid()) FROM generate_series(1, %s) n",
            [[tenant.pk for tenant in tenants], len(tenants), count],
        )
        admin.execute("ANALYZE events_outbox")
    if count == BACKLOG:  # few rows leave little behind, and a checkpoint takes its time
        ground.settle()
    begin = time.perf_counter()
    os.kill(relay, signal.SIGCONT)
    handled.wait_for(before + count)
    return count / (time.perf_counter() - begin)


def _publish_cost(tenant: Any, *, rounds: int) -> float:
    """Return the microseconds that publishing adds to a transaction that writes a row and its audit entry."""
    from django.db import transaction

    from core import audit
    from core.actors import SYSTEM
    from core.ids import uuid7
    from core.tenancy import enter

    def change(*, publishes: bool) -> float:
        begin = time.perf_counter()
        with transaction.atomic():
            audit.record(actor=SYSTEM, action="member.updated")
            if publishes:
                _publish(uuid7())
        return (time.perf_counter() - begin) * 1e6

    series: dict[bool, list[float]] = {False: [], True: []}
    with enter(tenant.ref):
        for _ in range(rounds):
            for publishes, took in series.items():
                took.append(change(publishes=publishes))
    return median(series[True]) - median(series[False])


@contextmanager
def _processes(handled: Handled, *commands: str) -> Iterator[list[int]]:
    with _running([[sys.executable, "manage.py", command] for command in commands], handled) as pids:
        yield pids


@contextmanager
def _celery(handled: Handled) -> Iterator[None]:
    words = ["worker", "-Q", "default", "--include", "benchmarks.event_handlers", "--loglevel", "ERROR"]
    with _running([[sys.executable, "-m", "celery", "-A", "plexica", *words]], handled):
        yield


@contextmanager
def _running(commands: Sequence[Sequence[str]], handled: Handled) -> Iterator[list[int]]:
    from benchmarks.event_handlers import VARIABLE

    env = os.environ | {VARIABLE: str(handled.path)}
    running = [
        subprocess.Popen(words, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) for words in commands
    ]
    try:
        yield [process.pid for process in running]
    finally:
        for process in running:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in running:
            process.wait(60)
