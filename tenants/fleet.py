"""Migrations of tenants' schemas: the template first, then every tenant.

Targets are named one by one from the apps whose tables a tenant has. (Left to itself, Django would record migrations of
other apps as applied in a schema that never saw their tables.)
"""

import hashlib
from collections.abc import Iterator
from functools import cache
from uuid import UUID

from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

from core.tenancy import TenantRef, enter
from core.tenancy.names import OWNER_ROLE, TEMPLATE_SCHEMA
from core.tenancy.router import tenant_labels
from tenants.models import SchemaTemplate, Tenant
from tenants.schemas.catalogue import read_schema
from tenants.schemas.making import OPS, make_partitions, owner_cursor, restrict_grants

TEMPLATE = TenantRef(
    id=UUID(int=0), slug="template", name="Template", schema=TEMPLATE_SCHEMA, role=OWNER_ROLE, state="template"
)


class TemplateMissing(RuntimeError):
    """No template fits the code's migrations: `manage.py migrate` was not run."""


@cache
def migrations_hash() -> str:
    """Return a hash of the names of all tenant migrations in this code."""
    return hash_of([node for node in MigrationLoader(None).graph.nodes if node[0] in tenant_labels()])


def hash_of(migrations: list[tuple[str, str]]) -> str:
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
        raise TemplateMissing("no schema template fits the migrations of this code: run manage.py migrate")
    return template


def migrate_schema(ref: TenantRef) -> int:
    """Apply what is missing in one schema and return how many migrations that was."""
    with enter(ref):
        executor = MigrationExecutor(connections[OPS])
        targets = [node for node in executor.loader.graph.leaf_nodes() if node[0] in tenant_labels()]
        plan = executor.migration_plan(targets)
        if plan:
            executor.migrate(targets, plan=plan)
    return len(plan)


def migrate_tenants() -> Iterator[tuple[str, int]]:
    """Migrate every tenant that has a schema, one after the other; yield slug and number of migrations."""
    having_a_schema = Tenant.objects.exclude(status__in=[*Tenant.GONE, Tenant.Status.PROVISIONING]).order_by(
        "created_at"
    )
    for tenant in having_a_schema.iterator(chunk_size=500):
        applied = migrate_schema(tenant.ref)
        if applied:
            with owner_cursor(tenant.ref) as cursor:
                restrict_grants(cursor, tenant.ref)
        yield tenant.slug, applied


def keep_partitions_ahead() -> int:
    """Make the coming partitions of every tenant's schema; return how many were made."""
    from django.utils import timezone

    made = 0
    for tenant in Tenant.objects.exclude(status__in=[*Tenant.GONE, Tenant.Status.PROVISIONING]).iterator(
        chunk_size=500
    ):
        with owner_cursor(tenant.ref) as cursor:
            made += len(make_partitions(cursor, tenant.ref, now=timezone.now()))
    return made
