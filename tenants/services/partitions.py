from django.conf import settings
from django.db import connections, transaction
from django.utils import timezone

from core.partitions import Period, ensure_partitions
from tenants.schemas.making import OPS

AHEAD: dict[Period, int] = {"day": 7, "month": 2}


def keep_platform_partitions_ahead() -> list[str]:
    """Make the coming partitions of the platform's tables and return their names. Safe to repeat."""
    made = []
    with transaction.atomic(using=OPS), connections[OPS].cursor() as cursor:
        tables: dict[str, Period] = settings.PARTITIONED_TABLES["platform"]
        for table, period in tables.items():
            made += ensure_partitions(cursor, table=table, period=period, now=timezone.now(), ahead=AHEAD[period])
    return made
