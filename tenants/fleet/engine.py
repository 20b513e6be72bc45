"""Migrates the fleet: reads all states, plans once for each group, runs several tenants at a time.

    read states ─> groups ─> plans ─> canary ─> pause ─> everybody else ─> read states again ─> … ─> nobody behind
                                         └─> a failure ends it here

A tenant whose tables are locked by somebody is put aside and tried again when all others are through. Tenants that old
code makes from the old template meanwhile are found when the states are read again.
"""

import getpass
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

import psycopg
import structlog
from django.db import connections

from core.tenancy import TenantRef
from tenants.fleet import ledger
from tenants.fleet.models import Run
from tenants.fleet.plans import Plan, make_plans
from tenants.fleet.running import Lane, connect
from tenants.fleet.states import read_groups
from tenants.fleet.turns import PAST, Options, Queue, Silent, Turn, Watcher, sentence_of_end
from tenants.schemas.making import OPS
from tenants.schemas.template import check_template

READERS = 4  # more do not read the states faster
LOCK_ID = 0x706C_6578_6663  # "plexfc": any number that nobody else takes
log = structlog.get_logger(__name__)


class FleetBusy(RuntimeError):
    """Another process migrates the fleet now."""


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


def plan_fleet(options: Options | None = None) -> tuple[list[Plan], int]:
    """Return the plans of all groups that a run would migrate, and how many tenants there are. Changes nothing.

    Raises TenantNotFound like a run, if it names a tenant or canary that is not there.
    """
    options = options or Options()
    _named_canaries(options)
    groups = read_groups(_chosen_tenants(options))
    plans = make_plans(groups)
    return plans, sum(len(group.tenants) for group in groups)


def migrate_fleet(options: Options | None = None, watcher: Watcher | None = None) -> Outcome:
    """Bring every tenant to this code's migrations; return how it went.

    May be ended at any moment, by `kill -9` too, and run again: it goes on with those who are behind.

    Raises FleetBusy, and TemplateMissing if `migrate` was not run with this code.
    """
    options = options or Options()
    with _opening_lanes(options) as lanes:
        migrations_hash = check_template()
        with only_run() as still_alone:
            ledger.close_interrupted_runs()
            return _Fleet(options, watcher or Silent(), lanes, still_alone, migrations_hash).go()


@contextmanager
def _opening_lanes(options: Options) -> Iterator[list[Lane]]:
    """Give the run's lanes; those that help to read states connect meanwhile."""
    lanes = [Lane(lock_timeout_s=options.lock_timeout_s) for _ in range(max(1, options.concurrency))]
    for lane in lanes[:READERS]:
        lane.open_soon()
    try:
        yield lanes
    finally:
        _close_all(lanes)


def _close_all(lanes: list[Lane]) -> None:
    for lane in lanes:
        lane.close()


class _Fleet:
    """One run."""

    def __init__(
        self,
        options: Options,
        watcher: Watcher,
        lanes: list[Lane],
        still_alone: Callable[[], None],
        migrations_hash: str,
    ) -> None:
        self.options, self.watcher, self.lanes, self.still_alone = options, watcher, lanes, still_alone
        self.migrations_hash = migrations_hash
        self.run: Run | None = None
        self.named_canaries: set[UUID] = set()
        self.met: set[UUID] = set()
        self.counts: dict[str, int] = {}
        self.stop_reason = ""

    def go(self) -> Outcome:
        only = _chosen_tenants(self.options)
        self.named_canaries = _named_canaries(self.options)
        try:
            while not self.stop_reason and (tasks := self._next_tasks(only)):
                self._take(tasks)
                self.still_alone()
        except BaseException as error:
            self.stop_reason = self.stop_reason or sentence_of_end(error)
            self._close()
            raise
        self._close()
        return Outcome(self.run, len(self.met), self.counts)

    def _next_tasks(self, only: set[UUID] | None) -> list[Turn]:
        """Return the turns of all who are behind and were not met yet."""
        groups = read_groups(only, without=self.met, helpers=[lane.ask for lane in self.lanes[:READERS]])
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
            tasks += [Turn(ref, plan, record) for ref, record in zip(refs, records, strict=True)]
        if first:
            self.watcher.begun(self.run, len(tasks))
        else:
            self.watcher.added(len(tasks))
        return tasks

    def _choose_canaries(self, refs: list[TenantRef]) -> set[UUID]:
        if isinstance(self.options.canary, tuple):
            return self.named_canaries
        willing = [ref for ref in refs if ref.state == "active"] or refs
        return {ref.id for ref in willing[: self.options.canary]}

    def _take(self, tasks: list[Turn]) -> None:
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
                _close_all(self.lanes)
                self.watcher.pausing(self.options.pause_s)
                time.sleep(self.options.pause_s)
        self._run_all(others)

    def _run_all(self, tasks: list[Turn]) -> None:
        if tasks:
            queue = Queue(tasks, self.options, self.watcher, self.lanes)
            try:
                queue.run()
            finally:
                if not connections[OPS].is_usable():  # it lay idle, maybe for long
                    connections[OPS].close()
                self.stop_reason = self.stop_reason or queue.stop_reason
                for task in tasks:
                    self.counts[task.record.status] = self.counts.get(task.record.status, 0) + 1

    def _close(self) -> None:
        if self.run is None:
            return
        bad = self.counts.get("failed", 0) + self.counts.get("busy", 0)
        status = Run.Status.FAILED if bad else Run.Status.SUCCEEDED
        ledger.close_run(self.run, Run.Status.STOPPED if self.stop_reason else status, reason=self.stop_reason)
        log.info("fleet_migrated", run=str(self.run.pk), status=self.run.status, **self.counts)


def _chosen_tenants(options: Options) -> set[UUID] | None:
    """Return the tenants that a run is for, or None for all."""
    only = _ids(options.only) if options.only else None
    if options.retry_failed:
        failed = ledger.last_failed_tenants()
        return failed if only is None else only & failed
    return only


def _named_canaries(options: Options) -> set[UUID]:
    return _ids(options.canary) if isinstance(options.canary, tuple) else set()


def _ids(slugs: tuple[str, ...]) -> set[UUID]:
    from tenants.selectors import get_tenant

    return {get_tenant(slug).pk for slug in slugs}
