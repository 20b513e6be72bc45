"""What kinds of operations there are. `settings.OPERATION_KINDS` names a class for each; one engine carries all of them out."""

from collections.abc import Sequence
from functools import cache
from typing import Any, ClassVar

from django.conf import settings
from django.utils.module_loading import import_string

from tenants.errors import StepUnknown
from tenants.models import Operation, OperationStep
from tenants.steps import TenantStep


class OperationKind:
    """What one kind of operation does, step by step, and how it ends. One object serves all operations of a process."""

    undoes: ClassVar[bool] = True  # what fails for good is undone; without, it is stuck until an operator says on
    looks_for_leftovers: ClassVar[bool] = False
    max_attempts: ClassVar[int] = 6

    def steps(self, inputs: dict[str, Any]) -> Sequence[TenantStep]:
        """Return the steps in order; their keys are kept in the operation's rows."""
        raise NotImplementedError

    def step(self, row: OperationStep, inputs: dict[str, Any]) -> TenantStep:
        """Return the step that a row stands for. Raises StepUnknown for one that this code does not have."""
        known = {step.key: step for step in self.steps(inputs)}
        if row.key not in known:
            raise StepUnknown(step=row.key)
        return known[row.key]

    def succeeded(self, operation: Operation) -> None:
        """Do what is due when all steps are done, in the transaction that ends the operation."""

    def failed(self, operation: Operation) -> None:
        """Do what is due when everything is undone, in the transaction that ends the operation."""


class UnknownKind(OperationKind):
    """Stands for a kind that another release had: it does nothing, and so leaves the operation stuck until code has it."""

    undoes = False

    def step(self, row: OperationStep, inputs: dict[str, Any]) -> TenantStep:
        raise StepUnknown(step=f"{row.operation.kind}.{row.key}")

    def succeeded(self, operation: Operation) -> None:
        raise StepUnknown(step=operation.kind)


def kind_of(operation: Operation) -> OperationKind:
    """Return what carries this operation, which is nothing if the code does not know its kind."""
    path = settings.OPERATION_KINDS.get(operation.kind)
    return _kind(path) if path else UnknownKind()


@cache
def _kind(path: str) -> OperationKind:
    kind: OperationKind = import_string(path)()
    return kind


def label_of_step(row: OperationStep) -> str:
    """Return what pages call a step; its key, if the code no longer has it."""
    operation = row.operation
    try:
        return str(kind_of(operation).step(row, operation.inputs).label)
    except StepUnknown:
        return row.key
