"""One change for many tenants: each in a transaction of its own, so that one refusal stops nobody else."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from uuid import UUID

from core.actors import Actor
from core.errors import Conflict
from tenants.models import Tenant


@dataclass(frozen=True, slots=True)
class Changed:
    """What became of one tenant: changed, or left as it is for a reason."""

    tenant: Tenant
    refusal: Conflict | None


def change_tenants(
    *, tenant_ids: Iterable[UUID], change: Callable[..., Tenant], actor: Actor, reason: str
) -> list[Changed]:
    """Suspend or reactivate each of the tenants, and return what became of them, by name.

    `change` is the service for one of them. A tenant whose state does not fit is left as it is.
    """
    outcome = []
    for tenant in Tenant.objects.filter(pk__in=list(tenant_ids)).order_by("name", "id"):
        try:
            outcome.append(Changed(change(tenant_id=tenant.pk, actor=actor, reason=reason), None))
        except Conflict as refusal:
            outcome.append(Changed(tenant, refusal))
    return outcome
