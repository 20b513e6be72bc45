"""Steps of what is done to tenants. `settings.TENANT_STEPS` lists what every tenant gets; each is safe to repeat."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from django.utils.functional import Promise
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from tenants.models import Tenant
from tenants.schemas import making, template


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something that exists under a name that the tenant needs."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class TenantStep:
    """One thing that every tenant owns: how it is made, taken away, and found.

    `run` and `undo` are safe to repeat, also after an attempt that was cut off anywhere. `run` returns what it
    made by its names, for the operation's record: that is text, and read in every language.
    """

    label: str | Promise = ""

    def run(self, tenant: Tenant, inputs: dict[str, Any]) -> str:
        """Make it. `inputs` are what the operation was asked with."""
        raise NotImplementedError

    def undo(self, tenant: Tenant) -> None:
        """Take away what `run` made, all of it or what there is of it."""

    def find_leftovers(self, tenant: Tenant) -> list[Leftover]:
        """Return what exists already under the tenant's names."""
        return []


@cache
def step_at(path: str) -> TenantStep:
    """Return the step whose class has this dotted path."""
    step: TenantStep = import_string(path)()
    return step


class SchemaStep(TenantStep):
    """Gives the tenant its schema and its database role, made from the template's stored DDL."""

    label = _("Database schema")

    def run(self, tenant: Tenant, inputs: dict[str, Any]) -> str:
        made_from = template.current_template()
        if not making.existing_objects(tenant.ref):  # one transaction makes both: there is all or nothing
            making.make_schema(tenant.ref, made_from)
        return f"{tenant.schema_name}, {tenant.role_name}"

    def undo(self, tenant: Tenant) -> None:
        making.drop_schema(tenant.ref)

    def find_leftovers(self, tenant: Tenant) -> list[Leftover]:
        return [Leftover(kind, name) for kind, name in making.existing_objects(tenant.ref)]
