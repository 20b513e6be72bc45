"""Jobs that go from tenant to tenant."""

from collections.abc import Callable, Collection

import structlog

from core.tenancy import enter
from tenants.models import Tenant

log = structlog.get_logger(__name__)


def visit_tenants(do: Callable[[Tenant], object], *, statuses: Collection[str] = Tenant.IN_USE) -> int:
    """Call `do` inside every tenant that is set up, or has one of these statuses, one after the other.

    Returns in how many it ended well. What fails in one tenant is logged, and raised when all others had their turn. One
    that is deleted meanwhile is no failure.
    """
    done, failed = 0, None
    for tenant in Tenant.objects.filter(status__in=statuses).iterator(chunk_size=500):
        try:
            with enter(tenant.ref):
                do(tenant)
            done += 1
        except Exception as error:  # whatever is wrong with one tenant, the others have their turn
            if Tenant.objects.filter(pk=tenant.pk, status__in=statuses).exists():
                log.error("tenant_not_visited", tenant=str(tenant.pk), exc_info=error)
                failed = error
    if failed:
        raise failed
    return done
