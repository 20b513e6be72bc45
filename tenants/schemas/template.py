"""The template: a schema of nobody that is migrated first, and its text, from which tenants' schemas are made."""

import hashlib
from collections.abc import Collection
from functools import cache
from uuid import UUID

from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

from core.tenancy import TenantRef, enter
from core.tenancy.names import OWNER_ROLE, TEMPLATE_SCHEMA
from core.tenancy.router import tenant_labels
from tenants.models import SchemaTemplate
from tenants.schemas.catalogue import read_schema
from tenants.schemas.making import OPS, owner_cursor

TEMPLATE = TenantRef(
    id=UUID(int=0), slug="template", name="Template", schema=TEMPLATE_SCHEMA, role=OWNER_ROLE, state="template"
)

MISSING = "no schema template fits the migrations of this code: run manage.py migrate"


class TemplateMissing(RuntimeError):
    """No template fits the code's migrations: `manage.py migrate` was not run."""


@cache
def known_migrations() -> frozenset[tuple[str, str]]:
    """Return the names of all migrations that this code has for tenants' schemas, as (app, name)."""
    return frozenset(node for node in MigrationLoader(None).graph.nodes if node[0] in tenant_labels())


def migrations_hash() -> str:
    """Return the hash of this code's migrations of tenants' schemas."""
    return hash_of(known_migrations())


def hash_of(migrations: Collection[tuple[str, str]]) -> str:
    """Return the hash that names a state of a tenant's schema: of the names of the migrations that made it."""
    return hashlib.sha256(repr(sorted(migrations)).encode()).hexdigest()


def update_template() -> SchemaTemplate:
    """Bring the template's schema up to date and keep its DDL and rows for this code's migrations."""
    with connections[OPS].cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {TEMPLATE_SCHEMA}")
    migrate_schema(TEMPLATE)
    with owner_cursor(TEMPLATE) as cursor:
        text = read_schema(cursor, TEMPLATE_SCHEMA)
    template, _ = SchemaTemplate.objects.using(OPS).update_or_create(
        migrations_hash=migrations_hash(),
        defaults={"ddl": text.ddl, "rows": text.rows, "table_count": text.table_count},
    )
    return template


def current_template() -> SchemaTemplate:
    """Return the template made by this code's migrations. Raises TemplateMissing."""
    wanted = migrations_hash()
    template = SchemaTemplate.objects.filter(migrations_hash=wanted).first()
    if template is None:
        raise TemplateMissing(MISSING)
    return template


def check_template() -> str:
    """Return the hash of this code's migrations, over the operations login. Raises TemplateMissing."""
    wanted = migrations_hash()
    if not SchemaTemplate.objects.using(OPS).filter(migrations_hash=wanted).exists():
        raise TemplateMissing(MISSING)
    return wanted


def migrate_schema(ref: TenantRef) -> None:
    """Apply to one schema what is missing, as Django does it: for the template, and for a schema that is adopted.

    Targets are named one by one: Django would record the platform's apps as applied, too.
    """
    with enter(ref):
        executor = MigrationExecutor(connections[OPS])
        targets = [node for node in executor.loader.graph.leaf_nodes() if node[0] in tenant_labels()]
        plan = executor.migration_plan(targets)
        if plan:
            executor.migrate(targets, plan=plan)
