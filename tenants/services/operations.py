"""Asks for operations: writes them with their steps, and wakes a worker. `tenants.services.work` carries them out."""

from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import get_language

from core.actors import Actor
from core.hints import send_hint
from tenants.errors import TenantBusy
from tenants.kinds import kind_of
from tenants.models import Operation, OperationStep, Tenant

LONGEST_HINT_S = 600.0  # of a later time the table alone tells: a broker hands long waits out again and again
ADOPT, CLEAN = "adopt", "clean"  # answers to leftovers, in an operation's inputs


def begin_operation(
    *, tenant: Tenant, kind: Operation.Kind, inputs: dict[str, Any], actor: Actor, due_at: datetime | None = None
) -> Operation:
    """Write an operation with its steps and wake a worker for it; called in the transaction of the service that asks.

    Raises TenantBusy, naming the other one, while another operation on the tenant is under way: the database sees to it.
    """
    operation = Operation(
        tenant=tenant,
        kind=kind,
        inputs={"asked_in": get_language(), **inputs},
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_name=actor.name,
        due_at=due_at or timezone.now(),
    )
    try:
        with transaction.atomic():
            operation.save(force_insert=True)
    except IntegrityError:
        refuse_if_busy(tenant)
        raise
    OperationStep.objects.bulk_create(
        OperationStep(operation=operation, position=position, key=step.key)
        for position, step in enumerate(kind_of(operation).steps(operation.inputs), 1)
    )
    wake_a_worker(operation, delay_s=max(0.0, (operation.due_at - timezone.now()).total_seconds()))
    return operation


def refuse_if_busy(tenant: Tenant) -> None:
    """Raise TenantBusy if an operation on the tenant is under way."""
    other = Operation.objects.filter(tenant=tenant, status__in=Operation.ACTIVE).first()
    if other:
        raise TenantBusy(operation=other.get_kind_display(), slug=tenant.slug, operation_id=str(other.pk))


def wake_a_worker(operation: Operation, *, delay_s: float = 0.0) -> None:
    """Send a hint after commit. Losing it costs seconds: a beat finds what is due."""
    if delay_s > LONGEST_HINT_S:
        return

    transaction.on_commit(lambda: send_hint("tenants.tasks.run_operation", str(operation.pk), delay_s=delay_s))
