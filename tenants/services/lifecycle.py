"""Suspends and reactivates tenants: one transaction each, seen by every process within a second."""

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from core import audit
from core.actors import Actor
from events import publish
from plexica_sdk.events import TenantReactivated, TenantSuspended
from tenants.errors import TenantNotActive, TenantNotSuspended
from tenants.models import Tenant
from tenants.services.changes import checked_reason, locked_tenant, tell_of_status


@transaction.atomic
def suspend_tenant(*, tenant_id: UUID, actor: Actor, reason: str, expected_version: int | None = None) -> Tenant:
    """Stop a tenant everywhere, leaving its data untouched.

    Pages, API, tokens and sign-in refuse from the commit on; its queued jobs wait.

    Raises TenantNotActive unless the tenant is active, TenantChanged if it has another version than expected, and Invalid
    without a reason; nothing is written then.
    """
    tenant = locked_tenant(tenant_id, expected_version)
    reason = checked_reason(reason)
    if tenant.status != Tenant.Status.ACTIVE:
        raise TenantNotActive(slug=tenant.slug, status=tenant.get_status_display())
    tenant.status = Tenant.Status.SUSPENDED
    tenant.suspended_at = timezone.now()
    tenant.version += 1
    tenant.save(update_fields=["status", "suspended_at", "version"])
    tell_of_status(tenant)
    audit.record(actor=actor, action="tenant.suspended", target=tenant, reason=reason)
    publish(TenantSuspended(tenant_id=tenant.pk), actor=actor)
    return tenant


@transaction.atomic
def reactivate_tenant(*, tenant_id: UUID, actor: Actor, reason: str, expected_version: int | None = None) -> Tenant:
    """Let a suspended tenant work again; what waited goes on.

    Raises TenantNotSuspended unless the tenant is suspended, TenantChanged and Invalid as `suspend_tenant` does.
    """
    tenant = locked_tenant(tenant_id, expected_version)
    reason = checked_reason(reason)
    if tenant.status != Tenant.Status.SUSPENDED:
        raise TenantNotSuspended(slug=tenant.slug, status=tenant.get_status_display())
    tenant.status = Tenant.Status.ACTIVE
    tenant.suspended_at = None
    tenant.version += 1
    tenant.save(update_fields=["status", "suspended_at", "version"])
    tell_of_status(tenant)
    audit.record(actor=actor, action="tenant.reactivated", target=tenant, reason=reason)
    publish(TenantReactivated(tenant_id=tenant.pk), actor=actor)
    return tenant
