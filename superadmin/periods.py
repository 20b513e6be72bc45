"""The times that lists can be narrowed to."""

from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

PERIODS: dict[str, tuple[timedelta, Promise]] = {
    "1d": (timedelta(days=1), _("Last 24 hours")),
    "7d": (timedelta(days=7), _("Last 7 days")),
    "30d": (timedelta(days=30), _("Last 30 days")),
    "90d": (timedelta(days=90), _("Last 90 days")),
    "365d": (timedelta(days=365), _("Last 365 days")),
}


def asked_since(asked: str) -> datetime | None:
    """Return since when, or None for any time, and for what is no period of ours."""
    known = PERIODS.get(asked)
    return timezone.now() - known[0] if known else None


def period_choices() -> list[tuple[str, Promise]]:
    """Return the periods to choose from, any time first."""
    return [("", _("Any time")), *((value, label) for value, (_length, label) in PERIODS.items())]
