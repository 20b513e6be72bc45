"""Looks at the app's database login once for each process: the wall between tenants stands on what it may not do."""

from typing import Any, Final

import structlog
from django.core.exceptions import ImproperlyConfigured
from psycopg import Connection

from core.tenancy.names import OWNER_ROLE

log = structlog.get_logger(__name__)

_LOGIN: Final = """
    SELECT r.rolname, array_remove(ARRAY[
        CASE WHEN r.rolsuper THEN 'is a superuser' END,
        CASE WHEN r.rolbypassrls THEN 'bypasses row-level security' END,
        CASE WHEN EXISTS (
            SELECT FROM pg_shdepend d JOIN pg_database b ON b.oid = d.dbid
            WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid AND d.deptype = 'o'
              AND d.classid IN ('pg_class'::regclass, 'pg_namespace'::regclass) AND b.datname = current_database()
        ) THEN 'owns tables or schemas' END,
        CASE WHEN EXISTS (SELECT FROM pg_roles o WHERE o.rolname = %s AND pg_has_role(r.oid, o.oid, 'MEMBER'))
        THEN 'may become the owner of the tables' END
    ], NULL)
    FROM pg_roles r WHERE r.rolname = session_user
"""
_OPEN: Final = """
    SELECT array_remove(ARRAY[
        CASE WHEN has_function_privilege(session_user, 'pg_catalog.set_config(text, text, boolean)', 'EXECUTE')
        THEN 'EXECUTE on set_config' END,
        CASE WHEN has_table_privilege('public', 'pg_catalog.pg_settings', 'UPDATE') THEN 'UPDATE on pg_settings' END,
        CASE WHEN EXISTS (SELECT FROM pg_language WHERE lanname = 'plpgsql' AND has_language_privilege('public', oid, 'USAGE'))
        THEN 'USAGE on plpgsql' END,
        CASE WHEN has_database_privilege('public', current_database(), 'TEMP') THEN 'TEMP on the database' END,
        CASE WHEN has_schema_privilege('public', 'public', 'CREATE') THEN 'CREATE in public' END
    ], NULL)
"""

_looked = False
_direct: set[str] = set()  # aliases of which it is known that no pooler stands before PostgreSQL


def refuse_pooler(connection: Connection[Any], alias: str) -> None:
    """Refuse a connection that a pooler answers: it would hand a role that was set to whoever comes next.

    PostgreSQL tells a client its process; a pooler tells a number of its own. Asked once for each process and alias.
    """
    if alias in _direct:
        return
    with connection.transaction():
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
    if row is None or row[0] != connection.info.backend_pid:
        raise ImproperlyConfigured(
            f"A connection pooler answers for the database {alias!r}. PLEXICA_DATABASE_URL may lead to one in transaction"
            " mode, with PLEXICA_DATABASE_TRANSACTION_POOLING=true; PLEXICA_DATABASE_OPS_URL must lead to PostgreSQL."
        )
    _direct.add(alias)


def what_is_open(connection: Connection[Any]) -> list[str]:
    """Return which rights the connection's login still has that would let a statement change its role."""
    row = connection.execute(_OPEN).fetchone()
    return list(row[0]) if row else []


def look_once(connection: Connection[Any]) -> None:
    """Refuse a login that no role could hold back, and warn of what PUBLIC may still do; later calls cost nothing.

    Raises ImproperlyConfigured, again with each call, while the login is wrong.
    """
    global _looked
    if _looked:
        return
    with connection.transaction():
        login = connection.execute(_LOGIN, [OWNER_ROLE]).fetchone()
        still_open = connection.execute(_OPEN).fetchone()
    if login and login[1]:
        raise ImproperlyConfigured(
            f"PLEXICA_DATABASE_URL logs in as {login[0]}, which {', '.join(login[1])}: no wall would stand between"
            " tenants. Use the login px_app that manage.py setup_database makes."
        )
    if still_open and still_open[0]:
        log.warning("database_wall_incomplete", public_has=still_open[0], remedy="manage.py setup_database")
    _looked = True
