"""A database of its own for each test, some tenants in it, and an app whose migrations the test writes."""

import importlib
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connections

from core.tenancy import enter, router
from core.tenancy.names import OWNER_ROLE
from deploy.embedded.paths import Tree
from tenants.models import Tenant
from tenants.schemas import making, template
from tests.support import database
from tests.support.raw import superuser

ORCHARD = "tests.support.orchard"
MIGRATION = """
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    {attributes}
    dependencies = {dependencies}
    operations = [
        {operations}
    ]
"""
TREES = """migrations.CreateModel("Tree", [("id", models.BigAutoField(primary_key=True)), ("kind", models.CharField(max_length=20))])"""
HEIGHT = """migrations.AddField("tree", "height", models.IntegerField(null=True, db_index=True))"""


@dataclass
class Orchard:
    """The throw-away app."""

    folder: Path
    package: str
    names: list[str] = field(default_factory=list)

    def plant(self, name: str, *operations: str, attributes: str = "") -> None:
        """Write one more migration, and let the template of new tenants have it."""
        self.write(name, *operations, attributes=attributes)
        template.update_template()

    def write(self, name: str, *operations: str, attributes: str = "") -> None:
        """Write one more migration."""
        dependencies = [("orchard", self.names[-1])] if self.names else []
        text = MIGRATION.format(attributes=attributes, dependencies=dependencies, operations=", ".join(operations))
        (self.folder / self.package / f"{name}.py").write_text(text, encoding="utf-8")
        self.names.append(name)
        importlib.invalidate_caches()
        template.known_migrations.cache_clear()

    def manage(self, *words: str, env: dict[str, str] | None = None) -> "subprocess.Popen[str]":
        """Start manage.py in a process that has the orchard too."""
        env = (env or dict(os.environ)) | {
            "DJANGO_SETTINGS_MODULE": "tests.support.orchard.settings",
            "ORCHARD_FOLDER": str(self.folder),
            "ORCHARD_MIGRATIONS": self.package,
            "PYTHONUNBUFFERED": "1",
        }
        return subprocess.Popen(
            [sys.executable, "manage.py", *words],
            cwd=Tree.here().root,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture(scope="package")
def _fleet_database(django_db_setup, django_db_blocker):
    """A copy of the prepared database, kept for all tests here: each cleans up behind itself."""
    name = f"{database.PREPARED}_orchard_{os.getpid()}"
    with django_db_blocker.unblock():
        database.make_copy(name)
    yield name
    with django_db_blocker.unblock():
        database.drop_copy(name)


@pytest.fixture
def own_database(_fleet_database, committed, world, monkeypatch):
    """A database in which migrations may be tried, instead of the process's own."""
    before = str(connections["default"].settings_dict["NAME"])
    for variable in database.VARIABLES.values():
        monkeypatch.setenv(variable, database.with_database(os.environ[variable], _fleet_database))
    database._switch(_fleet_database)
    yield _fleet_database
    _fell_all_trees()
    database._switch(before)


def _fell_all_trees():
    """Make the database as it was: no orchard in the template and the two prepared tenants, no others, no ledger."""
    with superuser() as admin:
        schemas = [
            "core_template",
            *(
                ref
                for (ref,) in admin.execute(
                    "SELECT schema_name FROM tenants_tenant WHERE slug IN ('acme-corp', 'globex-inc')"
                ).fetchall()
            ),
        ]
        for schema in schemas:
            tables = admin.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = %s AND tablename LIKE 'orchard%%'", [schema]
            ).fetchall()
            for (table,) in tables:
                admin.execute(f'DROP TABLE "{schema}"."{table}" CASCADE')
            admin.execute(f"DELETE FROM {schema}.django_migrations WHERE app = 'orchard'")
        admin.execute("DELETE FROM tenants_tenant WHERE slug NOT IN ('acme-corp', 'globex-inc')")
        admin.execute("TRUNCATE fleet_run CASCADE")
        admin.execute("DELETE FROM tenants_schematemplate WHERE migrations_hash <> %s", [template.migrations_hash()])


@pytest.fixture
def orchard(own_database, settings, tmp_path, monkeypatch):
    """The app, among those of tenants, without a migration yet."""
    package = f"orchard_{secrets.token_hex(4)}"
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    settings.MIGRATION_MODULES = {"orchard": package}
    settings.TENANT_APPS = [*settings.TENANT_APPS, ORCHARD]
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, ORCHARD]
    _forget()
    yield Orchard(tmp_path, package)
    _forget()


def _forget():
    router.tenant_labels.cache_clear()
    template.known_migrations.cache_clear()


@pytest.fixture
def make_tenant(own_database):
    """Makes tenants that have a row, a schema and a role, and nothing else."""
    from tenants.selectors import installation_code

    made = []

    def make(slug: str | None = None, status: str = "active") -> Tenant:
        slug = slug or f"fleet-{secrets.token_hex(4)}"
        tenant = Tenant.new(
            installation=installation_code(), slug=slug, name=slug, admin_email="a@fleet.example", status=status
        )
        tenant.save(force_insert=True)
        making.make_schema(tenant.ref, template.current_template())
        made.append(tenant)
        return tenant

    yield make
    for tenant in made:
        making.drop_schema(tenant.ref)


@pytest.fixture
def holding(own_database):
    """Opens transactions that hold a tenant's table, as a long report does; ended with the test."""
    opened = []

    def hold(tenant: Any, table: str, mode: str = "ACCESS SHARE") -> "psycopg.Connection[Any]":
        connection = psycopg.connect(os.environ["PLEXICA_DATABASE_OPS_URL"])
        connection.execute(
            f'SET ROLE {OWNER_ROLE}; LOCK TABLE "{tenant.schema_name}"."{table}" IN {mode} MODE'.encode()
        )
        opened.append(connection)
        return connection

    yield hold
    for connection in opened:
        connection.close()


def columns(tenant: Any, table: str) -> set[str]:
    """Return the names of a table's columns, nothing if it does not exist."""
    with enter(tenant.ref), connections["ops"].cursor() as cursor:
        cursor.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
            [table],
        )
        return {name for (name,) in cursor.fetchall()}


def applied(tenant: Any, app: str = "orchard") -> list[str]:
    """Return the migrations that a tenant's schema records."""
    with enter(tenant.ref), connections["ops"].cursor() as cursor:
        cursor.execute("SELECT name FROM django_migrations WHERE app = %s ORDER BY name", [app])
        return [name for (name,) in cursor.fetchall()]
