"""Reads which migrations every tenant has, in one query for hundreds of schemas.

Each schema answers with a digest of its `django_migrations`; tenants with the same digest form a group, and the names are
read once for each group.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from uuid import UUID

from django.db import connections
from django.db.backends.utils import CursorWrapper
from django.db.utils import ProgrammingError
from psycopg import sql

from core.tenancy import TenantRef
from tenants.models import Tenant
from tenants.schemas.making import OPS

SCHEMAS_A_QUERY = 200  # the planner's memory and the locks of one statement grow with it
MigrationKey = tuple[str, str]

_TENANTS = """
    SELECT t.id, t.slug, t.name, t.schema_name, t.role_name, t.status FROM public.tenants_tenant t
    WHERE t.status <> ALL(%s) AND (%s::uuid[] IS NULL OR t.id = ANY(%s))
      AND EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                  WHERE n.nspname = t.schema_name AND c.relname = 'django_migrations')
    ORDER BY t.created_at
"""
_DIGEST = sql.SQL(
    "SELECT {name}, md5(string_agg(app || '.' || name, ',' ORDER BY app COLLATE \"C\", name COLLATE \"C\"))"
    " FROM {schema}.django_migrations"
)


@dataclass(frozen=True)
class Group:
    """Tenants whose schemas have the same migrations."""

    applied: frozenset[MigrationKey]
    tenants: tuple[TenantRef, ...]


def read_groups(only: Collection[UUID] | None = None, *, without: Collection[UUID] = ()) -> list[Group]:
    """Return every tenant that has a schema, suspended ones and those being made too, the largest group first.

    What is deleted while this reads is left out.
    """
    while True:
        try:
            with connections[OPS].cursor() as cursor:
                return _read_groups(cursor, list(only) if only is not None else None, set(without))
        except ProgrammingError as error:  # a schema was dropped between the list and the query
            if getattr(error.__cause__, "sqlstate", "") not in {"42P01", "3F000"}:
                raise


def _read_groups(cursor: CursorWrapper, only: list[UUID] | None, without: set[UUID]) -> list[Group]:
    cursor.execute(_TENANTS, [list(Tenant.GONE), only, only])
    refs = {ref.schema: ref for ref in (TenantRef(*row) for row in cursor.fetchall()) if ref.id not in without}
    schemas: dict[str, list[str]] = {}
    for schema, digest in _digests(cursor, list(refs)):
        schemas.setdefault(digest, []).append(schema)
    groups = [Group(read_applied(cursor, names[0]), tuple(refs[name] for name in names)) for names in schemas.values()]
    return sorted(groups, key=lambda group: -len(group.tenants))


def _digests(cursor: CursorWrapper, schemas: list[str]) -> Iterator[tuple[str, str]]:
    for start in range(0, len(schemas), SCHEMAS_A_QUERY):
        some = schemas[start : start + SCHEMAS_A_QUERY]
        queries = [_DIGEST.format(name=sql.Literal(name), schema=sql.Identifier(name)) for name in some]
        cursor.execute(sql.SQL(" UNION ALL ").join(queries))
        yield from cursor.fetchall()


def read_applied(cursor: CursorWrapper, schema: str) -> frozenset[MigrationKey]:
    """Return what one schema has."""
    cursor.execute(sql.SQL("SELECT app, name FROM {}.django_migrations").format(sql.Identifier(schema)))
    return frozenset((str(app), str(name)) for app, name in cursor.fetchall())
