from collections.abc import Iterable
from datetime import datetime
from functools import cache
from uuid import UUID

from django.db.models import Case, Count, Q, QuerySet, When

from tenants.errors import OperationNotFound, TenantNotFound
from tenants.models import Installation, Operation, Tenant
from tenants.removal import labels


@cache
def installation_code() -> str:
    """Return the six characters that tell this installation's roles and buckets from others'."""
    return Installation.objects.get(pk=1).code


def list_tenants(*, query: str = "", status: str = "", created_since: datetime | None = None) -> QuerySet[Tenant]:
    """Return tenants, newest first; deleted ones only when asked for. `query` looks into slug, name and admin's address."""
    tenants = _tenants(query, created_since).order_by("-created_at")
    return tenants.filter(status=status) if status else tenants.exclude(status=Tenant.Status.DELETED)


def count_tenants_by_status(*, query: str = "", created_since: datetime | None = None) -> dict[str, int]:
    """Return how many of the tenants that `query` and the time leave are in each status, deleted ones too."""
    rows = _tenants(query, created_since).values_list("status").annotate(Count("id")).order_by()
    return dict(rows)


def _tenants(query: str, created_since: datetime | None) -> QuerySet[Tenant]:
    tenants = Tenant.objects.all()
    if query:
        tenants = tenants.filter(Q(slug__icontains=query) | Q(name__icontains=query) | Q(admin_email__icontains=query))
    return tenants.filter(created_at__gte=created_since) if created_since else tenants


def get_tenant(slug: str) -> Tenant:
    """Return the living tenant with this slug, else the newest that failed or was deleted. Raises TenantNotFound.

    A tenant's id finds it too, whatever became of it: no slug begins with a digit, and every id does.
    """
    found = Tenant.objects.filter(pk=slug) if _is_id(slug) else Tenant.objects.filter(slug=slug)
    tenant = found.exclude(status__in=Tenant.GONE).first() or found.order_by("-created_at").first()
    if tenant is None:
        raise TenantNotFound(slug=slug)
    return tenant


def _is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def count_tenants_created(*, since: datetime) -> int:
    """Return how many tenants were asked for since a moment and are not deleted."""
    return Tenant.objects.filter(created_at__gte=since).exclude(status=Tenant.Status.DELETED).count()


def is_slug_free(slug: str) -> bool:
    """Say whether a new tenant could take `slug` now."""
    return not Tenant.objects.filter(slug=slug).exclude(status__in=Tenant.GONE).exists()


def get_operation(operation_id: UUID) -> Operation:
    """Return the operation with its steps and tenant. Raises OperationNotFound."""
    operation = Operation.objects.select_related("tenant").prefetch_related("steps").filter(pk=operation_id).first()
    if operation is None:
        raise OperationNotFound(operation=str(operation_id))
    return operation


def proof_of(operation: Operation) -> list[tuple[str, int]]:
    """Return what a deletion counted when it looked again, as (what people call it, how many); empty before it did."""
    named = labels()
    return [(named.get(kind, kind), count) for kind, count in operation.facts.get("left", {}).items()]


def list_operations(*, tenant: Tenant | None = None, kind: str = "", status: str = "") -> QuerySet[Operation]:
    """Return operations with their tenants: first those that still need somebody, then the others, newest first each."""
    operations = Operation.objects.select_related("tenant")
    if tenant:
        operations = operations.filter(tenant=tenant)
    if kind:
        operations = operations.filter(kind=kind)
    if status:
        operations = operations.filter(status=status)
    return operations.order_by(Case(When(status__in=Operation.ACTIVE, then=0), default=1), "-created_at", "-id")


def count_operations_by_status(*, tenant: Tenant | None = None, kind: str = "") -> dict[str, int]:
    """Return how many operations are in each status."""
    return dict(list_operations(tenant=tenant, kind=kind).values_list("status").annotate(Count("id")).order_by())


def count_active_operations() -> dict[str, int]:
    """Return how many operations are in each status that still needs somebody; quick, whatever the past holds."""
    active = Operation.objects.filter(status__in=Operation.ACTIVE)
    return dict(active.values_list("status").annotate(Count("id")).order_by())


def last_operations(tenants: Iterable[Tenant]) -> dict[UUID, Operation]:
    """Return what was last asked of each of these tenants, by the tenant's id; one query for all."""
    newest = Operation.objects.filter(tenant__in=list(tenants)).order_by("tenant_id", "-created_at")
    return {operation.tenant_id: operation for operation in newest.distinct("tenant_id")}


def active_operation(tenant: Tenant) -> Operation | None:
    """Return the operation that waits, runs or is stuck, with its steps; there is at most one."""
    active = tenant.operations.filter(status__in=Operation.ACTIVE)
    return active.select_related("tenant").prefetch_related("steps").first()


def latest_operation(tenant: Tenant) -> Operation | None:
    """Return what was last done to the tenant, with its steps."""
    return tenant.operations.select_related("tenant").prefetch_related("steps").first()
