"""The dashboard's figures: each from a selector, with its trend and period."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from accounts.people.selectors import DailyCount, count_active_people, count_people_signed_in, count_sign_ins_by_day
from core.web.charts import Spark, draw_spark


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its trend, as the dashboard shows it."""

    label: str
    value: str
    note: str
    trend: str = ""
    direction: str = "flat"
    tone: str = "quiet"
    spark: Spark | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Period:
    """So many days up to today, in the reader's time zone, and as many before them."""

    days: int
    today: date
    zone: ZoneInfo

    @property
    def start(self) -> datetime:
        return datetime.combine(self.today - timedelta(days=self.days - 1), datetime.min.time(), tzinfo=self.zone)

    @property
    def start_before(self) -> datetime:
        return self.start - timedelta(days=self.days)

    @property
    def end(self) -> datetime:
        return datetime.combine(self.today + timedelta(days=1), datetime.min.time(), tzinfo=self.zone)


def current_period(days: int) -> Period:
    """Return the period of `days` days that ends today."""
    zone = ZoneInfo(timezone.get_current_timezone_name())
    return Period(days, timezone.localdate(), zone)


def sign_ins(period: Period) -> tuple[list[DailyCount], list[DailyCount]]:
    """Return the sign-ins of each day of the period, and of the one before."""
    now = count_sign_ins_by_day(last_day=period.today, days=period.days, zone=period.zone)
    before = count_sign_ins_by_day(
        last_day=period.today - timedelta(days=period.days), days=period.days, zone=period.zone
    )
    return now, before


def list_figures(
    period: Period, now: list[DailyCount], before: list[DailyCount], *, team_url: str | None
) -> list[Figure]:
    """Return the figures of the dashboard; `team_url` for who may see the team."""
    members = count_active_people()
    members_before = count_active_people(joined_before=period.start)
    signed_in = count_people_signed_in(since=period.start, until=period.end)
    signed_in_before = count_people_signed_in(since=period.start_before, until=period.start)
    total, total_before = sum(day.count for day in now), sum(day.count for day in before)
    against = _("against %(days)d days before") % {"days": period.days}
    spark = draw_spark([day.count for day in now])
    return [
        _figure(_("Active members"), members, members_before, against, url=team_url),
        _figure(_("People who signed in"), signed_in, signed_in_before, against),
        _figure(_("Sign-ins"), total, total_before, against, spark=spark),
    ]


def _figure(
    label: str, value: int, before: int, note: str, *, spark: Spark | None = None, url: str | None = None
) -> Figure:
    change = value - before
    return Figure(
        label=label,
        value=number_format(value, force_grouping=True),
        note=note,
        trend=number_format(abs(change), force_grouping=True) if change else "",
        direction="up" if change > 0 else "down" if change < 0 else "flat",
        tone="ok" if change > 0 else "bad" if change < 0 else "quiet",
        spark=spark,
        url=url,
    )
