"""Migrations of all tenants: what each run did, and how the fleet stands by what the ledger says."""

from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.access import OperatorRequest, operator_required
from core.errors import NotFound
from superadmin.shown import seconds_between
from tenants.fleet.models import Run, TenantRecord
from tenants.fleet.selectors import count_living_by_last_record, get_run, list_runs, list_tenant_records
from tenants.schemas.template import migrations_hash

PAGE_SIZE = 50
RUN_STATES = {
    Run.Status.SUCCEEDED: "done",
    Run.Status.FAILED: "failed",
    Run.Status.STOPPED: "stopped",
}
RECORD_STATES = {TenantRecord.Status.FAILED: "failed", TenantRecord.Status.BUSY: "busy"}


@require_safe
@operator_required
@vary_on_headers("HX-Request", "HX-Target")
def fleet_list(request: OperatorRequest) -> HttpResponse:
    """How many tenants stand where, and the newest runs."""
    runs = [_shown_run(run) for run in list_runs()]
    is_fragment = request.headers.get("HX-Target") == "rows"
    context = {
        "runs": runs,
        "is_live": any(run["status"] == "running" for run in runs),
        "states": _states(),
        "newest": runs[0] if runs else None,
    }
    return render(request, f"superadmin/fleet_list.html{'#rows' if is_fragment else ''}", context)


def _shown_run(run: Run) -> dict[str, Any]:
    counts = dict.fromkeys(TenantRecord.Status.values, 0) | (run.counts or {})
    return {
        "url": reverse("fleet_run", args=[run.pk]),
        "status": RUN_STATES.get(Run.Status(run.status), str(run.status)),
        "started_by": run.started_by,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "duration_s": seconds_between(run.started_at, run.finished_at),
        "reason": run.reason,
        "is_current": run.migrations_hash == migrations_hash(),
        "total": sum(counts.values()),
        **counts,
    }


def _states() -> list[dict[str, Any]]:
    """How many living tenants stand at what their newest line says."""
    words = {
        "": (_("Made as they are"), _("never migrated since"), "quiet"),
        TenantRecord.Status.DONE: (_("Migrated"), _("by their last run"), "ok"),
        TenantRecord.Status.WAITING: (_("Waiting"), _("in a run that goes on"), "info"),
        TenantRecord.Status.FAILED: (_("Failed"), _("in their last run"), "bad"),
        TenantRecord.Status.BUSY: (_("Busy to the end"), _("of their last run"), "warn"),
        TenantRecord.Status.UNREACHED: (_("Not reached"), _("by their last run"), "warn"),
    }
    counts = count_living_by_last_record()
    always = ("", TenantRecord.Status.DONE, TenantRecord.Status.FAILED)
    return [
        {"label": label, "note": note, "tone": tone if counts.get(status) else "quiet", "value": counts.get(status, 0)}
        for status, (label, note, tone) in words.items()
        if counts.get(status) or status in always
    ]


@require_safe
@operator_required
@vary_on_headers("HX-Request", "HX-Target")
def fleet_run(request: OperatorRequest, run_id: UUID) -> HttpResponse:
    """One run, tenant by tenant."""
    run = get_run(run_id)
    if run is None:
        raise NotFound
    status = request.GET.get("status", "") if request.GET.get("status") in TenantRecord.Status.values else ""
    page = Paginator(list_tenant_records(run, status=status), PAGE_SIZE).get_page(request.GET.get("page"))
    rows: Any = page
    rows.object_list = [_shown_record(record) for record in page.object_list]
    shown = _shown_run(run)
    is_fragment = request.headers.get("HX-Target") == "rows"
    context = {
        "run": shown,
        "page_obj": rows,
        "statuses": _status_filters(shown, status),
        "is_live": shown["status"] == "running",
        "poll_url": request.get_full_path(),
        "all_url": request.path,
    }
    return render(request, f"superadmin/fleet_run.html{'#rows' if is_fragment else ''}", context)


def _shown_record(record: TenantRecord) -> dict[str, Any]:
    return {
        "slug": record.slug,
        "url": reverse("tenant_detail", args=[record.tenant_id]),
        "status": RECORD_STATES.get(TenantRecord.Status(record.status), str(record.status)),
        "is_canary": record.is_canary,
        "migrations": record.migrations,
        "attempts": record.attempts,
        "error": record.error,
        "duration_s": record.took.total_seconds() if record.took is not None else None,
    }


def _status_filters(run: dict[str, Any], current: str) -> list[dict[str, Any]]:
    shown = [("", pgettext("tenants", "All"), run["total"])]
    shown += [
        (value, str(label), run[value])
        for value, label in TenantRecord.Status.choices
        if run[value] or value == current
    ]
    return [
        {"value": value, "label": label, "count": count, "current": value == current} for value, label, count in shown
    ]
