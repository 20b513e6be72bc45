"""Connections without Django: what somebody has who got hold of the app's login."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from core.tenancy import TenantRef
from tests.support.database import with_database

Connection = psycopg.Connection[Any]


class Pooled:
    """Statements of one transaction, as a pooler needs them: each in a savepoint, so that a refused one ends nothing."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def execute(self, statement: Any, values: Any = None) -> Any:
        """Run one statement."""
        with self._connection.transaction():
            return self._connection.execute(statement, values)


@contextmanager
def app_login(role: str | None = None) -> Iterator[Connection]:
    """A connection as px_app, or in the role that it takes on."""
    with psycopg.connect(os.environ["PLEXICA_DATABASE_URL"], autocommit=True) as connection:
        if role:
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        yield connection


@contextmanager
def inside(tenant: TenantRef) -> Iterator[Any]:
    """A connection in a tenant's role and schema; through a pooler they last for one transaction, rolled back at the end."""
    from django.conf import settings

    local = "LOCAL " if settings.DATABASE_TRANSACTION_POOLING else ""
    with app_login() as connection:
        if local:
            connection.execute("BEGIN")
        for setting, value in (("ROLE", tenant.role), ("search_path =", tenant.schema)):
            connection.execute(sql.SQL(f"SET {local}{setting} {{}}").format(sql.Identifier(value)))
        yield Pooled(connection) if local else connection
        if local:
            connection.execute("ROLLBACK")


@contextmanager
def superuser() -> Iterator[Connection]:
    """A connection to this process's database that may look at everything."""
    from django.conf import settings

    url = with_database(os.environ["PLEXICA_DATABASE_ADMIN_URL"], str(settings.DATABASES["default"]["NAME"]))
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection
