"""What a tenant's schema holds, counted by PostgreSQL under the tenant's own role."""

from dataclasses import dataclass

from django.db import connection, transaction
from psycopg import sql

from core.tenancy import TenantRef, enter
from tenants.schemas.template import known_migrations

EXACT_BELOW = 100_000  # rows: above, a table is not counted but taken from PostgreSQL's statistics

_TABLES = """
    SELECT c.relname, c.reltuples::bigint,
           pg_total_relation_size(c.oid)
           + coalesce((SELECT sum(pg_total_relation_size(i.inhrelid)) FROM pg_inherits i WHERE i.inhparent = c.oid), 0)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    ORDER BY 1
"""
_FOREIGN = """
    SELECT count(*) FROM pg_namespace n
    WHERE (n.nspname LIKE 't\\_%%' OR n.nspname = 'core_template') AND n.nspname <> %(schema)s
      AND has_schema_privilege(%(role)s, n.oid, 'USAGE')
"""
_POWERS = (
    "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls OR rolcanlogin FROM pg_roles WHERE rolname = %s"
)


@dataclass(frozen=True, slots=True)
class SchemaFacts:
    """How large a tenant's schema is, and how far it is migrated."""

    tables: int
    size_bytes: int
    applied: int
    known: int  # migrations that this code has for tenants


@dataclass(frozen=True, slots=True)
class RowCount:
    """How many rows a schema has, in all its tables."""

    tables: int
    rows: int
    is_exact: bool


@dataclass(frozen=True, slots=True)
class RoleFacts:
    """What a tenant's role may do beyond its own schema."""

    foreign_schemas: int
    has_powers: bool  # superuser, login, or may make roles or databases


def read_schema_facts(ref: TenantRef) -> SchemaFacts | None:
    """Return the schema's tables, size and migrations, or None without a schema."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_TABLES, [ref.schema])
        tables = cursor.fetchall()
    if not tables:
        return None
    with enter(ref), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT app, name FROM django_migrations")
        applied = {(str(app), str(name)) for app, name in cursor.fetchall()} & known_migrations()
    return SchemaFacts(
        tables=len(tables),
        size_bytes=int(sum(size for _, _, size in tables)),
        applied=len(applied),
        known=len(known_migrations()),
    )


def count_rows(ref: TenantRef) -> RowCount:
    """Count the rows of every table; those of very large ones are PostgreSQL's estimate."""
    with enter(ref), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_TABLES, [ref.schema])
        tables = [(str(name), int(estimate)) for name, estimate, _ in cursor.fetchall()]
        large = [estimate for _, estimate in tables if estimate >= EXACT_BELOW]
        small = [name for name, estimate in tables if estimate < EXACT_BELOW]
        rows = sum(large)
        if small:
            counts = [sql.SQL("(SELECT count(*) FROM {})").format(sql.Identifier(ref.schema, name)) for name in small]
            cursor.execute(sql.SQL("SELECT {}").format(sql.SQL(" + ").join(counts)))
            ((counted,),) = cursor.fetchall()
            rows += int(counted)
    return RowCount(tables=len(tables), rows=rows, is_exact=not large)


def read_role_facts(ref: TenantRef) -> RoleFacts | None:
    """Return what the tenant's role may do beyond its own schema, or None without a role."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_POWERS, [ref.role])
        powers = cursor.fetchone()
        if powers is None:
            return None
        cursor.execute(_FOREIGN, {"schema": ref.schema, "role": ref.role})
        ((foreign,),) = cursor.fetchall()
    return RoleFacts(foreign_schemas=int(foreign), has_powers=bool(powers[0]))
