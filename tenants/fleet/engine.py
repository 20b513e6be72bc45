"""Migrates the fleet: reads all states, plans once for each group, runs several tenants at a time.

    read states ─> groups ─> plans ─> canary ─> pause ─> everybody else ─> read states again ─> … ─> nobody behind
                                         └─> a failure ends it here

A tenant whose tables are locked by somebody is put aside and tried again when all others are through. Tenants that old
code makes from the old template meanwhile are found when the states are read again.
"""

import getpass
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol
from uuid import UUID

import psycopg
import structlog
from django.db import connections
from django.utils import timezone

from core.tenancy import TenantRef
from tenants.fleet import ledger
from tenants.fleet.models import Run, TenantRecord
from tenants.fleet.plans import Plan, make_plans
from tenants.fleet.running import Lane, connect, error_state
from tenants.fleet.states import read_groups
from tenants.schemas.making import OPS
from tenants.schemas.template import check_template

LOCK_ID = 0x706C_6578_6663  # "plexfc": any number that nobody else takes
LOCKED = {"55P03", "40P01"}  # lock_not_available, deadlock_detected
PAST = {TenantRecord.Status.DONE, TenantRecord.Status.GONE}
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0
log = structlog.get_logger(__name__)


class FleetBusy(RuntimeError):
    """Another process migrates the fleet now."""


@dataclass(frozen=True)
class Options:
    """How a run goes. `canary` is a number of tenants or their slugs; `only` limits the run to these tenants."""

    canary: int | tuple[str, ...] = 1
    pause_s: float = 0.0
    concurrency: int = 4
    lock_timeout_s: float = 0.5
    patience_s: float = 60.0  # how long a busy tenant is tried again
    stop_after: int = 5
    only: tuple[str, ...] = ()
    retry_failed: bool = False


class Watcher(Protocol):
    """Is told how a run goes, from several threads."""

    def begun(self, run: Run, tenant_count: int) -> None: ...
    def added(self, tenant_count: int) -> None: ...
    def started(self, slug: str) -> None: ...
    def ended(self, record: TenantRecord) -> None: ...
    def postponed(self, slug: str, *, again_in_s: float) -> None: ...
    def pausing(self, seconds: float) -> None: ...


class Silent:
    """Watches nothing."""

    def begun(self, run: Run, tenant_count: int) -> None:
        """See `Watcher`."""

    def added(self, tenant_count: int) -> None:
        """See `Watcher`."""

    def started(self, slug: str) -> None:
        """See `Watcher`."""

    def ended(self, record: TenantRecord) -> None:
        """See `Watcher`."""

    def postponed(self, slug: str, *, again_in_s: float) -> None:
        """See `Watcher`."""

    def pausing(self, seconds: float) -> None:
        """See `Watcher`."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended. `run` is None if nobody was behind."""

    run: Run | None
    tenant_count: int
    counts: dict[str, int]

    @property
    def ok(self) -> bool:
        """Whether everybody is up to date, or gone."""
        return self.run is None or self.run.status == Run.Status.SUCCEEDED


@dataclass
class _Task:
    """One tenant's turn."""

    ref: TenantRef
    plan: Plan
    record: TenantRecord
    not_before: float = 0.0
    first_tried_at: float | None = None
    tries: int = 0


@contextmanager
def only_run() -> Iterator[Callable[[], None]]:
    """Hold the fleet's lock and give a function that raises OperationalError if it was lost, with its connection.

    Raises FleetBusy if another process has it.
    """
    connection = connect()
    try:
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", [LOCK_ID]).fetchone()
        if row != (True,):
            raise FleetBusy("another migrate_fleet is under way")
        yield lambda: _ask(connection)
    finally:
        connection.close()


def _ask(connection: "psycopg.Connection[Any]") -> None:
    connection.execute("SELECT 1")


def plan_fleet(only: tuple[str, ...] = ()) -> tuple[list[Plan], int]:
    """Return the plans of all groups that lack something, and how many tenants there are. Changes nothing."""
    groups = read_groups(_ids(only) if only else None)
    plans = make_plans(groups)
    return plans, sum(len(group.tenants) for group in groups)


def migrate_fleet(options: Options | None = None, watcher: Watcher | None = None) -> Outcome:
    """Bring every tenant to this code's migrations; return how it went.

    May be ended at any moment, by `kill -9` too, and run again: it goes on with those who are behind.

    Raises FleetBusy, and TemplateMissing if `migrate` was not run with this code.
    """
    migrations_hash = check_template()
    with only_run() as still_alone:
        ledger.close_interrupted_runs()
        return _Fleet(options or Options(), watcher or Silent(), still_alone, migrations_hash).go()


class _Fleet:
    """One run."""

    def __init__(
        self, options: Options, watcher: Watcher, still_alone: Callable[[], None], migrations_hash: str
    ) -> None:
        self.options, self.watcher, self.still_alone = options, watcher, still_alone
        self.migrations_hash = migrations_hash
        self.lanes = [Lane(lock_timeout_s=options.lock_timeout_s) for _ in range(max(1, options.concurrency))]
        self.run: Run | None = None
        self.met: set[UUID] = set()
        self.counts: dict[str, int] = {}
        self.stop_reason = ""

    def go(self) -> Outcome:
        only = self._only()
        try:
            while not self.stop_reason and (tasks := self._next_tasks(only)):
                self._take(tasks)
                self.still_alone()
        except BaseException as error:
            self.stop_reason = self.stop_reason or _sentence_of_end(error)
            self._close()
            raise
        finally:
            self._close_lanes()
        self._close()
        return Outcome(self.run, len(self.met), self.counts)

    def _only(self) -> set[UUID] | None:
        only = _ids(self.options.only) if self.options.only else None
        if self.options.retry_failed:
            failed = ledger.last_failed_tenants()
            return failed if only is None else only & failed
        return only

    def _next_tasks(self, only: set[UUID] | None) -> list[_Task]:
        """Return the turns of all who are behind and were not met yet."""
        groups = read_groups(only, without=self.met)
        self.met |= {ref.id for group in groups for ref in group.tenants}
        plans = make_plans(groups)
        behind = [ref for plan in plans for ref in plan.group.tenants]
        if not behind:
            return []
        for lane in self.lanes[: len(behind)]:
            lane.open_soon()
        first = self.run is None
        if self.run is None:
            self.run = ledger.open_run(
                started_by=f"{getpass.getuser()}@{socket.gethostname()}",
                options=asdict(self.options),
                migrations_hash=self.migrations_hash,
            )
        canary = self._choose_canaries(behind) if first else set()
        tasks = []
        for plan in plans:
            refs = plan.group.tenants
            records = ledger.add_records(self.run, refs, plan.names, canary=canary)
            tasks += [_Task(ref, plan, record) for ref, record in zip(refs, records, strict=True)]
        if first:
            self.watcher.begun(self.run, len(tasks))
        else:
            self.watcher.added(len(tasks))
        return tasks

    def _choose_canaries(self, refs: list[TenantRef]) -> set[UUID]:
        wanted = self.options.canary
        if isinstance(wanted, int):
            willing = [ref for ref in refs if ref.state == "active"] or refs
            return {ref.id for ref in willing[:wanted]}
        return {ref.id for ref in refs if ref.slug in wanted}

    def _take(self, tasks: list[_Task]) -> None:
        canaries = [task for task in tasks if task.record.is_canary]
        others = [task for task in tasks if not task.record.is_canary]
        if canaries:
            self._run_all(canaries)
            if self.stop_reason:
                return
            if not all(task.record.status in PAST for task in canaries):
                self.stop_reason = "a canary was not migrated"
                return
            if others and self.options.pause_s:
                self._close_lanes()
                self.watcher.pausing(self.options.pause_s)
                time.sleep(self.options.pause_s)
        self._run_all(others)

    def _run_all(self, tasks: list[_Task]) -> None:
        if tasks:
            queue = _Queue(tasks, self.options, self.watcher, self.lanes)
            try:
                queue.run()
            finally:
                connections[OPS].close()  # it lay idle, maybe for long
                self.stop_reason = self.stop_reason or queue.stop_reason
                for task in tasks:
                    self.counts[task.record.status] = self.counts.get(task.record.status, 0) + 1

    def _close_lanes(self) -> None:
        for lane in self.lanes:
            lane.close()

    def _close(self) -> None:
        if self.run is None:
            return
        bad = self.counts.get("failed", 0) + self.counts.get("busy", 0)
        status = Run.Status.FAILED if bad else Run.Status.SUCCEEDED
        ledger.close_run(self.run, Run.Status.STOPPED if self.stop_reason else status, reason=self.stop_reason)
        log.info("fleet_migrated", run=str(self.run.pk), status=self.run.status, **self.counts)


@dataclass
class _Queue:
    """Turns that several threads take; those put aside come last."""

    tasks: list[_Task]
    options: Options
    watcher: Watcher
    lanes: list[Lane]
    stop_reason: str = ""
    failures: int = 0
    _ready: deque[_Task] = field(default_factory=deque)
    _aside: list[_Task] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _busy: int = 0

    def run(self) -> None:
        """Return when every turn was taken, or the run was stopped."""
        self._ready.extend(self.tasks)
        lanes = self.lanes[: len(self.tasks)]
        threads = [
            threading.Thread(target=self._work, args=[lane], name=f"fleet-{number}", daemon=True)
            for number, lane in enumerate(lanes)
        ]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                while thread.is_alive():
                    thread.join(0.2)
        except BaseException as error:
            self._stop(_sentence_of_end(error))
            for thread in threads:
                thread.join()
            raise

    def _stop(self, reason: str) -> None:
        with self._changed:
            self.stop_reason = self.stop_reason or reason
            self._changed.notify_all()

    def _work(self, lane: Lane) -> None:
        try:
            while task := self._next():
                try:
                    self._turn(lane, task)
                finally:
                    with self._changed:
                        self._busy -= 1
                        self._changed.notify_all()
        except Exception as error:  # the ledger itself does not answer: nothing can be recorded any more
            log.exception("fleet_lane_ended")
            self._stop(f"the ledger could not be written: {error}")
        finally:
            connections.close_all()  # the lane's own for texts stays for the next queue

    def _next(self) -> _Task | None:
        with self._changed:
            while not self.stop_reason:
                if self._ready:
                    return self._taken(self._ready.popleft())
                if self._aside:
                    first = min(self._aside, key=lambda task: task.not_before)
                    wait_s = first.not_before - time.monotonic()
                    if wait_s <= 0:
                        self._aside.remove(first)
                        return self._taken(first)
                    self._changed.wait(wait_s)
                elif self._busy:
                    self._changed.wait(1)
                else:
                    return None
            return None

    def _taken(self, task: _Task) -> _Task:
        self._busy += 1
        return task

    def _turn(self, lane: Lane, task: _Task) -> None:
        record = task.record
        record.started_at = record.started_at or timezone.now()
        record.attempts = task.tries = task.tries + 1
        self.watcher.started(task.ref.slug)
        try:
            self._migrate(lane, task)
        except Exception as error:  # noqa: BLE001 - whatever a migration raises, the others go on and the ledger says it
            self._missed(lane, task, error)
            return
        record.status, record.finished_at = TenantRecord.Status.DONE, timezone.now()
        self.watcher.ended(record)

    def _migrate(self, lane: Lane, task: _Task) -> None:
        segments = task.plan.segments
        if task.tries > 1:  # what was committed by an attempt that was cut off is not run again
            applied = lane.applied(task.ref)
            segments = [segment for segment in segments if not applied.issuperset(segment.records)]
            if not segments:
                ledger.end_record(task.record, TenantRecord.Status.DONE)
                return
        for segment in segments:
            lane.run(segment, task.ref, task.record, last=segment is segments[-1])

    def _missed(self, lane: Lane, task: _Task, error: Exception) -> None:
        state = error_state(error)
        lost = state.startswith(("08", "57P"))
        if lost:
            lane.close()
        if (state in LOCKED or lost) and self._put_aside(task):
            return
        record = task.record
        now = [] if lost else read_groups({task.ref.id})
        if not lost and not now:
            ledger.end_record(record, TenantRecord.Status.GONE)
        elif now and now[0].applied.issuperset(task.plan.keys):  # by the backend of a run that was killed just now
            ledger.end_record(record, TenantRecord.Status.DONE)
        elif state in LOCKED:
            ledger.end_record(record, TenantRecord.Status.BUSY, error=_sentence(error))
        else:
            log.error("fleet_tenant_failed", tenant=str(task.ref.id), error=str(error))
            ledger.end_record(record, TenantRecord.Status.FAILED, error=_sentence(error))
            self._count_failure()
        self.watcher.ended(record)

    def _put_aside(self, task: _Task) -> bool:
        """Let all others go first; False when the tenant's time is over."""
        now = time.monotonic()
        task.first_tried_at = task.first_tried_at or now
        if now - task.first_tried_at > self.options.patience_s:
            return False
        pause_s = min(FIRST_PAUSE_S * 2 ** (task.tries - 1), LONGEST_PAUSE_S)
        task.not_before = now + pause_s
        with self._changed:
            self._aside.append(task)
            self._changed.notify_all()
        self.watcher.postponed(task.ref.slug, again_in_s=pause_s)
        return True

    def _count_failure(self) -> None:
        with self._changed:
            self.failures += 1
            if self.options.stop_after and self.failures >= self.options.stop_after:
                self.stop_reason = self.stop_reason or f"{self.failures} tenants failed"
                self._changed.notify_all()


def _ids(slugs: tuple[str, ...]) -> set[UUID]:
    from tenants.selectors import get_tenant

    return {get_tenant(slug).pk for slug in slugs}


def _sentence_of_end(error: BaseException) -> str:
    return "ended by a signal" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"


def _sentence(error: Exception) -> str:
    kind: Any = type(error.__cause__ or error)
    return f"{kind.__name__}: {str(error).strip()[:2000]}"
