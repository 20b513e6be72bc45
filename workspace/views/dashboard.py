import csv

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import MemberRequest, member_required
from accounts.people.selectors import recent_activity
from core.actors import SYSTEM
from core.audit.models import AuditEntry
from core.audit.words import label_of
from core.web.charts import draw_days
from workspace import figures

PERIODS = (7, 30, 90)
DEFAULT_DAYS = 30


def _asked_days(request: MemberRequest) -> int:
    return next((days for days in PERIODS if str(days) == request.GET.get("days")), DEFAULT_DAYS)


@require_safe
@member_required
def dashboard(request: MemberRequest) -> HttpResponse:
    """The workspace's figures, sign-ins a day, and what happened last."""
    days = _asked_days(request)
    period = figures.current_period(days)
    now, before = figures.sign_ins(period)
    chart = draw_days([(day.day, day.count) for day in now], [day.count for day in before], unit=_("sign-ins"))
    summary = _("Sign-ins a day over %(days)d days: %(total)s, before that %(before)s. The table has every value.") % {
        "days": days,
        "total": number_format(chart.total),
        "before": number_format(chart.total_before),
    }
    sees_team = request.can("team.view")
    context = {
        "today": period.today,
        "days": days,
        "periods": [{"days": choice, "current": choice == days} for choice in PERIODS],
        "figures": figures.list_figures(period, now, before, team_url=reverse("team_list") if sees_team else None),
        "sign_ins": chart,
        "sign_ins_summary": summary,
        "sign_ins_csv_url": f"{reverse('sign_ins_csv')}?days={days}",
        "activity": [_shown_activity(entry) for entry in recent_activity()] if sees_team else None,
    }
    return render(request, "workspace/dashboard.html", context)


def _shown_activity(entry: AuditEntry) -> dict[str, object]:
    """Who did what; of what the platform itself did to somebody, that somebody is told."""
    label, whom = label_of(entry.action), entry.target_name
    who = entry.actor_name or _("Former member")
    if entry.actor_kind == SYSTEM.kind and whom:
        return {"actor": whom, "actor_id": entry.target_id, "text": label, "at": entry.occurred_at}
    text = f"{label}: {whom}" if whom and whom != entry.actor_name else label
    return {"actor": who, "actor_id": entry.actor_id, "text": text, "at": entry.occurred_at}


@require_safe
@member_required
def sign_ins_csv(request: MemberRequest) -> HttpResponse:
    """The chart's values as CSV."""
    now, before = figures.sign_ins(figures.current_period(_asked_days(request)))
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="sign-ins.csv"'
    writer = csv.writer(response)
    writer.writerow(["day", "sign_ins", "sign_ins_period_before"])
    writer.writerows([day.day.isoformat(), day.count, earlier.count] for day, earlier in zip(now, before, strict=True))
    return response
