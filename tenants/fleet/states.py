"""Reads which migrations every tenant has, in one query for hundreds of schemas.

Each schema answers with a digest of its `django_migrations`; tenants with the same digest form a group, and the names are
read once for each group.
"""

from collections import deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
from django.db import connections
from django.db.backends.utils import CursorWrapper
from django.db.utils import ProgrammingError
from psycopg import sql

from core.tenancy import TenantRef
from tenants.models import Tenant
from tenants.schemas.making import OPS

SCHEMAS_A_QUERY = 50  # the planner's memory and the locks of one statement grow with it
DROPPED = (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName)  # between the list and the query
MigrationKey = tuple[str, str]
Ask = Callable[[sql.Composed], list[tuple[Any, ...]]]

_TENANTS = """
    SELECT t.id, t.slug, t.name, t.schema_name, t.role_name, t.status FROM public.tenants_tenant t
    WHERE t.status <> ALL(%s) AND (%s::uuid[] IS NULL OR t.id = ANY(%s))
      AND EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                  WHERE n.nspname = t.schema_name AND c.relname = 'django_migrations')
    ORDER BY t.created_at
"""
# a sum of 64-bit hashes: a text of sorted names takes four times as long
_DIGEST = sql.SQL("SELECT {name}, sum(hashtextextended(app || '.' || name, 0)) FROM {schema}.django_migrations")


@dataclass(frozen=True)
class Group:
    """Tenants whose schemas have the same migrations."""

    applied: frozenset[MigrationKey]
    tenants: tuple[TenantRef, ...]


def read_groups(
    only: Collection[UUID] | None = None, *, without: Collection[UUID] = (), helpers: Sequence[Ask] = ()
) -> list[Group]:
    """Return every tenant that has a schema, suspended ones and those being made too, the largest group first.

    What is deleted while this reads is left out. `helpers` ask over connections of their own at the same time: a
    connection spends its time on meeting schemas for the first time.
    """
    while True:
        try:
            with connections[OPS].cursor() as cursor:
                return _read_groups(cursor, list(only) if only is not None else None, set(without), helpers)
        except (ProgrammingError, psycopg.ProgrammingError) as error:
            if not isinstance(error.__cause__ or error, DROPPED):
                raise


def _read_groups(
    cursor: CursorWrapper, only: list[UUID] | None, without: set[UUID], helpers: Sequence[Ask]
) -> list[Group]:
    cursor.execute(_TENANTS, [list(Tenant.GONE), only, only])
    refs = {ref.schema: ref for ref in (TenantRef(*row) for row in cursor.fetchall()) if ref.id not in without}
    schemas: dict[str, list[str]] = {}
    for schema, digest in _read_digests(cursor, list(refs), helpers):
        schemas.setdefault(digest, []).append(schema)
    groups = [Group(read_applied(cursor, names[0]), tuple(refs[name] for name in names)) for names in schemas.values()]
    return sorted(groups, key=lambda group: -len(group.tenants))


def _read_digests(cursor: CursorWrapper, schemas: list[str], helpers: Sequence[Ask]) -> list[tuple[str, str]]:
    waiting = deque(schemas[start : start + SCHEMAS_A_QUERY] for start in range(0, len(schemas), SCHEMAS_A_QUERY))
    helpers = helpers[: max(0, len(waiting) - 1)]
    if not helpers:
        return _read_parts(waiting, partial(_ask, cursor))
    with ThreadPoolExecutor(len(helpers), thread_name_prefix="fleet-states") as pool:
        theirs = [pool.submit(_read_parts, waiting, helper) for helper in helpers]
        rows = _read_parts(waiting, partial(_ask, cursor))
        return [*rows, *(row for future in theirs for row in future.result())]


def _read_parts(waiting: deque[list[str]], ask: Ask) -> list[tuple[str, str]]:
    """Read one part after the other until none is left."""
    rows: list[tuple[str, str]] = []
    with suppress(IndexError):
        while True:
            part = waiting.popleft()
            queries = [_DIGEST.format(name=sql.Literal(name), schema=sql.Identifier(name)) for name in part]
            rows += [(str(name), str(digest)) for name, digest in ask(sql.SQL(" UNION ALL ").join(queries))]
    return rows


def _ask(cursor: CursorWrapper, query: sql.Composed) -> list[tuple[Any, ...]]:
    cursor.execute(query)
    return list(cursor.fetchall())


def read_applied(cursor: CursorWrapper, schema: str) -> frozenset[MigrationKey]:
    """Return what one schema has."""
    cursor.execute(sql.SQL("SELECT app, name FROM {}.django_migrations").format(sql.Identifier(schema)))
    return frozenset((str(app), str(name)) for app, name in cursor.fetchall())
