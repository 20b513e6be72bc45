"""What an archive holds, in this order.

manifest.json                 versions, the tenant, tables with columns and numbers of rows
rows/<table>/<number>.jsonl   rows (archives.rows)
members.csv, audit.csv        for people to read; not in a masked archive, and never read back
files/<name>                  the tenant's files; none in a masked archive
contents.jsonl                length and SHA-256 of everything above (archives.tape)
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, Final, Literal, cast

from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import connections, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone
from django.utils.translation import gettext as _
from psycopg import sql
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from archives import rows
from archives.errors import ArchiveRefused, ArchiveVersionUnknown
from archives.tape import CHUNK, SPOOL, Entry, Reader, Writer, Written
from core.tenancy import enter
from storage.names import checked_name
from tenants.models import SchemaTemplate, Tenant
from tenants.schemas.making import OPS
from tenants.schemas.template import hash_of, migrations_hash

FORM: Final = 1
MANIFEST: Final = "manifest.json"
# PostgreSQL writes these itself, since it has values that Python cannot hold. What a spreadsheet would take for a
# formula gets an apostrophe.
_CSV: Final = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv, HEADER)")
READABLE: Final = {
    "members.csv": r"""
        SELECT regexp_replace(p.name, '^(?=[-=+@\t\r])', '''') AS name,
               regexp_replace(p.email, '^(?=[-=+@\t\r])', '''') AS email,
               string_agg(r.name, ' ' ORDER BY r.name) AS roles, p.is_active, p.created_at, p.last_sign_in_at
        FROM people_person p
        LEFT JOIN people_roleassignment a ON a.person_id = p.id
        LEFT JOIN people_role r ON r.id = a.role_id
        GROUP BY p.id ORDER BY p.name, p.id""",
    "audit.csv": r"""
        SELECT occurred_at, regexp_replace(actor_name, '^(?=[-=+@\t\r])', '''') AS actor, action,
               regexp_replace(target_name, '^(?=[-=+@\t\r])', '''') AS target,
               regexp_replace(reason, '^(?=[-=+@\t\r])', '''') AS reason, facts
        FROM audit_entry ORDER BY occurred_at, id""",
}
MAX_MANIFEST_BYTES: Final = 4 * 1024 * 1024
_ROWS: Final = re.compile(r"rows/([a-z0-9_]{1,63})/([0-9]{6})\.jsonl")
_FILES: Final = "files/"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TableFacts(_Strict):
    """A table as the manifest has it."""

    rows: int = Field(ge=0)
    columns: dict[str, str]  # name: type


class TenantFacts(_Strict):
    """Whose archive it is."""

    id: str
    slug: str = Field(max_length=48)
    name: str = Field(max_length=120)
    admin_name: str = Field(max_length=120)
    admin_email: str = Field(max_length=254)
    language: str = Field(max_length=8)
    time_zone: str = Field(max_length=64)
    created_at: datetime


class Manifest(_Strict):
    """What stands at the beginning of an archive."""

    form: Literal[1]
    product: str = Field(max_length=40)  # version of Plexica
    taken_at: datetime  # the moment that all rows are of
    masked: bool
    migrations_hash: str = Field(pattern="^[0-9a-f]{64}$")
    migrations: list[str]
    tenant: TenantFacts
    tables: dict[str, TableFacts]
    left_out: dict[str, str]  # table: why

    @property
    def row_count(self) -> int:
        """How many rows there are in all tables."""
        return sum(table.rows for table in self.tables.values())

    @property
    def member_count(self) -> int:
        """How many people there are, removed ones too."""
        return self.tables["people_person"].rows if "people_person" in self.tables else 0


@dataclass(frozen=True, slots=True)
class Summary:
    """What was written or found."""

    manifest: Manifest
    file_count: int


# -- writing


def write_archive(target: BinaryIO, tenant: Tenant, *, masked: bool = False) -> tuple[Summary, Written]:
    """Write everything of a tenant, with all rows as they are at one moment.

    One read-only transaction stays open meanwhile. Files are read as they are when their turn comes; one that is gone by
    then is left out.
    """
    with (
        enter(tenant.ref),
        transaction.atomic(using=OPS),
        connections[OPS].cursor() as cursor,
    ):
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        taken_at = timezone.now()
        tables = rows.read_tables(cursor)
        manifest = _manifest(cursor, tenant, tables, masked=masked, taken_at=taken_at)
        writer = Writer(target, made_at=taken_at)
        writer.add(MANIFEST, manifest.model_dump_json(indent=2).encode())
        salt = rows.new_salt() if masked else ""
        for table in tables:
            for number, piece in enumerate(rows.read_rows(cursor, table, salt=salt), 1):
                writer.add(f"rows/{table.name}/{number:06}.jsonl", piece)
        if not masked:
            for name, query in READABLE.items():
                _add_csv(cursor, writer, name, query)
        file_count = 0 if masked else _add_files(writer)
        return Summary(manifest, file_count), writer.finish()


def _manifest(
    cursor: CursorWrapper, tenant: Tenant, tables: list[rows.Table], *, masked: bool, taken_at: datetime
) -> Manifest:
    cursor.execute("SELECT app, name FROM django_migrations")
    migrations = sorted((str(app), str(name)) for app, name in cursor.fetchall())
    cursor.execute("SELECT language, time_zone FROM preferences_preferences WHERE id = 1")
    language, time_zone = cursor.fetchone() or ("", "UTC")
    return Manifest(
        form=FORM,
        product=settings.VERSION,
        taken_at=taken_at,
        masked=masked,
        migrations_hash=hash_of(migrations),
        migrations=[f"{app}.{name}" for app, name in migrations],
        tenant=TenantFacts(
            id=str(tenant.pk),
            slug=tenant.slug,
            name=tenant.slug if masked else tenant.name,
            admin_name="" if masked else tenant.admin_name,
            admin_email="" if masked else tenant.admin_email,
            language=language,
            time_zone=time_zone,
            created_at=tenant.created_at,
        ),
        tables={
            table.name: TableFacts(rows=rows.count_rows(cursor, table), columns=dict(table.columns)) for table in tables
        },
        left_out=rows.left_out(),
    )


def _add_csv(cursor: CursorWrapper, writer: Writer, name: str, query: str) -> None:
    with SpooledTemporaryFile(SPOOL) as spool, cursor.copy(_CSV.format(sql.SQL(query))) as copy:
        for piece in copy:
            spool.write(piece)
        writer.add_file(name, cast("BinaryIO", spool))


def _add_files(writer: Writer) -> int:
    number = 0
    for name in list_files():
        try:
            opened = default_storage.open(name)
        except FileNotFoundError:
            continue  # deleted since it was listed
        with opened:
            writer.add_stream(_FILES + name, opened.size, opened.chunks(CHUNK))
        number += 1
    return number


def list_files(folder: str = "") -> Iterator[str]:
    """Yield the names of all files of the current tenant."""
    folders, files = default_storage.listdir(folder)
    for name in sorted(files):
        yield f"{folder}{name}"
    for name in sorted(folders):
        yield from list_files(f"{folder}{name}/")


# -- reading


def read_archive(
    source: BinaryIO,
    *,
    with_rows: Callable[[str, bytes], object] | None = None,
    with_file: Callable[[str, Entry], None] | None = None,
    with_manifest: Callable[[Manifest], None] | None = None,
    max_bytes: int | None = None,
) -> Summary:
    """Read an archive from front to back and hand out what it holds, entry by entry; unpacked, `max_bytes` at most.

    Only when this returns is it sure that nothing is missing or changed. Raises ArchiveRefused for whatever is not as
    `write_archive` makes it.
    """
    entries = Reader(source, max_bytes=max_bytes).entries()
    manifest = _checked_manifest(next(entries, None))
    if with_manifest:
        with_manifest(manifest)
    rows_seen, file_count = _RowsSeen(manifest), 0
    for entry in entries:
        if found := _ROWS.fullmatch(entry.name):
            piece = rows_seen.take(entry, *found.groups())
            if with_rows:
                with_rows(found[1], piece)
        elif entry.name.startswith(_FILES) and not manifest.masked:
            name = _checked_file(entry)
            file_count += 1
            if with_file:
                with_file(name, entry)
        elif entry.name not in READABLE:
            raise _unexpected(entry)
    rows_seen.finish()
    return Summary(manifest, file_count)


class _RowsSeen:
    """Counts rows, table by table, piece by piece."""

    def __init__(self, manifest: Manifest) -> None:
        self._promised = {name: table.rows for name, table in manifest.tables.items()}
        self._counted = dict.fromkeys(manifest.tables, 0)
        self._last = ("", 0)

    def take(self, entry: Entry, table: str, number: str) -> bytes:
        """Return the lines of the next piece. Raises ArchiveRefused if it is not the next one."""
        wanted = self._last[1] + 1 if table == self._last[0] else 1
        if table not in self._counted or int(number) != wanted:
            raise _unexpected(entry)
        self._last = (table, wanted)
        piece = entry.read(rows.MAX_ROW_BYTES)
        if not piece.endswith(b"\n"):
            raise _unexpected(entry)
        self._counted[table] += piece.count(b"\n")
        return piece

    def finish(self) -> None:
        """Raise ArchiveRefused if there are fewer or more than promised."""
        if self._counted != self._promised:
            raise ArchiveRefused(reason=_("it holds another number of rows than its manifest says"))


def read_manifest(source: BinaryIO) -> Manifest:
    """Return what stands at an archive's beginning. Raises ArchiveRefused."""
    return _checked_manifest(next(Reader(source).entries(), None))


def _checked_manifest(entry: Entry | None) -> Manifest:
    if entry is None or entry.name != MANIFEST:
        raise ArchiveRefused(reason=_("it does not begin with a manifest"))
    try:
        manifest = Manifest.model_validate_json(entry.read(MAX_MANIFEST_BYTES))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ArchiveRefused(reason=f"{MANIFEST}: {where}: {first['msg']}") from None
    return manifest


def refuse_unknown_version(manifest: Manifest) -> None:
    """Raise ArchiveVersionUnknown unless a schema of the archive's migrations can be made here."""
    if not SchemaTemplate.objects.filter(migrations_hash=manifest.migrations_hash).exists():
        raise ArchiveVersionUnknown(
            theirs=manifest.product,
            their_hash=manifest.migrations_hash[:12],
            ours=settings.VERSION,
            our_hash=migrations_hash()[:12],
        )


def template_of(manifest: Manifest) -> SchemaTemplate:
    """Return what a schema of the archive's migrations is made from: this code's template, or one that it replaced here."""
    refuse_unknown_version(manifest)
    return SchemaTemplate.objects.get(migrations_hash=manifest.migrations_hash)


def _checked_file(entry: Entry) -> str:
    try:
        return checked_name(entry.name.removeprefix(_FILES))
    except SuspiciousFileOperation as error:
        raise ArchiveRefused(reason=str(error)) from None


def _unexpected(entry: Entry) -> ArchiveRefused:
    return ArchiveRefused(reason=_("%(name)s does not belong there") % {"name": repr(entry.name[:200])})


def save_file(name: str, entry: Entry) -> None:
    """Save a file of an archive for the current tenant. Raises ArchiveRefused if it has one of this name."""
    with SpooledTemporaryFile(SPOOL) as spool:
        for chunk in entry.chunks():
            spool.write(chunk)
        spool.seek(0)
        content: File[Any] = File(cast("BinaryIO", spool), name=name)
        if default_storage.save(name, content) != name:
            raise ArchiveRefused(reason=_("%(name)s is in it twice") % {"name": repr(name)})
