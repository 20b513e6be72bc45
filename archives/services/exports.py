"""Exports: one archive with everything of a tenant, kept for a while, also when the tenant is deleted meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from archives import place
from archives.models import Archive
from archives.selectors import get_export
from archives.steps import ArchiveStep, CheckStep
from core import audit
from core.actors import SYSTEM, Actor
from core.idempotency.services import IdempotentCall, recall, remember
from events import publish
from plexica_sdk.events import TenantExported
from tenants.kinds import OperationKind
from tenants.models import Operation
from tenants.selectors import get_operation
from tenants.services.changes import checked_reason, locked_tenant, refuse_unless_in_use
from tenants.services.operations import begin_operation, refuse_if_busy
from tenants.steps import TenantStep


class Export(OperationKind):
    """Writes an archive, then reads it back and compares. The tenant works on, and may be suspended meanwhile."""

    def steps(self, inputs: dict[str, Any]) -> list[TenantStep]:
        return [ArchiveStep(), CheckStep()]

    def succeeded(self, operation: Operation) -> None:
        """Say that it is there."""
        archive = Archive.objects.get(operation=operation)
        audit.record(
            actor=SYSTEM,
            action="tenant.exported",
            target=operation.tenant,
            operation=str(operation.pk),
            sha256=archive.sha256,
            kept_until=archive.kept_until.isoformat(),
        )
        publish(TenantExported(tenant_id=operation.tenant_id, operation_id=operation.pk))

    def failed(self, operation: Operation) -> None:
        """Say that there is none."""
        audit.record(
            actor=SYSTEM,
            action="tenant.export_failed",
            target=operation.tenant,
            operation=str(operation.pk),
            code=operation.error_code,
        )


@transaction.atomic
def request_export(
    *,
    tenant_id: UUID,
    actor: Actor,
    reason: str,
    masked: bool = False,
    expected_version: int | None = None,
    call: IdempotentCall | None = None,
) -> Operation:
    """Have everything of a tenant written into one archive; return the operation at once.

    With `masked`, names, addresses and other texts that people wrote are replaced, and files left out. With `call`, a
    repetition returns the first operation.

    Raises Invalid without a reason, TenantNotActive unless the tenant is active or suspended, TenantBusy while another
    operation on it is under way, TenantChanged; nothing is written then.
    """
    if call and (known := recall(call)):
        return get_operation(UUID(known.location))
    tenant = locked_tenant(tenant_id, expected_version)
    reason = checked_reason(reason)
    refuse_if_busy(tenant)
    refuse_unless_in_use(tenant)
    operation = begin_operation(tenant=tenant, kind=Operation.Kind.EXPORT, inputs={}, actor=actor)
    Archive.objects.create(
        purpose=Archive.Purpose.EXPORT,
        tenant=tenant,
        operation=operation,
        is_masked=masked,
        kept_until=timezone.now() + settings.EXPORT_KEPT,
    )
    audit.record(
        actor=actor,
        action="tenant.export_requested",
        target=tenant,
        reason=reason,
        operation=str(operation.pk),
        masked=masked,
    )
    if call:
        remember(call, status=202, location=str(operation.pk))
    return operation


@contextmanager
def open_export(*, archive_id: UUID, actor: Actor) -> Iterator[tuple[Archive, BinaryIO]]:
    """Give an export and its bytes from the beginning, for somebody who takes a copy: that is audited before the first one.

    Raises ArchiveNotFound if there is none, or its time is over.
    """
    archive = get_export(archive_id)
    with place.reading(archive) as source:
        audit.record(actor=actor, action="tenant.export_taken", target=archive.tenant, archive=str(archive.pk))
        yield archive, source


def remove_old_archives() -> int:
    """Remove every archive whose time is over, but for those that an operation needs; return how many."""
    over = Archive.objects.filter(removed_at=None, kept_until__lt=timezone.now())
    removed = 0
    for archive in over.exclude(operation__status__in=Operation.ACTIVE).select_related("tenant"):
        if place.discard(archive):
            removed += 1
            audit.record(actor=SYSTEM, action="tenant.archive_removed", target=archive.tenant, archive=str(archive.pk))
    return removed
