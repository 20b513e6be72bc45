from django.conf import settings
from django.db import connections, transaction
from django.utils import timezone

from core.partitions import ensure_partitions
from tenants.schemas.making import OPS

AHEAD = {"day": 7, "month": 2}


def keep_platform_partitions_ahead() -> list[str]:
    """Make the coming partitions of the platform's tables and return their names. Safe to repeat."""
    made = []
    with transaction.atomic(using=OPS), connections[OPS].cursor() as cursor:
        for table, period in settings.PARTITIONED_TABLES["platform"].items():
            made += ensure_partitions(cursor, table=table, period=period, now=timezone.now(), ahead=AHEAD[period])
    return made
