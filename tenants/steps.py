"""Steps of what is done to tenants. `settings.TENANT_STEPS` lists what every tenant gets; each is safe to repeat."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import Promise
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from tenants import adoption
from tenants.errors import SlugTaken
from tenants.models import Domain, Tenant
from tenants.schemas import making, template


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something that exists under a name that the tenant needs."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step has to say: a line for people, and facts that the operation keeps for pages and programs."""

    detail: str
    facts: Mapping[str, Any] = field(default_factory=dict)


class TenantStep:
    """One thing that every tenant owns: how it is made, taken away, and found.

    Everything is safe to repeat, also after an attempt that was cut off anywhere. `run` returns what it made by its
    names, for the operation's record: that is text, and read in every language.
    """

    key: ClassVar[str] = ""  # names the step in operations' rows for good, whatever becomes of the class
    label: ClassVar[str | Promise] = ""
    makes: ClassVar[Mapping[str, str | Promise]] = {}  # kinds of leftovers, and what people call them

    def run(self, tenant: Tenant, inputs: dict[str, Any]) -> str | Outcome:
        """Make it. `inputs` are what the operation was asked with."""
        raise NotImplementedError

    def undo(self, tenant: Tenant) -> None:
        """Take away what `run` made, all of it or what there is of it."""

    def find_leftovers(self, tenant: Tenant) -> list[Leftover]:
        """Return what exists already under the tenant's names."""
        return []

    def what_is_left(self, tenant: Tenant) -> list[Leftover]:
        """Return what the tenant still owns of it: a deletion looks here afterwards."""
        return self.find_leftovers(tenant)

    def adopt(self, tenant: Tenant) -> None:
        """Make leftovers the tenant's own, if they are whole. Raises CannotAdopt; `run` follows and takes them as they are."""

    def clean(self, tenant: Tenant) -> None:
        """Take leftovers away; `run` follows and makes everything anew."""
        self.undo(tenant)


def tenant_steps() -> tuple[TenantStep, ...]:
    """Return the steps of `settings.TENANT_STEPS`, in order."""
    return _steps(tuple(settings.TENANT_STEPS))


@cache
def _steps(paths: tuple[str, ...]) -> tuple[TenantStep, ...]:
    steps = tuple(import_string(path)() for path in paths)
    keys = [step.key for step in steps]
    if not all(keys) or len(set(keys)) < len(keys):
        raise ImproperlyConfigured(f"each of TENANT_STEPS needs a key of its own, these have {keys}")
    return steps


class AddressStep(TenantStep):
    """Gives the tenant its address. `request_tenant` has reserved it, unless a tenant that is gone still has it."""

    key = "address"
    label = _("Address")
    makes: ClassVar[Mapping[str, str | Promise]] = {"address": _("Address")}

    def run(self, tenant: Tenant, inputs: dict[str, Any]) -> str:
        domain, _made = Domain.objects.get_or_create(domain=tenant.slug, defaults={"tenant": tenant})
        if domain.tenant_id != tenant.pk:
            raise SlugTaken(slug=tenant.slug)
        return str(domain)

    def undo(self, tenant: Tenant) -> None:
        tenant.domains.all().delete()

    def find_leftovers(self, tenant: Tenant) -> list[Leftover]:
        others = Domain.objects.filter(domain=tenant.slug).exclude(tenant=tenant)
        return [Leftover("address", str(domain)) for domain in others]

    def what_is_left(self, tenant: Tenant) -> list[Leftover]:
        return [Leftover("address", str(domain)) for domain in tenant.domains.all()]

    def adopt(self, tenant: Tenant) -> None:
        Domain.objects.filter(domain=tenant.slug, tenant__status__in=Tenant.GONE).update(tenant=tenant)

    def clean(self, tenant: Tenant) -> None:
        Domain.objects.filter(domain=tenant.slug, tenant__status__in=Tenant.GONE).delete()


class SchemaStep(TenantStep):
    """Gives the tenant its schema and its database role, made from the template's stored DDL."""

    key = "schema"
    label = _("Database schema")
    makes: ClassVar[Mapping[str, str | Promise]] = {"schema": _("Database schema"), "role": _("Database role")}

    def run(self, tenant: Tenant, inputs: dict[str, Any]) -> str:
        made_from = template.current_template()
        if not making.existing_objects(tenant.ref):  # one transaction makes both: there is all or nothing
            making.make_schema(tenant.ref, made_from)
        return f"{tenant.schema_name}, {tenant.role_name}"

    def undo(self, tenant: Tenant) -> None:
        making.drop_schema(tenant.ref)

    def find_leftovers(self, tenant: Tenant) -> list[Leftover]:
        return [Leftover(kind, name) for kind, name in making.existing_objects(tenant.ref)]

    def adopt(self, tenant: Tenant) -> None:
        adoption.adopt_schema(tenant.ref)
