"""manage.py setup_database"""

from urllib.parse import unquote, urlsplit

import psycopg
from django.conf import settings
from django.core.management.base import CommandError
from psycopg import sql

from core.commands import TeachingCommand
from core.tenancy.names import APP_ROLE, OPS_ROLE, OWNER_ROLE

DESCRIPTION = """\
Makes the database and its three roles (px_owner, px_app, px_ops) with a superuser's login, and takes from PUBLIC what
tenants must not do. The roles get the passwords of PLEXICA_DATABASE_URL and PLEXICA_DATABASE_OPS_URL. Safe to repeat.
"""
EPILOG = """\
example
  PLEXICA_DATABASE_ADMIN_URL=postgresql://postgres:SECRET@db:5432/postgres manage.py setup_database

Run `migrate` next. The superuser's login is needed by nothing else.
"""
# Of several that begin at once, one goes on and the others repeat it: roles are shared by all databases, and PostgreSQL
# refuses two changes of one role at the same moment. The lock is the maintenance database's, where all log in first.
LOCK_ID = 0x706C_6578_6461_7461

# What the wall needs besides roles: nobody but the owner and px_ops may change settings by a function, run DO blocks, or
# make temporary tables or large objects (a role that owns one can't be dropped), and nobody makes anything in public.
# Logins get their search path and time zone from the database: px_app may not set them by a function either.
DATABASE = """
ALTER DATABASE {database} OWNER TO px_owner;
ALTER SCHEMA public OWNER TO px_owner;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO PUBLIC;
REVOKE ALL ON DATABASE {database} FROM PUBLIC;
GRANT CONNECT ON DATABASE {database} TO px_app, px_ops;
REVOKE EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) FROM px_app;
GRANT EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) TO px_owner, px_ops;
REVOKE UPDATE ON pg_catalog.pg_settings FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION pg_catalog.lo_creat(integer), pg_catalog.lo_create(oid) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION pg_catalog.lo_from_bytea(oid, bytea) FROM PUBLIC;
REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC;
GRANT USAGE ON LANGUAGE plpgsql TO px_owner;
ALTER ROLE px_app IN DATABASE {database} SET search_path = public;
ALTER ROLE px_ops IN DATABASE {database} SET search_path = public;
ALTER ROLE px_app IN DATABASE {database} SET TimeZone = 'UTC';
ALTER ROLE px_ops IN DATABASE {database} SET TimeZone = 'UTC';
"""


class Command(TeachingCommand):
    help = DESCRIPTION
    epilog = EPILOG

    def handle(self, *args: object, **options: object) -> None:
        if not settings.DATABASE_ADMIN_URL:
            raise CommandError("Set PLEXICA_DATABASE_ADMIN_URL to a superuser's postgresql:// address.")
        if "ops" not in settings.DATABASES:
            raise CommandError("Set PLEXICA_DATABASE_OPS_URL: its user and password become the operations login.")
        app, ops = settings.DATABASES["default"], settings.DATABASES["ops"]
        for alias, login, wanted in (
            ("PLEXICA_DATABASE_URL", app, APP_ROLE),
            ("PLEXICA_DATABASE_OPS_URL", ops, OPS_ROLE),
        ):
            if login["USER"] != wanted:
                raise CommandError(f"{alias} must log in as {wanted}, not as {login['USER']}.")
        try:
            self._set_up(str(ops["NAME"]), {APP_ROLE: str(app["PASSWORD"]), OPS_ROLE: str(ops["PASSWORD"])})
        except psycopg.Error as error:
            raise CommandError(f"PostgreSQL refused: {error}") from error
        self.stdout.write("Database and roles are ready.")

    def _set_up(self, database: str, passwords: dict[str, str]) -> None:
        with _connect() as admin:
            admin.execute("SELECT pg_advisory_lock(%s)", [LOCK_ID])  # until this connection ends
            version = admin.info.server_version
            if version < 160000:
                raise CommandError(f"PostgreSQL 16 or newer is needed, this is {version // 10000}.")
            _ensure_role(admin, OWNER_ROLE, "NOLOGIN")
            for role, password in passwords.items():
                _ensure_role(admin, role, "LOGIN")
                options = "LOGIN CREATEROLE" if role == OPS_ROLE else "LOGIN"
                _run(
                    admin,
                    f"ALTER ROLE {{role}} {options} PASSWORD {{password}}",
                    role=sql.Identifier(role),
                    password=sql.Literal(password),
                )
            _run(admin, "GRANT px_owner TO px_ops WITH INHERIT TRUE, SET TRUE")
            if not admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone():
                _run(admin, "CREATE DATABASE {database} OWNER px_owner", database=sql.Identifier(database))
            with _connect(database) as inside:
                for statement in DATABASE.strip().split(";\n"):
                    _run(inside, statement.rstrip(";"), database=sql.Identifier(database))


def _connect(database: str | None = None) -> psycopg.Connection[tuple[object, ...]]:
    parts = urlsplit(settings.DATABASE_ADMIN_URL)
    return psycopg.connect(
        host=unquote(parts.hostname or ""),
        port=parts.port or 5432,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        dbname=database or parts.path.strip("/") or "postgres",
        autocommit=True,
    )


def _ensure_role(admin: psycopg.Connection[tuple[object, ...]], role: str, options: str) -> None:
    if not admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
        _run(admin, f"CREATE ROLE {{role}} {options}", role=sql.Identifier(role))


def _run(admin: psycopg.Connection[tuple[object, ...]], statement: str, **names: sql.Composable) -> None:
    admin.execute(sql.SQL(statement).format(**names))
