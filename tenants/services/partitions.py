from django.conf import settings
from django.db import connections, transaction
from django.utils import timezone

from core.partitions import Period, ensure_partitions
from tenants.models import Tenant
from tenants.rounds import visit_tenants
from tenants.schemas.making import OPS, existing_objects, make_partitions, owner_cursor

AHEAD: dict[Period, int] = {"day": 7, "month": 2}
HAVING_A_SCHEMA = set(Tenant.Status) - {*Tenant.GONE, Tenant.Status.PROVISIONING}


def keep_platform_partitions_ahead() -> list[str]:
    """Make the coming partitions of the platform's tables and return their names. Safe to repeat."""
    made = []
    with transaction.atomic(using=OPS), connections[OPS].cursor() as cursor:
        tables: dict[str, Period] = settings.PARTITIONED_TABLES["platform"]
        for table, period in tables.items():
            made += ensure_partitions(cursor, table=table, period=period, now=timezone.now(), ahead=AHEAD[period])
    return made


def keep_tenant_partitions_ahead() -> int:
    """Make the coming partitions of every tenant's schema; return how many were made. Safe to repeat.

    A deletion may have taken the schema already. What fails in one tenant is raised when all others have theirs.
    """
    made: list[str] = []

    def make(tenant: Tenant) -> None:
        try:
            with owner_cursor(tenant.ref) as cursor:
                made.extend(make_partitions(cursor, tenant.ref, now=timezone.now()))
        except Exception:
            if "schema" in dict(existing_objects(tenant.ref)):
                raise

    visit_tenants(make, statuses=HAVING_A_SCHEMA)
    return len(made)
