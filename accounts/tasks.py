"""Celery tasks of this room; they run inside the tenant that they were sent from."""

from zoneinfo import ZoneInfo

from celery import shared_task
from django.utils import timezone, translation

from accounts.housekeeping import clear_old_rows as clear_old_rows_here
from accounts.identity.models import Account
from accounts.mails import send_password_link
from core.errors import Unavailable
from core.tenancy import enter, require
from tenants.models import Tenant
from tenants.preferences.selectors import get_preferences


@shared_task(autoretry_for=(OSError, Unavailable), retry_backoff=5, max_retries=8)
def mail_password_link(subject: str) -> None:
    """Send an account a link to set its password, in the tenant's language and time zone."""
    account = Account.objects.get(pk=subject)
    preferences = get_preferences()
    with translation.override(preferences.language or "en"), timezone.override(ZoneInfo(preferences.time_zone)):
        send_password_link(account, workspace=require().name)


@shared_task
def clear_old_rows() -> None:
    """Delete what has expired, on the platform and in every tenant that is there."""
    clear_old_rows_here()
    for tenant in Tenant.objects.filter(status__in=Tenant.IN_USE).iterator():
        with enter(tenant.ref):
            clear_old_rows_here()
