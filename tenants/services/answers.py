"""What operators say to a stuck operation: try again, adopt or clean what was found, or give up."""

from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit
from core.actors import Actor
from core.errors import Invalid
from tenants.errors import (
    CannotAdopt,
    CannotGiveUp,
    LeftoversFound,
    OperationChanged,
    OperationNotFound,
    OperationNotStuck,
)
from tenants.kinds import kind_of
from tenants.models import Operation, OperationStep
from tenants.services.operations import ADOPT, CLEAN, wake_a_worker

ABOUT_LEFTOVERS = (LeftoversFound.code, CannotAdopt.code)


@transaction.atomic
def retry_operation(
    *, operation_id: UUID, actor: Actor, leftovers: str = "", reason: str = "", expected_version: int | None = None
) -> Operation:
    """Let a stuck operation go on where it stopped, forward or undoing, with all its attempts anew.

    One that stopped at leftovers looks again; with `leftovers` it takes them over ("adopt") or removes them ("clean").
    Raises OperationNotStuck, OperationChanged if it has another version than expected, and Invalid for another answer
    than these or where none was asked for; nothing is written then.
    """
    operation = _locked(operation_id, expected_version)
    if leftovers and (leftovers not in (ADOPT, CLEAN) or operation.error_code not in ABOUT_LEFTOVERS):
        raise Invalid(
            {"leftovers": [_("Only an operation that found leftovers takes this: adopt, clean, or nothing.")]}
        )
    if leftovers:
        operation.inputs = {**operation.inputs, "leftovers": leftovers}
    audit.record(
        actor=actor,
        action="operation.retried",
        target=operation.tenant,
        reason=reason,
        operation=str(operation.pk),
        leftovers=leftovers,
    )
    return _resume(operation, operation.resumes_as)


@transaction.atomic
def give_up_operation(
    *, operation_id: UUID, actor: Actor, reason: str = "", expected_version: int | None = None
) -> Operation:
    """Let a stuck operation undo what it made. What it adopted, or only found, stays as it is.

    Raises CannotGiveUp for one that has no way back; OperationNotStuck and OperationChanged as `retry_operation` does.
    """
    operation = _locked(operation_id, expected_version)
    if not kind_of(operation).undoes:
        raise CannotGiveUp(operation=operation.get_kind_display())
    audit.record(
        actor=actor,
        action="operation.given_up",
        target=operation.tenant,
        reason=reason,
        operation=str(operation.pk),
    )
    return _resume(operation, Operation.Status.UNDOING)


def _locked(operation_id: UUID, expected_version: int | None) -> Operation:
    operation = Operation.objects.select_for_update().filter(pk=operation_id).first()
    if operation is None:
        raise OperationNotFound(operation=str(operation_id))
    if expected_version is not None and operation.version != expected_version:
        raise OperationChanged(version=operation.version)
    if operation.status != Operation.Status.STUCK:
        raise OperationNotStuck(operation=operation.get_kind_display(), status=operation.get_status_display())
    return operation


def _resume(operation: Operation, status: str) -> Operation:
    operation.status, operation.resumes_as = status, ""
    operation.version += 1
    operation.due_at, operation.finished_at = timezone.now(), None
    if status == Operation.Status.RUNNING:
        operation.error = operation.error_code = ""
    operation.save()
    operation.steps.exclude(status__in=[OperationStep.Status.DONE, OperationStep.Status.UNDONE]).update(attempt=0)
    operation.steps.filter(status=OperationStep.Status.FAILED).update(finished_at=None)
    wake_a_worker(operation)
    return operation
