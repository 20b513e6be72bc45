"""Throws away what has had its day: sessions, tokens, links, and answers kept for repeated calls."""

from datetime import timedelta

from django.contrib.sessions.models import Session
from django.utils import timezone
from oauth2_provider.models import clear_expired

from accounts.identity.models import PasswordLink
from core.idempotency.models import IdempotencyKey
from core.idempotency.services import KEPT
from core.tenancy import current

LINKS_KEPT = timedelta(days=30)  # a used link still says so for a while


def clear_old_rows() -> None:
    """Delete expired rows of the current realm: a tenant's, or the platform's. Safe to repeat."""
    now = timezone.now()
    Session.objects.filter(expire_date__lt=now).delete()
    PasswordLink.objects.filter(expires_at__lt=now - LINKS_KEPT).delete()
    clear_expired()  # type: ignore[no-untyped-call]
    if current() is None:
        IdempotencyKey.objects.filter(created_at__lt=now - KEPT).delete()
