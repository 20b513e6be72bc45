from functools import cache
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from tenants.errors import TenantNotFound
from tenants.models import Installation, Operation, Tenant
from tenants.removal import labels


@cache
def installation_code() -> str:
    """Return the six characters that tell this installation's roles and buckets from others'."""
    return Installation.objects.get(pk=1).code


def list_tenants(*, query: str = "", status: str = "") -> QuerySet[Tenant]:
    """Return tenants, newest first; `query` looks into slug, name and the first admin's address."""
    tenants = Tenant.objects.order_by("-created_at")
    if query:
        tenants = tenants.filter(Q(slug__icontains=query) | Q(name__icontains=query) | Q(admin_email__icontains=query))
    return tenants.filter(status=status) if status else tenants.exclude(status=Tenant.Status.DELETED)


def count_tenants_by_status() -> dict[str, int]:
    """Return how many tenants are in each status; deleted ones are left out."""
    rows = Tenant.objects.exclude(status=Tenant.Status.DELETED).values_list("status").annotate(Count("id")).order_by()
    return dict(rows)


def get_tenant(slug: str) -> Tenant:
    """Return the living tenant with this slug, else the last one that failed. Raises TenantNotFound."""
    found = Tenant.objects.filter(slug=slug).exclude(status=Tenant.Status.DELETED)
    tenant = found.exclude(status=Tenant.Status.FAILED).first() or found.order_by("-created_at").first()
    if tenant is None:
        raise TenantNotFound(slug=slug)
    return tenant


def is_slug_free(slug: str) -> bool:
    """Say whether a new tenant could take `slug` now."""
    return not Tenant.objects.filter(slug=slug).exclude(status__in=Tenant.GONE).exists()


def get_operation(operation_id: UUID) -> Operation:
    """Return the operation with its steps and tenant. Raises TenantNotFound."""
    operation = Operation.objects.select_related("tenant").prefetch_related("steps").filter(pk=operation_id).first()
    if operation is None:
        raise TenantNotFound(operation=str(operation_id))
    return operation


def proof_of(operation: Operation) -> list[tuple[str, int]]:
    """Return what a deletion counted when it looked again, as (what people call it, how many); empty before it did."""
    named = labels()
    return [(named.get(kind, kind), count) for kind, count in operation.facts.get("left", {}).items()]


def latest_operation(tenant: Tenant) -> Operation | None:
    """Return what was last done to the tenant, with its steps."""
    return tenant.operations.prefetch_related("steps").first()
