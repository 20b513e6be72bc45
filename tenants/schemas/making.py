"""Makes and drops a tenant's schema and database role, over the operations login."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connections, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone
from psycopg import sql

from core.partitions import ensure_partitions
from core.tenancy import TenantRef, enter
from core.tenancy.names import APP_ROLE
from tenants.models import SchemaTemplate

OPS = "ops"
PARTITIONS_AHEAD = 2
DROP_WAIT_S = 5


@contextmanager
def owner_cursor(ref: TenantRef) -> Iterator[CursorWrapper]:
    """Give a cursor inside a transaction that works in the tenant's schema as the owner of its tables."""
    with enter(ref), transaction.atomic(using=OPS), connections[OPS].cursor() as cursor:
        yield cursor


def make_schema(ref: TenantRef, template: SchemaTemplate, *, now: datetime | None = None) -> None:
    """Make the tenant's role and schema from the template, in one transaction: all of it or nothing.

    The role may read and write rows of the schema; the audit log it may only add to. It may be taken on by px_app.
    """
    with owner_cursor(ref) as cursor:
        with _login_role():
            _run(cursor, "CREATE ROLE {role} NOLOGIN", ref)
            _run(cursor, "GRANT {role} TO {app} WITH SET TRUE, INHERIT FALSE", ref)
        _run(cursor, "CREATE SCHEMA {schema}", ref)
        _run(cursor, "COMMENT ON SCHEMA {schema} IS {comment}", ref)
        _run(cursor, "GRANT USAGE ON SCHEMA {schema} TO {role}", ref)
        _run(
            cursor,
            "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}",
            ref,
        )
        _run(cursor, "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT USAGE ON SEQUENCES TO {role}", ref)
        cursor.execute(template.ddl + template.rows)
        make_partitions(cursor, ref, now=now or timezone.now())
        restrict_grants(cursor, ref)


def make_partitions(cursor: CursorWrapper, ref: TenantRef, *, now: datetime) -> list[str]:
    """Make the partitions of the coming months; the tenant's role reaches them only through their parent."""
    made = []
    for table, period in settings.PARTITIONED_TABLES["tenant"].items():
        for name in ensure_partitions(cursor, table=table, period=period, now=now, ahead=PARTITIONS_AHEAD):
            _run(cursor, "REVOKE ALL ON {table} FROM {role}", ref, table=sql.Identifier(name))
            made.append(name)
    return made


def restrict_grants(cursor: CursorWrapper, ref: TenantRef) -> None:
    """Take back what the role may not do: change the audit log, touch partitions, write the migrations' record."""
    cursor.execute(grant_restrictions(ref.role))


def grant_restrictions(role: str, *, unless_missing: bool = False) -> sql.Composed:
    """Return the statements of `restrict_grants`, for the schema that is the search path.

    `unless_missing` leaves out the tables that are not there: a later migration makes them.
    """
    taken = {
        **dict.fromkeys(settings.TENANT_INSERT_ONLY_TABLES, "UPDATE, DELETE"),
        **dict.fromkeys(settings.TENANT_READ_ONLY_TABLES, "INSERT, UPDATE, DELETE"),
        **dict.fromkeys((f"{table}_default" for table in settings.PARTITIONED_TABLES["tenant"]), "ALL"),
    }
    revoke = "REVOKE {rights} ON {table} FROM {role};"
    if unless_missing:
        revoke = f"DO $$ BEGIN IF to_regclass({{text}}) IS NOT NULL THEN {revoke} END IF; END $$;"
    return sql.Composed(
        [
            sql.SQL(f"{revoke}\n").format(
                rights=sql.SQL(rights),
                table=sql.Identifier(table),
                text=sql.Literal(sql.Identifier(table).as_string(None)),
                role=sql.Identifier(role),
            )
            for table, rights in taken.items()
        ]
    )


def drop_schema(ref: TenantRef) -> None:
    """Drop the tenant's schema with everything in it, and the role. Safe to repeat.

    Raises OperationalError when somebody holds a table for longer than `DROP_WAIT_S`, instead of waiting for ever.
    """
    with owner_cursor(ref) as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{DROP_WAIT_S * 1000:.0f}ms'")
        _run(cursor, "DROP SCHEMA IF EXISTS {schema} CASCADE", ref)
        with _login_role():
            _run(cursor, "DROP ROLE IF EXISTS {role}", ref)


def existing_objects(ref: TenantRef) -> list[tuple[str, str]]:
    """Return which of schema and role exist, as (kind, name)."""
    with connections[OPS].cursor() as cursor:
        cursor.execute(
            "SELECT 'schema', nspname FROM pg_namespace WHERE nspname = %s"
            " UNION ALL SELECT 'role', rolname FROM pg_roles WHERE rolname = %s",
            [ref.schema, ref.role],
        )
        return [(str(kind), str(name)) for kind, name in cursor.fetchall()]


@contextmanager
def _login_role() -> Iterator[None]:
    """Roles are made by px_ops itself (CREATEROLE), not by the owner of the tables."""
    wrapper: Any = connections[OPS]
    with wrapper.as_login():
        yield


def _run(cursor: CursorWrapper, statement: str, ref: TenantRef, **names: sql.Composable) -> None:
    parts: dict[str, sql.Composable] = {
        "schema": sql.Identifier(ref.schema),
        "role": sql.Identifier(ref.role),
        "app": sql.Identifier(APP_ROLE),
        "comment": sql.Literal(f"tenant {ref.id}"),
        **names,
    }
    cursor.execute(sql.SQL(statement).format(**parts))
