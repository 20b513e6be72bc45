"""Carries out operations: claims them, runs their steps one after the other, retries, undoes.

The table is the truth. A worker holds a lease and renews it; when the lease runs out, another worker goes on where the
record says. Nothing here keeps a transaction open while a step runs.
"""

import os
import random
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

import structlog
from botocore.exceptions import BotoCoreError
from celery import current_app
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, connections, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError as BrokerError

from core.errors import PlexicaError, Unavailable
from tenants.errors import LeftoversFound
from tenants.models import Operation, OperationStep
from tenants.steps import TenantStep, step_at

LEASE_S = 12.0
HEARTBEAT_S = 3.0
MAX_ATTEMPTS = 6
BACKOFF_S = (0.5, 1.0, 2.0, 4.0, 8.0)
TRANSIENT = (
    Unavailable,
    OperationalError,
    InterfaceError,
    BrokerError,
    BotoCoreError,
    ConnectionError,
    TimeoutError,
)
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Ending:
    """What a kind of operation does in the transaction that ends it."""

    succeeded: Callable[[Operation], None]
    failed: Callable[[Operation], None]


_endings: dict[str, Ending] = {}


def register_kind(kind: Operation.Kind, ending: Ending) -> None:
    """Say how operations of one kind end; the service that asks for them registers it."""
    _endings[kind] = ending


def wake_a_worker(operation: Operation, *, delay_s: float = 0.0) -> None:
    """Send a hint after commit. Losing it costs seconds: a beat finds what is due."""

    def hint() -> None:
        try:
            current_app.send_task("tenants.tasks.run_operation", args=(str(operation.pk),), countdown=delay_s)
        except BrokerError as error:
            log.warning("operation_hint_lost", operation=str(operation.pk), error=str(error))

    transaction.on_commit(hint)


@transaction.atomic
def claim_operation(*, worker: str, operation_id: UUID | None = None) -> Operation | None:
    """Take an operation that is due and that nobody holds, or None; the lease is this worker's from then on."""
    now = timezone.now()
    due = Operation.objects.filter(status__in=Operation.OPEN, due_at__lte=now).filter(
        Q(lease_until=None) | Q(lease_until__lt=now)
    )
    if operation_id:
        due = due.filter(pk=operation_id)
    operation = due.select_for_update(skip_locked=True).order_by("due_at").first()
    if operation is None:
        return None
    operation.lease_owner = worker
    operation.lease_until = now + timedelta(seconds=LEASE_S)
    operation.started_at = operation.started_at or now
    if operation.status == Operation.Status.PENDING:
        operation.status = Operation.Status.RUNNING
    operation.save(update_fields=["lease_owner", "lease_until", "started_at", "status"])
    return operation


def run_due_operations() -> int:
    """Claim and run operations until none is due; return how many."""
    done = 0
    while run_operation():
        done += 1
    return done


def run_operation(operation_id: UUID | None = None) -> bool:
    """Claim one operation and take it as far as it goes now. Returns False if there was nothing to claim."""
    worker = f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident()}"
    operation = claim_operation(worker=worker, operation_id=operation_id)
    if operation is None:
        return False
    # what steps and errors say is kept as text, for whoever asked
    with (
        translation.override(operation.inputs.get("asked_in") or settings.LANGUAGE_CODE),
        structlog.contextvars.bound_contextvars(operation=str(operation.pk)),
        Lease(operation) as lease,
    ):
        _Run(operation, lease).go()
    return True


class LeaseLost(Exception):
    """Another worker has the operation: whatever this one was about to write is not its to write any more."""


class Lease:
    """Renews the lease of an operation in the background, over a connection of its own."""

    def __init__(self, operation: Operation) -> None:
        self.operation_id, self.owner = operation.pk, operation.lease_owner
        self.lost = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()

    def _renew(self) -> None:
        try:
            while not self._stop.wait(HEARTBEAT_S):
                until = timezone.now() + timedelta(seconds=LEASE_S)
                try:
                    held = self._mine().update(lease_until=until)
                except (OperationalError, InterfaceError) as error:
                    log.warning("lease_not_renewed", error=str(error))
                    connection.close()
                    continue
                if not held:
                    self.lost.set()
                    return
        finally:
            connections.close_all()

    def _mine(self) -> QuerySet[Operation]:
        return Operation.objects.filter(pk=self.operation_id, lease_owner=self.owner)

    @contextmanager
    def held(self) -> Iterator[None]:
        """A transaction in which the lease is surely this worker's. Raises LeaseLost, with nothing written."""
        with transaction.atomic():
            if not self._mine().select_for_update().exists():
                self.lost.set()
                raise LeaseLost
            yield


class _Run:
    """One worker's go at one operation."""

    def __init__(self, operation: Operation, lease: Lease) -> None:
        self.operation = operation
        self.lease = lease
        self.tenant = operation.tenant

    def go(self) -> None:
        try:
            if self.operation.status == Operation.Status.RUNNING:
                self._forward()
            if self.operation.status == Operation.Status.UNDOING:
                self._backward()
        except LeaseLost:
            log.warning("lease_lost")

    def _save(self, row: Operation | OperationStep, *fields: str) -> None:
        with self.lease.held():
            row.save(update_fields=fields)

    # -- forward

    def _forward(self) -> None:
        steps = list(self.operation.steps.all())
        if not self._without_leftovers(steps):
            return
        for row in steps:
            if row.status == OperationStep.Status.DONE:
                continue
            if self.lease.lost.is_set() or not self._run_step(row):
                return
        self._end(Operation.Status.SUCCEEDED, _endings[self.operation.kind].succeeded)

    def _without_leftovers(self, steps: list[OperationStep]) -> bool:
        """Look for things of an earlier life before the first step; named, they end the operation untouched."""
        if self.operation.checked_at:
            return True
        try:
            found = [leftover for row in steps for leftover in step_at(row.path).find_leftovers(self.tenant)]
            if found:
                raise LeftoversFound(leftovers=", ".join(map(str, found)))
        except Exception as error:  # noqa: BLE001 - see _run_step
            return self._give_up_untouched(steps[0], error)
        self.operation.checked_at = timezone.now()
        self._save(self.operation, "checked_at")
        return True

    def _give_up_untouched(self, first: OperationStep, error: Exception) -> bool:
        """Try again, or end without undoing: nothing was made yet, and what was found belongs to somebody else."""
        first.attempt += 1
        self._retry_or_undo(first, error)
        if self.operation.status == Operation.Status.UNDOING:
            self._end(Operation.Status.FAILED, _endings[self.operation.kind].failed)
        return False

    def _run_step(self, row: OperationStep) -> bool:
        step = step_at(row.path)
        row.status, row.attempt, row.started_at = (
            OperationStep.Status.RUNNING,
            row.attempt + 1,
            row.started_at or timezone.now(),
        )
        row.next_try_at = None
        self._save(row, "status", "attempt", "started_at", "next_try_at")
        try:
            row.detail = step.run(self.tenant, self.operation.inputs)[:400]
        except Exception as error:  # noqa: BLE001 - a step may fail in any way, and each way must be recorded and undone
            self._retry_or_undo(row, error)
            return False
        row.status, row.finished_at, row.error = OperationStep.Status.DONE, timezone.now(), ""
        self._save(row, "status", "finished_at", "error", "detail")
        return True

    def _retry_or_undo(self, row: OperationStep, error: Exception) -> None:
        connections["default"].close_if_unusable_or_obsolete()
        row.error = describe_error(error)
        if isinstance(error, TRANSIENT) and row.attempt < MAX_ATTEMPTS:
            delay_s = _backoff_s(row.attempt)
            row.status, row.next_try_at = OperationStep.Status.RETRYING, timezone.now() + timedelta(seconds=delay_s)
            self._save(row, "status", "error", "next_try_at", "attempt")
            self._hand_back(due_at=row.next_try_at, delay_s=delay_s)
            log.warning("step_retrying", step=row.path, attempt=row.attempt, error=row.error)
            return
        row.status, row.finished_at = OperationStep.Status.FAILED, timezone.now()
        self._save(row, "status", "error", "finished_at")
        log.error("step_failed", step=row.path, attempt=row.attempt, error=row.error, exc_info=error)
        self._fail(error)

    def _fail(self, error: Exception) -> None:
        self.operation.status = Operation.Status.UNDOING
        self.operation.error = describe_error(error)
        self.operation.error_code = error.code if isinstance(error, PlexicaError) else "unexpected"
        self._save(self.operation, "status", "error", "error_code")

    # -- backward

    def _backward(self) -> None:
        """Undo upwards what was begun: nothing, if the look for leftovers did not end well."""
        begun = self.operation.steps.exclude(attempt=0).exclude(status=OperationStep.Status.UNDONE)
        touched = list(begun) if self.operation.checked_at else []
        for row in reversed(touched):
            if self.lease.lost.is_set() or not self._undo_step(row, step_at(row.path)):
                return
        self._end(Operation.Status.FAILED, _endings[self.operation.kind].failed)

    def _undo_step(self, row: OperationStep, step: TenantStep) -> bool:
        try:
            step.undo(self.tenant)
        except Exception as error:
            row.error, row.attempt = describe_error(error), row.attempt + 1
            self._save(row, "error", "attempt")
            log.exception("undo_failed", step=row.path, attempt=row.attempt)
            if row.attempt < 2 * MAX_ATTEMPTS:
                delay_s = _backoff_s(row.attempt)
                self._hand_back(due_at=timezone.now() + timedelta(seconds=delay_s), delay_s=delay_s)
            else:
                self._stop(Operation.Status.STUCK)
            return False
        row.status, row.finished_at = OperationStep.Status.UNDONE, timezone.now()
        self._save(row, "status", "finished_at")
        return True

    # -- ends

    def _end(self, status: Operation.Status, ending: Callable[[Operation], None]) -> None:
        with self.lease.held():
            self._stop(status)
            ending(self.operation)
        log.info("operation_ended", kind=self.operation.kind, status=status)

    def _stop(self, status: Operation.Status) -> None:
        self.operation.status, self.operation.finished_at = status, timezone.now()
        self.operation.lease_owner, self.operation.lease_until = "", None
        self._save(self.operation, "status", "finished_at", "lease_owner", "lease_until")

    def _hand_back(self, *, due_at: datetime, delay_s: float) -> None:
        self.operation.due_at, self.operation.lease_owner, self.operation.lease_until = due_at, "", None
        self._save(self.operation, "due_at", "lease_owner", "lease_until")
        wake_a_worker(self.operation, delay_s=delay_s)


def _backoff_s(attempt: int) -> float:
    return BACKOFF_S[min(max(attempt, 1), len(BACKOFF_S)) - 1] * random.uniform(0.8, 1.2)  # noqa: S311 - jitter


def describe_error(error: Exception) -> str:
    """Return a sentence for operators: our own errors speak for themselves, others show their class."""
    if isinstance(error, PlexicaError):
        return str(error)
    return _("%(kind)s: %(text)s") % {"kind": type(error).__name__, "text": str(error)[:500]}
