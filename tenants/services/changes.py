"""What all changes of a tenant begin with: its row, locked and of the expected version, and a reason."""

from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from core.errors import Invalid
from core.hints import send_hint
from events.webhooks.queue.services import let_go_on
from tenants.errors import TenantChanged, TenantNotActive
from tenants.models import Tenant

MAX_REASON = 500


def locked_tenant(tenant_id: UUID, expected_version: int | None) -> Tenant:
    """Return the tenant, locked for the transaction. Raises TenantChanged if it has another version than expected."""
    tenant = Tenant.objects.select_for_update().get(pk=tenant_id)
    if expected_version is not None and tenant.version != expected_version:
        raise TenantChanged(slug=tenant.slug, version=tenant.version)
    return tenant


def refuse_unless_in_use(tenant: Tenant) -> None:
    """Raise TenantNotActive unless the tenant is active or suspended."""
    if not tenant.is_in_use:
        raise TenantNotActive(slug=tenant.slug, status=tenant.get_status_display())


def tell_of_status(tenant: Tenant) -> None:
    """Let whoever keeps something for the tenant elsewhere hear that it was stopped or may go on.

    Its webhooks go on with this transaction; others hear after the commit.
    """
    if tenant.status == Tenant.Status.ACTIVE:
        let_go_on(tenant.pk)
    if not tenant.identity_server:
        return

    def tell() -> None:
        for task in settings.TASKS_AFTER_STATUS_CHANGE:
            send_hint(task, str(tenant.pk))

    transaction.on_commit(tell)


def checked_reason(reason: str) -> str:
    """Return the reason without spaces around it. Raises Invalid without one."""
    reason = reason.strip()
    if not reason or len(reason) > MAX_REASON:
        raise Invalid({"reason": [_("Say why, in at most 500 characters.")]})
    return reason
