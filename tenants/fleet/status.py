"""What the fleet is like now: migrations, drift, and what belongs to nobody."""

from dataclasses import dataclass
from typing import Any

from django.db import connections

from core.tenancy import TenantRef
from core.tenancy.names import TEMPLATE_SCHEMA
from tenants.fleet.plans import make_plan
from tenants.fleet.states import read_applied, read_groups
from tenants.models import Tenant
from tenants.schemas.drift import Difference, find_drift, find_role_faults
from tenants.schemas.making import OPS
from tenants.selectors import installation_code


@dataclass(frozen=True)
class GroupStatus:
    """Tenants with the same migrations: what they lack, and what they have that this code does not know."""

    tenants: tuple[TenantRef, ...]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class FleetStatus:
    """All of it. Drift is looked for in tenants that have the template's migrations: others differ by right."""

    groups: tuple[GroupStatus, ...]
    drift: tuple[Difference, ...]
    not_compared: int
    schemas_without_tenant: tuple[str, ...]
    roles_without_tenant: tuple[str, ...]
    tenants_without_schema: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nobody is behind, nothing has drifted, and everything belongs to somebody."""
        behind = any(group.missing for group in self.groups)
        strays = self.schemas_without_tenant or self.roles_without_tenant or self.tenants_without_schema
        return not (behind or self.drift or strays)


def read_status() -> FleetStatus:
    """Look at every schema; one query for each kind of thing over all of them."""
    groups = read_groups()
    with connections[OPS].cursor() as cursor:
        templates = read_applied(cursor, TEMPLATE_SCHEMA)
    known = _known()
    statuses = []
    for group in groups:
        plan = make_plan(group)
        unknown = [f"{app}.{name}" for app, name in sorted(group.applied - known)]
        statuses.append(GroupStatus(group.tenants, tuple(plan.names), tuple(unknown)))
    alike = [ref for group in groups if group.applied == templates for ref in group.tenants]
    count = sum(len(group.tenants) for group in groups)
    return FleetStatus(
        groups=tuple(statuses),
        drift=(*find_drift(alike), *find_role_faults(ref for group in groups for ref in group.tenants)),
        not_compared=count - len(alike),
        schemas_without_tenant=_schemas_without_tenant(),
        roles_without_tenant=_roles_without_tenant(),
        tenants_without_schema=_tenants_without_schema({ref.schema for group in groups for ref in group.tenants}),
    )


def _known() -> frozenset[tuple[str, str]]:
    from django.db.migrations.loader import MigrationLoader

    return frozenset(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)


def _schemas_without_tenant() -> tuple[str, ...]:
    return _strays(
        "SELECT nspname FROM pg_namespace WHERE nspname ~ '^t_[a-z2-7]{12}$' AND NOT EXISTS ("
        "SELECT FROM public.tenants_tenant WHERE schema_name = nspname AND status <> ALL(%s)) ORDER BY 1",
        [list(Tenant.GONE)],
    )


def _roles_without_tenant() -> tuple[str, ...]:
    return _strays(
        "SELECT rolname FROM pg_roles WHERE rolname ~ %s AND NOT EXISTS ("
        "SELECT FROM public.tenants_tenant WHERE role_name = rolname AND status <> ALL(%s)) ORDER BY 1",
        [f"^px_{installation_code()}_[a-z2-7]{{12}}$", list(Tenant.GONE)],
    )


def _strays(query: str, values: list[Any]) -> tuple[str, ...]:
    with connections[OPS].cursor() as cursor:
        cursor.execute(query, values)
        return tuple(str(name) for (name,) in cursor.fetchall())


def _tenants_without_schema(schemas: set[str]) -> tuple[str, ...]:
    """Those being made may be at a step before it."""
    living = Tenant.objects.exclude(status__in=[*Tenant.GONE, Tenant.Status.PROVISIONING])
    return tuple(slug for slug, schema in living.values_list("slug", "schema_name") if schema not in schemas)
