"""Deletes tenants: asked for with the slug typed out, carried out after a grace period, called off until it begins."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from core import audit
from core.actors import SYSTEM, Actor
from core.errors import Invalid
from core.idempotency.services import IdempotentCall, recall, remember
from events import publish
from plexica_sdk.events import TenantDeleted, TenantDeletionRequested, TenantDeletionUndone
from tenants.errors import DeletionBegun, TenantNotDeleting
from tenants.kinds import OperationKind
from tenants.models import Operation, Tenant
from tenants.removal import ProofStep, RemovalStep, TracesStep
from tenants.selectors import get_operation
from tenants.services.changes import checked_reason, locked_tenant, refuse_unless_in_use, tell_of_status
from tenants.services.operations import begin_operation, refuse_if_busy, wake_a_worker
from tenants.steps import TenantStep, tenant_steps

SETTLE = timedelta(seconds=2)  # until every process has heard that the tenant is stopped


class Deletion(OperationKind):
    """Undoes every step of provisioning, last one first, removes what else remembers the tenant, and proves it."""

    undoes = False
    max_attempts = 12

    def steps(self, inputs: dict[str, Any]) -> list[TenantStep]:
        first = [import_string(settings.DELETION_EXPORT_STEP)()] if inputs.get("export") else []
        return [*first, *(RemovalStep(step) for step in reversed(tenant_steps())), TracesStep(), ProofStep()]

    def succeeded(self, operation: Operation) -> None:
        """Leave a tombstone: the row says that the id was a tenant's, and the slug is free."""
        tenant = Tenant.objects.select_for_update().get(pk=operation.tenant_id)
        tenant.status = Tenant.Status.DELETED
        tenant.deleted_at = timezone.now()
        tenant.version += 1
        tenant.save(update_fields=["status", "deleted_at", "version"])
        audit.record(
            actor=SYSTEM,
            action="tenant.deleted",
            target=tenant,
            operation=str(operation.pk),
            left=operation.facts["left"],
        )
        publish(TenantDeleted(tenant_id=tenant.pk))


@transaction.atomic
def request_deletion(
    *,
    tenant_id: UUID,
    typed_slug: str,
    actor: Actor,
    reason: str,
    now: bool = False,
    export: bool = False,
    expected_version: int | None = None,
    call: IdempotentCall | None = None,
) -> Operation:
    """Stop a tenant everywhere and have it deleted after the grace period, or at once with `now`; return the operation.

    With `export`, the deletion begins with an export of everything.

    Until it begins, `undo_deletion` brings the tenant back as it was. With `call`, a repetition returns the first operation.

    Raises Invalid unless `typed_slug` is the slug and there is a reason, TenantNotActive unless the tenant is active or
    suspended, TenantBusy while another operation on it is under way, TenantChanged; nothing is written then.
    """
    if call and (known := recall(call)):
        return get_operation(UUID(known.location))
    tenant = locked_tenant(tenant_id, expected_version)
    _check_typed(tenant, typed_slug)
    reason = checked_reason(reason)
    if export and not settings.DELETION_EXPORT_STEP:
        raise Invalid({"export": [_("This platform has no exports.")]})
    refuse_if_busy(tenant)
    refuse_unless_in_use(tenant)
    operation = begin_operation(
        tenant=tenant,
        kind=Operation.Kind.DELETE,
        inputs={"status_before": tenant.status, "export": export},
        actor=actor,
        due_at=timezone.now() + (SETTLE if now else settings.DELETION_GRACE),
    )
    tenant.status = Tenant.Status.DELETING
    tenant.version += 1
    tenant.save(update_fields=["status", "version"])
    tell_of_status(tenant)
    audit.record(
        actor=actor,
        action="tenant.deletion_requested",
        target=tenant,
        reason=reason,
        operation=str(operation.pk),
        due_at=operation.due_at.isoformat(),
        now=now,
    )
    publish(TenantDeletionRequested(tenant_id=tenant.pk, due_at=operation.due_at.isoformat()), actor=actor)
    if call:
        remember(call, status=202, location=str(operation.pk))
    return operation


@transaction.atomic
def undo_deletion(*, tenant_id: UUID, actor: Actor, reason: str = "", expected_version: int | None = None) -> Tenant:
    """Call off a deletion that has not begun; the tenant is active or suspended again, as it was before.

    Raises TenantNotDeleting without a deletion, DeletionBegun once a worker has taken it, TenantChanged.
    """
    tenant = locked_tenant(tenant_id, expected_version)
    operation = _waiting_deletion(tenant)
    operation.status, operation.finished_at = Operation.Status.CANCELLED, timezone.now()
    operation.version += 1
    operation.save(update_fields=["status", "finished_at", "version"])
    tenant.status = operation.inputs["status_before"]
    tenant.version += 1
    tenant.save(update_fields=["status", "version"])
    tell_of_status(tenant)
    audit.record(
        actor=actor, action="tenant.deletion_undone", target=tenant, reason=reason.strip(), operation=str(operation.pk)
    )
    publish(TenantDeletionUndone(tenant_id=tenant.pk), actor=actor)
    return tenant


@transaction.atomic
def delete_now(
    *, tenant_id: UUID, typed_slug: str, actor: Actor, reason: str, expected_version: int | None = None
) -> Operation:
    """Let a deletion that waits for its grace period begin at once, when every process has heard of it. Safe to repeat.

    Raises what `undo_deletion` does, and Invalid unless `typed_slug` is the slug and there is a reason.
    """
    tenant = locked_tenant(tenant_id, expected_version)
    _check_typed(tenant, typed_slug)
    reason = checked_reason(reason)
    operation = _waiting_deletion(tenant)
    due_at = max(timezone.now(), operation.created_at + SETTLE)
    if operation.due_at <= due_at:  # somebody else said so just now
        return operation
    operation.due_at = due_at
    operation.save(update_fields=["due_at"])
    audit.record(
        actor=actor, action="tenant.deletion_hastened", target=tenant, reason=reason, operation=str(operation.pk)
    )
    wake_a_worker(operation, delay_s=max(0.0, (operation.due_at - timezone.now()).total_seconds()))
    return operation


def _check_typed(tenant: Tenant, typed_slug: str) -> None:
    if typed_slug.strip() != tenant.slug:
        raise Invalid({"typed_slug": [_("Type %(slug)s to confirm.") % {"slug": tenant.slug}]})


def _waiting_deletion(tenant: Tenant) -> Operation:
    """Return the tenant's deletion, locked, so that no worker takes it meanwhile.

    One that has begun is not locked: its worker locks it before the tenant, and each would wait for the other.
    """
    deletions = Operation.objects.filter(tenant=tenant, kind=Operation.Kind.DELETE)
    if waiting := deletions.select_for_update().filter(status=Operation.Status.PENDING).first():
        return waiting
    if deletions.filter(status__in=Operation.ACTIVE).exists():
        raise DeletionBegun(slug=tenant.slug)
    raise TenantNotDeleting(slug=tenant.slug, status=tenant.get_status_display())
