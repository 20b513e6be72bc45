"""Imports and clones: a new tenant, with a new id, made from an archive by the engine that sets up every tenant.

received and checked ──somebody asks──> import ──> archive removed
        └──thrown away, or two days old──> archive removed
"""

import hashlib
from datetime import timedelta
from typing import Any, BinaryIO
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from archives import content, place
from archives.errors import ArchiveTooLarge
from archives.models import Archive
from archives.selectors import get_received
from archives.steps import (
    ArchiveStep,
    CheckStep,
    FilesStep,
    MigrationsStep,
    RestoredSchemaStep,
    RowsStep,
    TidyStep,
)
from archives.tape import SPOOL
from core import audit
from core.actors import Actor
from core.errors import Invalid
from core.idempotency.services import IdempotentCall, recall, remember
from tenants.models import Operation
from tenants.selectors import get_operation
from tenants.services.changes import checked_reason, locked_tenant, refuse_unless_in_use
from tenants.services.provisioning import Provisioning, request_tenant
from tenants.steps import SchemaStep, TenantStep, tenant_steps

UNPACKED = 20  # times larger than what came: rows of text are about a tenth when packed
RECEIVED_KEPT = timedelta(days=2)  # an archive that was brought here, if nothing comes of it and nobody could remove it


class Import(Provisioning):
    """Sets a tenant up as ever, but for what the archive's rows and files bring. What fails for good is undone."""

    def steps(self, inputs: dict[str, Any]) -> tuple[TenantStep, ...]:
        return (CheckStep(), *_restoring(inputs), FilesStep(), TidyStep())


class Clone(Import):
    """An import of an archive that it writes first."""

    def steps(self, inputs: dict[str, Any]) -> tuple[TenantStep, ...]:
        return (ArchiveStep(), *super().steps(inputs))


def _restoring(inputs: dict[str, Any]) -> list[TenantStep]:
    """Return what every tenant gets, with rows in its schema, and without the steps that those make needless."""
    steps: list[TenantStep] = []
    for step in tenant_steps():
        if isinstance(step, SchemaStep):
            steps += [RestoredSchemaStep(), RowsStep(), MigrationsStep()]
        elif step.key not in settings.RESTORED_BY_ROWS or step.key in inputs.get("anew", []):
            steps.append(step)
    return steps


def import_archive(
    *, source: BinaryIO, slug: str = "", name: str = "", admin_email: str = "", actor: Actor
) -> Operation:
    """Bring an archive to the platform, check all of it, and have a new tenant made of it; return the operation.

    Slug and name are the archive's unless others are given. A masked archive, in which nobody can sign in, needs the
    address of a first administrator. `source` is read once, from front to back.

    Raises ArchiveRefused, ArchiveVersionUnknown, Invalid and SlugTaken; nothing is left then.
    """
    archive = receive_archive(source=source, actor=actor)
    try:
        return import_received(archive_id=archive.pk, slug=slug, name=name, admin_email=admin_email, actor=actor)
    except BaseException:
        place.discard(archive)
        raise


def receive_archive(*, source: BinaryIO, actor: Actor, max_bytes: int | None = None) -> Archive:
    """Bring an archive to the platform and check all of it; nothing is made of it yet, and in two days it is removed.

    `source` is read once, from front to back; with `max_bytes` it is refused when more comes, or when it unpacks to more
    than `UNPACKED` times as much.

    Raises ArchiveTooLarge, ArchiveRefused and ArchiveVersionUnknown; nothing is left then.
    """
    archive = Archive.objects.create(purpose=Archive.Purpose.IMPORT, kept_until=timezone.now() + RECEIVED_KEPT)
    try:
        with place.writing(archive) as target:
            archive.size_bytes, archive.sha256 = _copy(source, target, max_bytes)
        with place.reading(archive) as received:
            summary = content.read_archive(received, max_bytes=max_bytes and max_bytes * UNPACKED)
        content.refuse_unknown_version(summary.manifest)
        return _note_received(archive, summary, actor)
    except BaseException:
        place.discard(archive)
        raise


def _copy(source: BinaryIO, target: BinaryIO, max_bytes: int | None) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    while piece := source.read(SPOOL):
        size += len(piece)
        if max_bytes is not None and size > max_bytes:
            raise ArchiveTooLarge(limit_mb=max_bytes // 1_000_000)
        digest.update(piece)
        target.write(piece)
    return size, digest.hexdigest()


@transaction.atomic
def _note_received(archive: Archive, summary: content.Summary, actor: Actor) -> Archive:
    archive.row_count, archive.file_count = summary.manifest.row_count, summary.file_count
    archive.is_masked, archive.finished_at = summary.manifest.masked, timezone.now()
    archive.save()
    audit.record(
        actor=actor,
        action="tenant.archive_received",
        target=archive,
        sha256=archive.sha256,
        exported_from=summary.manifest.tenant.id,
        exported_at=summary.manifest.taken_at.isoformat(),
    )
    return archive


def discard_received(*, archive_id: UUID, actor: Actor) -> None:
    """Remove an archive of which nothing was made. Raises ArchiveNotFound."""
    archive = _take_away(archive_id)
    if place.discard(archive):
        audit.record(actor=actor, action="tenant.archive_removed", target=archive, archive=str(archive.pk))


@transaction.atomic
def _take_away(archive_id: UUID) -> Archive:
    """Let nothing be made of an archive any more; should its file not go now, it does when old archives are removed."""
    archive = get_received(archive_id, for_update=True)
    archive.kept_until = timezone.now()
    archive.save(update_fields=["kept_until"])
    return archive


def import_received(
    *,
    archive_id: UUID,
    slug: str = "",
    name: str = "",
    admin_email: str = "",
    actor: Actor,
    call: IdempotentCall | None = None,
) -> Operation:
    """Have a new tenant made of an archive that was received; return the operation, which is the new tenant's.

    Slug and name are the archive's unless others are given. A masked archive, in which nobody can sign in, needs the
    address of a first administrator. With `call`, a repetition returns the first operation.

    Raises ArchiveNotFound, also if something was made of it already, Invalid and SlugTaken; nothing is written then.
    """
    if call and (known := recall(call)):
        return get_operation(UUID(known.location))
    manifest = read_received(archive_id)
    return _request_import(archive_id, manifest, slug=slug, name=name, admin_email=admin_email, actor=actor, call=call)


def read_received(archive_id: UUID) -> content.Manifest:
    """Return what an archive that was received says of itself. Raises ArchiveNotFound."""
    with place.reading(get_received(archive_id)) as received:
        return content.read_manifest(received)


@transaction.atomic
def _request_import(
    archive_id: UUID,
    manifest: content.Manifest,
    *,
    slug: str,
    name: str,
    admin_email: str,
    actor: Actor,
    call: IdempotentCall | None,
) -> Operation:
    if call and (known := recall(call)):  # since the archive was read, which no transaction waits for
        return get_operation(UUID(known.location))
    archive, said = get_received(archive_id, for_update=True), manifest.tenant
    _check_admin(masked=manifest.masked, admin_email=admin_email)
    operation = request_tenant(
        slug=slug or said.slug,
        name=name or said.name,
        admin_email=admin_email or said.admin_email,
        admin_name="" if admin_email else said.admin_name,
        language=said.language,
        time_zone=said.time_zone,
        actor=actor,
        kind=Operation.Kind.IMPORT,
        more_inputs={"name": name or (said.name if manifest.masked else ""), "anew": _anew(masked=manifest.masked)},
    )
    archive.operation = operation
    archive.save(update_fields=["operation"])
    audit.record(
        actor=actor,
        action="tenant.import_requested",
        target=operation.tenant,
        operation=str(operation.pk),
        exported_from=said.id,
        exported_at=manifest.taken_at.isoformat(),
    )
    if call:
        remember(call, status=202, location=str(operation.pk))
    return operation


@transaction.atomic
def request_clone(  # noqa: PLR0913 - each is a field of the form
    *,
    tenant_id: UUID,
    slug: str,
    name: str = "",
    masked: bool = False,
    admin_email: str = "",
    actor: Actor,
    reason: str,
    expected_version: int | None = None,
    call: IdempotentCall | None = None,
) -> Operation:
    """Have a copy of a tenant made under a new slug; return the operation, which is the new tenant's.

    With `masked`, names, addresses, passwords and other texts that people wrote are replaced, files left out, and the
    copy gets a first administrator with `admin_email`. With `call`, a repetition returns the first operation.

    Raises Invalid, SlugTaken, TenantNotActive unless the tenant is active or suspended, TenantChanged; nothing is written
    then.
    """
    if call and (known := recall(call)):
        return get_operation(UUID(known.location))
    source = locked_tenant(tenant_id, expected_version)
    reason = checked_reason(reason)
    refuse_unless_in_use(source)
    _check_admin(masked=masked, admin_email=admin_email)
    name = name or (slug.replace("-", " ").title() if masked else "")
    operation = request_tenant(
        slug=slug,
        name=name or source.name,
        admin_email=admin_email or source.admin_email,
        admin_name="" if admin_email else source.admin_name,
        actor=actor,
        kind=Operation.Kind.CLONE,
        more_inputs={"source": str(source.pk), "name": name, "anew": _anew(masked=masked)},
    )
    Archive.objects.create(
        purpose=Archive.Purpose.IMPORT,
        tenant=source,
        operation=operation,
        is_masked=masked,
        kept_until=timezone.now() + RECEIVED_KEPT,
    )
    audit.record(
        actor=actor,
        action="tenant.clone_requested",
        target=source,
        reason=reason,
        operation=str(operation.pk),
        clone=slug,
        masked=masked,
    )
    if call:
        remember(call, status=202, location=str(operation.pk))
    return operation


def _anew(*, masked: bool) -> list[str]:
    """Return the steps that a masked copy needs although rows were brought: nobody in it can sign in."""
    return ["first_admin"] if masked else []


def _check_admin(*, masked: bool, admin_email: str) -> None:
    if masked and not admin_email:
        raise Invalid({"admin_email": [_("Nobody can sign in to a masked copy: name a first administrator.")]})
    if admin_email and not masked:
        raise Invalid(
            {"admin_email": [_("Only a masked copy gets a first administrator: people keep their accounts.")]}
        )
