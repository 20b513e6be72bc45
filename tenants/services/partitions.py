from django.conf import settings
from django.db import connections, transaction
from django.utils import timezone

from core.partitions import Period, ensure_partitions
from tenants.models import Tenant
from tenants.schemas.making import OPS, make_partitions, owner_cursor

AHEAD: dict[Period, int] = {"day": 7, "month": 2}


def keep_platform_partitions_ahead() -> list[str]:
    """Make the coming partitions of the platform's tables and return their names. Safe to repeat."""
    made = []
    with transaction.atomic(using=OPS), connections[OPS].cursor() as cursor:
        tables: dict[str, Period] = settings.PARTITIONED_TABLES["platform"]
        for table, period in tables.items():
            made += ensure_partitions(cursor, table=table, period=period, now=timezone.now(), ahead=AHEAD[period])
    return made


def keep_tenant_partitions_ahead() -> int:
    """Make the coming partitions of every tenant's schema; return how many were made. Safe to repeat."""
    made = 0
    having_a_schema = Tenant.objects.exclude(status__in=[*Tenant.GONE, Tenant.Status.PROVISIONING])
    for tenant in having_a_schema.iterator(chunk_size=500):
        with owner_cursor(tenant.ref) as cursor:
            made += len(make_partitions(cursor, tenant.ref, now=timezone.now()))
    return made
