"""Tenants take their turns: several threads at a time, the busy ones last, and whoever watches is told."""

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Protocol

import structlog
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from core.tenancy import TenantRef
from tenants.fleet import ledger
from tenants.fleet.models import Run, TenantRecord
from tenants.fleet.plans import Plan
from tenants.fleet.running import Lane, error_state
from tenants.fleet.states import read_groups
from tenants.schemas.making import OPS

LOCKED = {"55P03", "40P01"}  # lock_not_available, deadlock_detected
PAST = {TenantRecord.Status.DONE, TenantRecord.Status.GONE}
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0
log = structlog.get_logger(__name__)


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


@dataclass
class Turn:
    """One tenant's turn."""

    ref: TenantRef
    plan: Plan
    record: TenantRecord
    not_before: float = 0.0
    first_tried_at: float | None = None
    tries: int = 0


@dataclass
class Queue:
    """Turns that several threads take; those put aside come last."""

    tasks: list[Turn]
    options: Options
    watcher: Watcher
    lanes: list[Lane]
    stop_reason: str = ""
    failures: int = 0
    _ready: deque[Turn] = field(default_factory=deque)
    _aside: list[Turn] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _busy: int = 0

    def run(self) -> None:
        """Return when every turn was taken, or the run was stopped."""
        self._ready.extend(self.tasks)
        lanes = self.lanes[: len(self.tasks)]
        ours = connections[OPS]  # lent to the first lane: this thread only waits, and another one costs a canary's time
        ours.inc_thread_sharing()
        threads = [
            threading.Thread(target=self._work, args=[lane, lent], name=f"fleet-{number}", daemon=True)
            for number, (lane, lent) in enumerate(zip_longest(lanes, [ours]))
        ]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                while thread.is_alive():
                    thread.join(0.2)
        except BaseException as error:
            self._stop(sentence_of_end(error))
            for thread in threads:
                thread.join()
            raise
        finally:
            ours.dec_thread_sharing()

    def _stop(self, reason: str) -> None:
        with self._changed:
            self.stop_reason = self.stop_reason or reason
            self._changed.notify_all()

    def _work(self, lane: Lane, lent: BaseDatabaseWrapper | None) -> None:
        if lent is not None:
            connections[OPS] = lent
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
            if lent is not None:
                del connections[OPS]
            connections.close_all()  # the lane's own for texts stays for the next queue

    def _next(self) -> Turn | None:
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

    def _taken(self, task: Turn) -> Turn:
        self._busy += 1
        return task

    def _turn(self, lane: Lane, task: Turn) -> None:
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

    def _migrate(self, lane: Lane, task: Turn) -> None:
        segments = task.plan.segments
        if task.tries > 1:  # what was committed by an attempt that was cut off is not run again
            applied = lane.applied(task.ref)
            segments = [segment for segment in segments if not applied.issuperset(segment.records)]
            if not segments:
                ledger.end_record(task.record, TenantRecord.Status.DONE)
                return
        for segment in segments:
            lane.run(segment, task.ref, task.record, last=segment is segments[-1])

    def _missed(self, lane: Lane, task: Turn, error: Exception) -> None:
        state = error_state(error)
        lost = state.startswith(("08", "57P"))
        if lost:
            lane.close()
            connections[OPS].close()
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

    def _put_aside(self, task: Turn) -> bool:
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


def sentence_of_end(error: BaseException) -> str:
    """Return why a run was ended from outside."""
    return "ended by a signal" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"


def _sentence(error: Exception) -> str:
    kind: Any = type(error.__cause__ or error)
    return f"{kind.__name__}: {str(error).strip()[:2000]}"
