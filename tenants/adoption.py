"""Makes a schema that exists a tenant's own: looked at first, so that nothing foreign comes in with it.

A schema may have been restored by hand or left by an import that was cut off. What is taken over is its tables with their
rows; the role is made anew with exactly the rights that a role has, since a role holds nothing by itself.
"""

from typing import Any

from django.db import DatabaseError, connections
from django.db.backends.utils import CursorWrapper
from django.utils import timezone
from django.utils.translation import gettext as _
from psycopg import sql

from core.tenancy import TenantRef
from core.tenancy.names import APP_ROLE, OWNER_ROLE, TEMPLATE_SCHEMA
from tenants.errors import CannotAdopt
from tenants.schemas import making
from tenants.schemas.template import known_migrations, migrate_schema

_FOREIGN = """
    SELECT 'it belongs to ' || nspowner::regrole FROM pg_namespace
    WHERE nspname = %(schema)s AND nspowner::regrole::text <> %(owner)s
    UNION ALL
    SELECT 'it is marked as ' || d.description FROM pg_namespace n
    JOIN pg_description d ON d.objoid = n.oid AND d.classoid = 'pg_namespace'::regclass
    WHERE nspname = %(schema)s AND d.description <> %(comment)s
    UNION ALL
    SELECT relname || ' belongs to ' || relowner::regrole FROM pg_class
    WHERE relnamespace = %(schema)s::regnamespace AND relowner::regrole::text <> %(owner)s
    UNION ALL
    SELECT relname || ' is no table' FROM pg_class
    WHERE relnamespace = %(schema)s::regnamespace AND relkind NOT IN ('r', 'p', 'i', 'I', 'S')
    UNION ALL
    SELECT 'it has the function ' || proname FROM pg_proc WHERE pronamespace = %(schema)s::regnamespace
    UNION ALL
    SELECT relname || ' has the trigger ' || tgname FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid
    WHERE relnamespace = %(schema)s::regnamespace AND NOT tgisinternal
    UNION ALL
    SELECT relname || ' has the rule ' || rulename FROM pg_rewrite JOIN pg_class c ON c.oid = ev_class
    WHERE relnamespace = %(schema)s::regnamespace
    UNION ALL
    SELECT relname || ' is open to ' || CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END
    FROM (
        SELECT relname, (aclexplode(relacl)).grantee FROM pg_class WHERE relnamespace = %(schema)s::regnamespace
        UNION SELECT nspname, (aclexplode(nspacl)).grantee FROM pg_namespace WHERE nspname = %(schema)s
    ) grants
    WHERE grantee = 0 OR grantee::regrole::text NOT IN (%(owner)s, %(role)s)
"""
_MISSING = """
    SELECT c.relname || '.' || a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = %s::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND a.attnum > 0 AND NOT a.attisdropped
      AND NOT EXISTS (
          SELECT FROM pg_attribute b JOIN pg_class d ON d.oid = b.attrelid
          WHERE d.relnamespace = %s::regnamespace AND d.relname = c.relname AND b.attname = a.attname
            AND b.atttypid = a.atttypid AND b.atttypmod = a.atttypmod AND NOT b.attisdropped)
    ORDER BY 1
"""


def adopt_schema(ref: TenantRef) -> None:
    """Make an existing schema the tenant's, at this code's migrations, with a fresh role. Safe to repeat.

    A role without a schema is dropped, to be made anew. Raises CannotAdopt and changes nothing if the schema is not whole,
    not ours, of later migrations, or holds anything but tables.
    """
    if "schema" not in dict(making.existing_objects(ref)):
        making.drop_schema(ref)
        return
    with making.owner_cursor(ref) as cursor:
        _refuse_what_is_foreign(cursor, ref)
        _refuse_later_migrations(cursor, ref)
    migrate_schema(ref)
    with making.owner_cursor(ref) as cursor:
        _refuse_what_lacks_tables(cursor, ref)
        _give_fresh_role(cursor, ref)


def _refuse_what_is_foreign(cursor: CursorWrapper, ref: TenantRef) -> None:
    names = {"schema": ref.schema, "role": ref.role, "owner": OWNER_ROLE, "comment": f"tenant {ref.id}"}
    cursor.execute(_FOREIGN, names)
    _refuse(ref, [str(reason) for (reason,) in cursor.fetchall()])


def _refuse_later_migrations(cursor: CursorWrapper, ref: TenantRef) -> None:
    cursor.execute("SELECT to_regclass(%s)", [f"{ref.schema}.django_migrations"])
    if cursor.fetchone() == (None,):
        _refuse(ref, [_("it has no record of migrations")])
    cursor.execute("SELECT app, name FROM django_migrations")
    applied = {(str(app), str(name)) for app, name in cursor.fetchall()}
    _refuse(ref, [f"{app}.{name}" for app, name in sorted(applied - known_migrations())])


def _refuse_what_lacks_tables(cursor: CursorWrapper, ref: TenantRef) -> None:
    cursor.execute(_MISSING, [TEMPLATE_SCHEMA, ref.schema])
    _refuse(ref, [_("%(column)s is missing") % {"column": column} for (column,) in cursor.fetchall()])


def _refuse(ref: TenantRef, reasons: list[str]) -> None:
    if reasons:
        more = ["..."] if len(reasons) > 3 else []
        raise CannotAdopt(name=ref.schema, reason=", ".join(reasons[:3] + more))


_TAKE_BACK = """
    ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} REVOKE ALL ON TABLES FROM {role};
    ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} REVOKE ALL ON SEQUENCES FROM {role};
    REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role};
    REVOKE ALL ON ALL SEQUENCES IN SCHEMA {schema} FROM {role};
    REVOKE ALL ON SCHEMA {schema} FROM {role}
"""
_DROP_ROLE = "DROP ROLE {role}"
_MAKE_ROLE = "CREATE ROLE {role} NOLOGIN; GRANT {role} TO {app} WITH SET TRUE, INHERIT FALSE"
_GIVE = """
    COMMENT ON SCHEMA {schema} IS {comment};
    GRANT USAGE ON SCHEMA {schema} TO {role};
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role};
    GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {role};
    ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role};
    ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT USAGE ON SEQUENCES TO {role}
"""


def _give_fresh_role(cursor: CursorWrapper, ref: TenantRef) -> None:
    """Replace the role, so that nobody is in it who was in the old one, and give it what a new tenant's role gets."""
    wrapper: Any = connections[making.OPS]
    old = "role" in dict(making.existing_objects(ref))
    if old:
        _run(cursor, _TAKE_BACK, ref)
    with wrapper.as_login():  # roles are px_ops's, not the owner's
        try:
            if old:
                _run(cursor, _DROP_ROLE, ref)
        except DatabaseError as error:
            raise CannotAdopt(name=ref.role, reason=str(error).partition("\n")[0]) from error
        _run(cursor, _MAKE_ROLE, ref)
    _run(cursor, _GIVE, ref)
    cursor.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relispartition AND relkind = 'r'",
        [ref.schema],
    )
    for (name,) in cursor.fetchall():
        _run(cursor, "REVOKE ALL ON {table} FROM {role}", ref, table=sql.Identifier(str(name)))
    making.make_partitions(cursor, ref, now=timezone.now())
    making.restrict_grants(cursor, ref)


def _run(cursor: CursorWrapper, statements: str, ref: TenantRef, **names: sql.Composable) -> None:
    parts: dict[str, sql.Composable] = {
        "schema": sql.Identifier(ref.schema),
        "role": sql.Identifier(ref.role),
        "app": sql.Identifier(APP_ROLE),
        "comment": sql.Literal(f"tenant {ref.id}"),
        **names,
    }
    cursor.execute(sql.SQL(statements).format(**parts))
