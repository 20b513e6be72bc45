"""Throws away what has had its day: sessions, tokens, links, and answers kept for repeated calls."""

from datetime import timedelta

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db.models import Q
from django.utils import timezone
from oauth2_provider.models import clear_expired

from accounts.identity.builtin.attempts import clear_old_counters
from accounts.identity.builtin.rotation import clear_retired_keys
from accounts.identity.models import PasswordLink
from accounts.lockouts import note_lockouts
from accounts.sessions.models import BrowserSession
from core.idempotency.models import IdempotencyKey
from core.idempotency.services import KEPT

LINKS_KEPT = timedelta(days=30)  # a used link still says so for a while


def clear_old_rows() -> None:
    """Delete expired rows of the current realm: a tenant's, or the platform's. Safe to repeat."""
    now = timezone.now()
    Session.objects.filter(expire_date__lt=now).delete()
    over = Q(started_at__lt=now - settings.SESSION_LIFETIME) | Q(last_seen_at__lt=now - settings.SESSION_IDLE)
    BrowserSession.objects.filter(over).delete()
    PasswordLink.objects.filter(expires_at__lt=now - LINKS_KEPT).delete()
    note_lockouts()
    clear_old_counters()
    clear_retired_keys()
    clear_expired()  # type: ignore[no-untyped-call]
    IdempotencyKey.objects.filter(created_at__lt=now - KEPT).delete()
