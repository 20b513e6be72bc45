"""Carries out operations of every kind: claims them, runs their steps one after the other, retries, undoes.

The table is the truth. A worker holds a lease and renews it; when the lease runs out, another worker goes on where the
record says. Nothing here keeps a transaction open while a step runs.
"""

import os
import random
import socket
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connections, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError as BrokerError

from core import audit
from core.actors import SYSTEM
from core.errors import PlexicaError, Unavailable
from core.tenancy import guarded
from events import publish
from plexica_sdk.events import OperationStuck
from tenants.errors import CannotAdopt, LeftoversFound, SomethingLeft, StepUnknown
from tenants.kinds import kind_of
from tenants.models import Operation, OperationStep
from tenants.services.leases import Lease, LeaseLost, lease_from_now
from tenants.services.operations import ADOPT, CLEAN, wake_a_worker
from tenants.steps import Outcome, TenantStep

BACKOFF_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 300.0)
UNDO_ATTEMPTS = 12
TRANSIENT = (
    Unavailable,
    SomethingLeft,
    OperationalError,
    InterfaceError,
    BrokerError,
    ConnectionError,
    TimeoutError,
)
log = structlog.get_logger(__name__)


class WorkerLost(Exception):
    """No attempt at a step came to an end: whoever tries it is ended, by lack of memory for example."""


@transaction.atomic
def claim_operation(*, worker: str, operation_id: UUID | None = None) -> Operation | None:
    """Take an operation that is due and that nobody holds, or None; the lease is this worker's from then on."""
    now = timezone.now()
    due = Operation.objects.filter(status__in=Operation.OPEN, due_at__lte=now).filter(
        Q(lease_until=None) | Q(lease_until__lt=Now())
    )
    if operation_id:
        due = due.filter(pk=operation_id)
    operation = due.select_for_update(skip_locked=True).order_by("due_at").first()
    if operation is None:
        return None
    operation.lease_owner = worker
    operation.lease_until = lease_from_now()
    operation.started_at = operation.started_at or now
    if operation.status == Operation.Status.PENDING:
        operation.status = Operation.Status.RUNNING
    operation.save(update_fields=["lease_owner", "lease_until", "started_at", "status"])
    operation.refresh_from_db(fields=["lease_until"])
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
        guarded(lease.confirm),
    ):
        _Run(operation, lease).go()
    return True


class _Run:
    """One worker's go at one operation."""

    def __init__(self, operation: Operation, lease: Lease) -> None:
        self.operation = operation
        self.lease = lease
        self.tenant = operation.tenant
        self.kind = kind_of(operation)

    def go(self) -> None:
        try:
            if self.operation.status == Operation.Status.RUNNING:
                self._forward()
            if self.operation.status == Operation.Status.UNDOING:
                self._backward()
        except LeaseLost:
            log.warning("lease_lost")

    def _step(self, row: OperationStep) -> TenantStep:
        return self.kind.step(row, self.operation.inputs)

    def _save(self, row: Operation | OperationStep, *fields: str) -> None:
        with self.lease.held():
            row.save(update_fields=fields)

    # -- forward

    def _forward(self) -> None:
        steps = list(self.operation.steps.all())
        if self.kind.looks_for_leftovers and not self.operation.checked_at and not self._look_for_leftovers(steps):
            return
        for row in steps:
            if row.status == OperationStep.Status.DONE:
                continue
            if self.lease.lost.is_set() or not self._run_step(row):
                return
        self._finish(Operation.Status.SUCCEEDED, self.kind.succeeded)

    def _look_for_leftovers(self, rows: list[OperationStep]) -> bool:
        """Look for things of an earlier life before the first step: nothing is touched unless an operator said what to do."""
        try:
            found, answer = self._leftovers(rows), self.operation.inputs.get("leftovers")
            if found and answer == ADOPT:
                found = self._adopt(found)
            elif found and answer == CLEAN:
                found = self._clean(rows, found)
            if found:
                raise LeftoversFound(leftovers=", ".join(_names(found)))
        except LeaseLost:
            raise
        except (LeftoversFound, CannotAdopt, StepUnknown) as error:
            self._note(error)
            self._get_stuck()
            return False
        except Exception as error:  # noqa: BLE001 - see _run_step
            rows[0].attempt += 1
            self._retry_or_fail(rows[0], error)
            return False
        self.operation.checked_at = timezone.now()
        self._save(self.operation, "checked_at")
        return True

    def _leftovers(self, rows: list[OperationStep]) -> dict[str, list[str]]:
        """Return the names of what exists already, by the key of the step that needs them."""
        found = {row.key: [str(leftover) for leftover in self._step(row).find_leftovers(self.tenant)] for row in rows}
        return {key: names for key, names in found.items() if names}

    def _adopt(self, found: dict[str, list[str]]) -> dict[str, list[str]]:
        """Make leftovers the tenant's. They are noted first, so that no undoing ever takes them away."""
        adopted = {**self.operation.facts.get("adopted", {}), **found}
        with self.lease.held():
            self.operation.facts = {**self.operation.facts, "adopted": adopted}
            self.operation.save(update_fields=["facts"])
            audit.record(actor=SYSTEM, action="operation.leftovers_adopted", target=self.tenant, **self._facts(found))
        for row in self.operation.steps.all():
            if row.key in found:
                self._step(row).adopt(self.tenant)
        return {}

    def _clean(self, rows: list[OperationStep], found: dict[str, list[str]]) -> dict[str, list[str]]:
        """Take leftovers away, the last step's first, and return what there still is. What is made anew may be undone."""
        adopted = {key: names for key, names in self.operation.facts.get("adopted", {}).items() if key not in found}
        with self.lease.held():
            self.operation.facts = {**self.operation.facts, "adopted": adopted}
            self.operation.save(update_fields=["facts"])
            audit.record(actor=SYSTEM, action="operation.leftovers_cleaned", target=self.tenant, **self._facts(found))
        for row in reversed(rows):
            if row.key in found:
                self._step(row).clean(self.tenant)
        return self._leftovers(rows)

    def _facts(self, found: dict[str, list[str]]) -> dict[str, Any]:
        return {"operation": str(self.operation.pk), "leftovers": _names(found)}

    def _run_step(self, row: OperationStep) -> bool:
        if row.status == OperationStep.Status.RUNNING and row.attempt >= self.kind.max_attempts:
            self._retry_or_fail(
                row, WorkerLost(_("Its worker was ended %(n)d times in the middle of it.") % {"n": row.attempt})
            )
            return False
        row.status, row.attempt, row.started_at = (
            OperationStep.Status.RUNNING,
            row.attempt + 1,
            row.started_at or timezone.now(),
        )
        row.next_try_at = None
        self._save(row, "status", "attempt", "started_at", "next_try_at")
        try:
            said = self._step(row).run(self.tenant, self.operation.inputs)
        except LeaseLost:
            raise
        except Exception as error:  # noqa: BLE001 - a step may fail in any way, and each way must be recorded and undone
            self._retry_or_fail(row, error)
            return False
        outcome = said if isinstance(said, Outcome) else Outcome(said)
        row.status, row.finished_at, row.error = OperationStep.Status.DONE, timezone.now(), ""
        row.detail = outcome.detail[:400]
        with self.lease.held():
            row.save(update_fields=["status", "finished_at", "error", "detail"])
            if outcome.facts:
                self.operation.facts = {**self.operation.facts, **outcome.facts}
                self.operation.save(update_fields=["facts"])
        return True

    def _retry_or_fail(self, row: OperationStep, error: Exception) -> None:
        connections["default"].close_if_unusable_or_obsolete()
        row.error = describe_error(error)
        if isinstance(error, TRANSIENT) and row.attempt < self.kind.max_attempts:
            delay_s = _backoff_s(row.attempt)
            row.status, row.next_try_at = OperationStep.Status.RETRYING, timezone.now() + timedelta(seconds=delay_s)
            self._save(row, "status", "error", "next_try_at", "attempt")
            self._hand_back(due_at=row.next_try_at, delay_s=delay_s)
            log.warning("step_retrying", step=row.key, attempt=row.attempt, error=row.error)
            return
        row.status, row.finished_at = OperationStep.Status.FAILED, timezone.now()
        self._save(row, "status", "error", "finished_at", "attempt")
        log.error("step_failed", step=row.key, attempt=row.attempt, error=row.error, exc_info=error)
        self._note(error)
        if not self.kind.undoes or self.operation.facts.get("adopted"):  # what is adopted is not undone unasked
            self._get_stuck()
            return
        self.operation.status = Operation.Status.UNDOING
        self._save(self.operation, "status", "error", "error_code")

    def _note(self, error: Exception) -> None:
        self.operation.error = describe_error(error)
        self.operation.error_code = error.code if isinstance(error, PlexicaError) else "unexpected"

    # -- backward

    def _backward(self) -> None:
        """Undo upwards what was begun, but for what was adopted; nothing, if the look for leftovers did not end well."""
        begun = self.operation.steps.exclude(started_at=None).exclude(status=OperationStep.Status.UNDONE)
        looked = self.operation.checked_at or not self.kind.looks_for_leftovers
        adopted = self.operation.facts.get("adopted", {})
        for row in reversed([row for row in begun if looked and row.key not in adopted]):
            if self.lease.lost.is_set() or not self._undo_step(row):
                return
        self._finish(Operation.Status.FAILED, self.kind.failed)

    def _undo_step(self, row: OperationStep) -> bool:
        if row.status != OperationStep.Status.UNDOING:
            row.status, row.attempt = OperationStep.Status.UNDOING, 0
        if row.attempt >= UNDO_ATTEMPTS:  # none of them came to an end
            self._get_stuck()
            return False
        row.attempt += 1
        self._save(row, "status", "attempt")
        try:
            self._step(row).undo(self.tenant)
        except LeaseLost:
            raise
        except Exception as error:
            connections["default"].close_if_unusable_or_obsolete()
            row.error = describe_error(error)
            self._save(row, "error")
            log.exception("undo_failed", step=row.key, attempt=row.attempt)
            if row.attempt < UNDO_ATTEMPTS and not isinstance(error, StepUnknown):
                delay_s = _backoff_s(row.attempt)
                self._hand_back(due_at=timezone.now() + timedelta(seconds=delay_s), delay_s=delay_s)
            else:
                self._get_stuck()
            return False
        row.status, row.finished_at = OperationStep.Status.UNDONE, timezone.now()
        self._save(row, "status", "finished_at")
        return True

    # -- ends

    def _finish(self, status: Operation.Status, what_is_due: Callable[[Operation], None]) -> None:
        """End it with what its kind does then; what fails for good there is an operator's to answer, too."""
        before = self.operation.status
        try:
            with self.lease.held():
                self._end(status)
                what_is_due(self.operation)
        except (LeaseLost, *TRANSIENT):
            raise
        except Exception as error:
            log.exception("operation_not_ended", kind=self.operation.kind)
            self.operation.status = before
            self._note(error)
            self._get_stuck()
            return
        log.info("operation_ended", kind=self.operation.kind, status=self.operation.status)

    def _end(self, status: Operation.Status) -> None:
        self.operation.status, self.operation.finished_at = status, timezone.now()
        self.operation.lease_owner, self.operation.lease_until = "", None
        self.operation.save(update_fields=["status", "finished_at", "lease_owner", "lease_until"])

    def _get_stuck(self) -> None:
        """Stop until an operator says how to go on: `tenants.services.answers`."""
        operation = self.operation
        with self.lease.held():
            operation.resumes_as = operation.status
            operation.version += 1
            operation.save(update_fields=["resumes_as", "version", "error", "error_code"])
            self._end(Operation.Status.STUCK)
            audit.record(
                actor=SYSTEM,
                action="operation.stuck",
                target=self.tenant,
                operation=str(operation.pk),
                code=operation.error_code,
            )
            publish(OperationStuck(tenant_id=self.tenant.pk, operation_id=operation.pk))
        log.error("operation_stuck", kind=operation.kind, error=operation.error)

    def _hand_back(self, *, due_at: datetime, delay_s: float) -> None:
        self.operation.due_at, self.operation.lease_owner, self.operation.lease_until = due_at, "", None
        self._save(self.operation, "due_at", "lease_owner", "lease_until")
        wake_a_worker(self.operation, delay_s=delay_s)


def _names(found: dict[str, list[str]]) -> list[str]:
    return [name for names in found.values() for name in names]


def _backoff_s(attempt: int) -> float:
    return BACKOFF_S[min(max(attempt, 1), len(BACKOFF_S)) - 1] * random.uniform(0.8, 1.2)  # noqa: S311 - jitter


def describe_error(error: Exception) -> str:
    """Return a sentence for operators: our own errors speak for themselves, others show their class.

    Of an outside system it is said which one, and its own word for what it refused.
    """
    if isinstance(error, PlexicaError):
        outside = ": ".join(str(error.facts[name]) for name in ("part", "code") if error.facts.get(name))
        return f"{error} ({outside})" if outside else str(error)
    return _("%(kind)s: %(text)s") % {"kind": type(error).__name__, "text": str(error)[:500]}
