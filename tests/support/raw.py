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


@contextmanager
def app_login(role: str | None = None) -> Iterator[Connection]:
    """A connection as px_app, or in the role that it takes on."""
    with psycopg.connect(os.environ["PLEXICA_DATABASE_URL"], autocommit=True) as connection:
        if role:
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        yield connection


@contextmanager
def inside(tenant: TenantRef) -> Iterator[Connection]:
    """A connection in a tenant's role and schema."""
    with app_login(tenant.role) as connection:
        connection.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(tenant.schema)))
        yield connection


@contextmanager
def superuser() -> Iterator[Connection]:
    """A connection to this process's database that may look at everything."""
    from django.conf import settings

    url = with_database(os.environ["PLEXICA_DATABASE_ADMIN_URL"], str(settings.DATABASES["default"]["NAME"]))
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection
