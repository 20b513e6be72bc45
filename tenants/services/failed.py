from datetime import timedelta
from typing import Final

from django.utils import timezone

from tenants.models import Tenant
from tenants.traces import PersonalData

KEPT: Final = timedelta(days=30)  # so long an operator may want to see whose tenant it was to be


def forget_people_of_failed_tenants() -> int:
    """Remove names and addresses from the rows of tenants that were never set up; return of how many. Safe to repeat."""
    trace, old = (
        PersonalData(),
        Tenant.objects.filter(status=Tenant.Status.FAILED, created_at__lt=timezone.now() - KEPT),
    )
    forgotten = list(old.exclude(admin_email=""))
    for tenant in forgotten:
        trace.remove(tenant)
    return len(forgotten)
