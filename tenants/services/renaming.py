from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from core import audit
from core.actors import Actor
from core.errors import Invalid
from events import publish
from plexica_sdk.events import TenantRenamed
from tenants.models import Tenant
from tenants.naming import check_name
from tenants.services.changes import locked_tenant, refuse_unless_in_use


@transaction.atomic
def rename_tenant(*, tenant_id: UUID, name: str, actor: Actor, expected_version: int | None = None) -> Tenant:
    """Give a tenant another name; the same name changes nothing. Its slug, address and the first admin's name stay.

    Raises TenantNotActive unless the tenant is active or suspended, TenantChanged if it has another version than
    expected, and Invalid for a name that no tenant could have; nothing is written then.
    """
    tenant = locked_tenant(tenant_id, expected_version)
    try:
        check_name(name)
    except ValidationError as error:
        raise Invalid({"name": list(error.messages)}) from None
    refuse_unless_in_use(tenant)
    before, tenant.name = tenant.name, name.strip()
    if tenant.name == before:
        return tenant
    tenant.version += 1
    tenant.save(update_fields=["name", "version"])
    audit.record(actor=actor, action="tenant.renamed", target=tenant, before=before, after=tenant.name)
    publish(TenantRenamed(tenant_id=tenant.pk), actor=actor)
    return tenant
