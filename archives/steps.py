"""Steps of exports, imports and clones. Each begins anew if it was cut off: nothing of an attempt is taken for whole."""

from typing import Any, BinaryIO
from uuid import UUID

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import DataError, IntegrityError
from django.db.backends.utils import CursorWrapper
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from archives import content, place, rows
from archives.errors import ArchiveRefused
from archives.models import Archive
from core.tenancy import enter
from tenants.models import Operation, Tenant
from tenants.preferences.models import Preferences
from tenants.schemas import making
from tenants.schemas.template import migrate_schema
from tenants.services.changes import refuse_unless_in_use
from tenants.steps import Outcome, SchemaStep, TenantStep


def archive_of(tenant: Tenant) -> Archive:
    """Return the archive of the operation that is under way: a tenant has one at a time."""
    return Archive.objects.select_related("tenant").get(
        operation__tenant=tenant, operation__status__in=Operation.ACTIVE
    )


class ArchiveStep(TenantStep):
    """Writes everything of a tenant into an archive. `inputs["source"]` is another tenant's id, for a clone."""

    key = "archive"
    label = _("Archive")

    def run(self, tenant: Tenant, inputs: dict[str, Any]) -> str | Outcome:
        archive = archive_of(tenant)
        source = Tenant.objects.get(pk=UUID(inputs["source"])) if "source" in inputs else tenant
        with place.writing(archive) as target:
            summary, written = content.write_archive(target, source, masked=archive.is_masked)
        if source.pk != tenant.pk:  # its deletion may have begun meanwhile, and takes files away first
            source.refresh_from_db(fields=["status"])
            refuse_unless_in_use(source)
        archive.size_bytes, archive.sha256 = written.size_bytes, written.sha256
        archive.row_count, archive.file_count = summary.manifest.row_count, summary.file_count
        archive.save(update_fields=["size_bytes", "sha256", "row_count", "file_count"])
        return Outcome(_said(summary), {"archive": str(archive.pk)})

    def undo(self, tenant: Tenant) -> None:
        place.discard(archive_of(tenant))


class CheckStep(TenantStep):
    """Reads the archive from front to back and compares every checksum, before anything is made of it."""

    key = "check"
    label = _("Check of the archive")

    def run(self, tenant: Tenant, inputs: dict[str, Any]) -> str:
        archive = archive_of(tenant)
        with place.reading(archive) as source:
            summary = content.read_archive(source)
        content.refuse_unknown_version(summary.manifest)
        if archive.purpose == Archive.Purpose.EXPORT and not archive.finished_at:
            archive.finished_at = timezone.now()
            archive.kept_until = archive.finished_at + settings.EXPORT_KEPT
            archive.save(update_fields=["finished_at", "kept_until"])
        return _said(summary)

    def undo(self, tenant: Tenant) -> None:
        place.discard(archive_of(tenant))


class ArchiveBeforeDeletionStep(ArchiveStep):
    """The export that a deletion begins with: nothing is removed before it is read back whole."""

    def run(self, tenant: Tenant, inputs: dict[str, Any]) -> str | Outcome:
        operation = Operation.objects.get(tenant=tenant, status__in=Operation.ACTIVE)
        Archive.objects.get_or_create(
            operation=operation,
            defaults={
                "tenant": tenant,
                "purpose": Archive.Purpose.EXPORT,
                "kept_until": timezone.now() + settings.EXPORT_KEPT,
            },
        )
        outcome = super().run(tenant, inputs)
        CheckStep().run(tenant, inputs)
        return outcome


class RestoredSchemaStep(SchemaStep):
    """Gives the tenant a schema of the archive's migrations, and its database role."""

    def run(self, tenant: Tenant, inputs: dict[str, Any]) -> str:
        template = content.template_of(_manifest_of(archive_of(tenant)))
        if not making.existing_objects(tenant.ref):
            making.make_schema(tenant.ref, template)
        return f"{tenant.schema_name}, {tenant.role_name}"


class RowsStep(TenantStep):
    """Loads the rows, in one transaction that stays open while the archive is read: all of them or none."""

    key = "rows"
    label = _("Rows")

    def run(self, tenant: Tenant, inputs: dict[str, Any]) -> str:
        try:
            with place.reading(archive_of(tenant)) as source, making.owner_cursor(tenant.ref) as cursor:
                number = _load(cursor, source)
                if name := inputs.get("name"):
                    Preferences.objects.using(making.OPS).update(name=name)
        except (DataError, IntegrityError, UnicodeDecodeError) as error:
            raise ArchiveRefused(reason=str(error).partition("\n")[0]) from error
        return ngettext("%(number)s row", "%(number)s rows", number) % {"number": number_format(number)}


def _load(cursor: CursorWrapper, source: BinaryIO) -> int:
    tables = {table.name: table for table in rows.read_tables(cursor)}
    rows.empty_tables(cursor, list(tables.values()))
    summary = content.read_archive(
        source,
        with_manifest=lambda manifest: _refuse_other_tables(manifest, tables),
        with_rows=lambda table, lines: rows.load_rows(cursor, tables[table], lines),
    )
    rows.set_identities(cursor, list(tables.values()))
    return summary.manifest.row_count


def _refuse_other_tables(manifest: content.Manifest, tables: dict[str, rows.Table]) -> None:
    theirs = {name: table.columns for name, table in manifest.tables.items()}
    ours = {name: dict(table.columns) for name, table in tables.items()}
    if other := sorted(name for name in {*theirs, *ours} if theirs.get(name) != ours.get(name)):
        raise ArchiveRefused(reason=_said_of_tables(other))


def _said_of_tables(names: list[str]) -> str:
    return gettext("its tables are not those of its version: %(names)s") % {"names": ", ".join(names)}


class MigrationsStep(TenantStep):
    """Brings a schema that was restored at an earlier state up to this code's migrations."""

    key = "migrations"
    label = _("Migrations")

    def run(self, tenant: Tenant, inputs: dict[str, Any]) -> str:
        before = _count_migrations(tenant)
        migrate_schema(tenant.ref)
        number = _count_migrations(tenant) - before
        if number:
            with making.owner_cursor(tenant.ref) as cursor:
                making.restrict_grants(cursor, tenant.ref)
        return ngettext("%(number)s migration", "%(number)s migrations", number) % {"number": number}


def _count_migrations(tenant: Tenant) -> int:
    with making.owner_cursor(tenant.ref) as cursor:
        cursor.execute("SELECT count(*) FROM django_migrations")
        row = cursor.fetchone()
    return int(row[0]) if row else 0


class FilesStep(TenantStep):
    """Puts the archive's files into the tenant's bucket, which it empties first: it is nobody's yet."""

    key = "files"
    label = _("Files")

    def run(self, tenant: Tenant, inputs: dict[str, Any]) -> str:
        with place.reading(archive_of(tenant)) as source, enter(tenant.ref):
            for name in list(content.list_files()):
                default_storage.delete(name)
            number = content.read_archive(source, with_file=content.save_file).file_count
        return ngettext("%(number)s file", "%(number)s files", number) % {"number": number_format(number)}


class TidyStep(TenantStep):
    """Removes the archive that the tenant was made from."""

    key = "tidy"
    label = _("Archive removed")

    def run(self, tenant: Tenant, inputs: dict[str, Any]) -> str:
        archive = archive_of(tenant)
        place.discard(archive)
        return archive.object_name


def _manifest_of(archive: Archive) -> content.Manifest:
    with place.reading(archive) as source:
        return content.read_manifest(source)


def _said(summary: content.Summary) -> str:
    number, files = summary.manifest.row_count, summary.file_count
    said_rows = ngettext("%(number)s row", "%(number)s rows", number) % {"number": number_format(number)}
    said_files = ngettext("%(number)s file", "%(number)s files", files) % {"number": number_format(files)}
    return f"{said_rows}, {said_files}"
