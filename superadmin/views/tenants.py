from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.access import OperatorRequest, operator_required
from accounts.identity.services import FirstAdmin, find_first_admin, show_first_admin_link
from core.audit.models import AuditEntry
from core.audit.words import label_of
from core.errors import Invalid
from superadmin.forms import TenantForm
from tenants.directory import address_of
from tenants.errors import SlugTaken
from tenants.kinds import kind_of, label_of_step
from tenants.models import Operation, OperationStep, Tenant
from tenants.selectors import count_tenants_by_status, get_tenant, is_slug_free, latest_operation, list_tenants
from tenants.services.lifecycle import reactivate_tenant, suspend_tenant
from tenants.services.provisioning import request_tenant
from tenants.slugs import validate_slug

PAGE_SIZE = 25
SORTS = {"name": "name", "-name": "-name", "created": "created_at", "-created": "-created_at"}
STEP_STATES = {
    OperationStep.Status.WAITING: "wait",
    OperationStep.Status.RUNNING: "busy",
    OperationStep.Status.RETRYING: "retry",
    OperationStep.Status.DONE: "done",
    OperationStep.Status.FAILED: "failed",
    OperationStep.Status.UNDOING: "undoing",
    OperationStep.Status.UNDONE: "undone",
}


@require_safe
@operator_required
@vary_on_headers("HX-Request", "HX-Target")
def tenant_list(request: OperatorRequest) -> HttpResponse:
    """All tenants: searched, filtered, sorted, page by page."""
    query, status = request.GET.get("q", "").strip(), request.GET.get("status", "")
    status = status if status in Tenant.Status.values else ""
    sort = request.GET.get("sort", "") if request.GET.get("sort") in SORTS else "-created"
    page = Paginator(list_tenants(query=query, status=status).order_by(SORTS[sort], "id"), PAGE_SIZE).get_page(
        request.GET.get("page")
    )
    rows: Any = page
    rows.object_list = [_shown_row(tenant) for tenant in page.object_list]
    counts = count_tenants_by_status()
    context = {
        "page_obj": rows,
        "total": sum(counts.values()),
        "new_this_month": Tenant.objects.filter(created_at__gte=timezone.now() - timedelta(days=30)).count(),
        "statuses": _status_filters(counts, status),
        "q": query,
        "status": status,
        "sort": sort,
    }
    fragment = "#rows" if request.headers.get("HX-Target") == "rows" else ""
    return render(request, f"superadmin/tenant_list.html{fragment}", context)


def _shown_row(tenant: Tenant) -> dict[str, Any]:
    shown = {name: getattr(tenant, name) for name in ("name", "slug", "status", "admin_email", "created_at")}
    return shown | {"initial": tenant.name[:1].upper(), "workspace_url": _workspace_url(tenant)}


def _status_filters(counts: dict[str, int], current: str) -> list[dict[str, Any]]:
    shown = [("", _("All"), sum(counts.values()))]
    shown += [
        (value, str(label), counts.get(value, 0))
        for value, label in Tenant.Status.choices
        if counts.get(value) or value == current
    ]
    return [
        {"value": value, "label": label, "count": count, "current": value == current} for value, label, count in shown
    ]


@require_http_methods(["GET", "HEAD", "POST"])
@operator_required
@vary_on_headers("HX-Request", "HX-Target")
def tenant_create(request: OperatorRequest) -> HttpResponse:
    """Ask for a new tenant; the tenant's page shows how it is set up."""
    if request.headers.get("HX-Target") == "slug_check":
        check = check_slug(request.GET.get("slug", "").strip())
        return render(request, "superadmin/tenant_create.html#slug_check", {"slug_check": check})
    form = TenantForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            operation = request_tenant(actor=request.user.actor, **form.cleaned_data)
            return HttpResponseRedirect(reverse("tenant_detail", args=[operation.tenant.slug]))
        except SlugTaken as taken:
            form.add_error("slug", str(taken))
        except Invalid as invalid:
            for field, sentences in invalid.facts["errors"].items():  # type: ignore[attr-defined]
                form.add_error(field, sentences)
    context = {"form": form, "host_suffix": f".{settings.PUBLIC_NETLOC}", "slug_check": None}
    return render(request, "superadmin/tenant_create.html", context, status=422 if form.errors else 200)


@dataclass(frozen=True, slots=True)
class SlugCheck:
    """Whether a slug can be had, in a sentence."""

    ok: bool
    message: str


def check_slug(slug: str) -> SlugCheck | None:
    """Return what to say about a slug while it is typed; nothing about none."""
    if not slug:
        return None
    try:
        validate_slug(slug)
    except ValidationError as error:
        return SlugCheck(False, " ".join(error.messages))
    if is_slug_free(slug):
        return SlugCheck(True, _("%(slug)s is free") % {"slug": slug})
    return SlugCheck(False, _("%(slug)s belongs to another tenant.") % {"slug": slug})


@require_safe
@operator_required
@vary_on_headers("HX-Request", "HX-Target")
def tenant_detail(request: OperatorRequest, slug: str) -> HttpResponse:
    """One tenant: how it is set up, where its parts are, what was done."""
    context = _detail(get_tenant(slug))
    context["polled"] = request.headers.get("HX-Target") == "progress"
    fragment = "#progress" if context["polled"] else ""
    return render(request, f"superadmin/tenant_detail.html{fragment}", context)


@require_POST
@operator_required
def tenant_suspend(request: OperatorRequest, slug: str) -> HttpResponse:
    """Stop a tenant everywhere."""
    tenant = suspend_tenant(
        tenant_id=get_tenant(slug).pk, actor=request.user.actor, reason=request.POST.get("reason", "")
    )
    messages.success(request, _("%(name)s is suspended.") % {"name": tenant.name})
    return HttpResponseRedirect(reverse("tenant_detail", args=[slug]))


@require_POST
@operator_required
def tenant_reactivate(request: OperatorRequest, slug: str) -> HttpResponse:
    """Let a suspended tenant work again."""
    tenant = reactivate_tenant(
        tenant_id=get_tenant(slug).pk, actor=request.user.actor, reason=request.POST.get("reason", "")
    )
    messages.success(request, _("%(name)s works again.") % {"name": tenant.name})
    return HttpResponseRedirect(reverse("tenant_detail", args=[slug]))


@require_POST
@operator_required
def tenant_first_admin_link(request: OperatorRequest, slug: str) -> HttpResponse:
    """Show the first admin's set-password link, once."""
    tenant = get_tenant(slug)
    link = show_first_admin_link(tenant=tenant, actor=request.user.actor)
    fragment = "#first_admin_link" if "HX-Request" in request.headers else ""
    return render(request, f"superadmin/tenant_detail.html{fragment}", {**_detail(tenant), "link": link})


def _detail(tenant: Tenant) -> dict[str, Any]:
    operation = latest_operation(tenant)
    admin = find_first_admin(tenant)
    return {
        "tenant": _shown_tenant(tenant, operation, admin),
        "setup": _shown_setup(operation) if operation else None,
        "admin": _shown_admin(tenant, admin) if admin else None,
        "may_show_link": bool(admin and not admin.has_signed_in and operation and not operation.link_shown_at),
        "link": None,
        "operations": [_shown_operation(row) for row in tenant.operations.all()[:10]],
        "audit": [
            {"label": label_of(entry.action), "actor": entry.actor_name, "at": entry.occurred_at}
            for entry in AuditEntry.objects.filter(target_label="tenants.tenant", target_id=tenant.pk)[:10]
        ],
    }


def _workspace_url(tenant: Tenant) -> str:
    return f"{address_of(tenant.slug)}/"


def _shown_tenant(tenant: Tenant, operation: Operation | None, admin: FirstAdmin | None) -> dict[str, Any]:
    names = ("name", "slug", "status", "created_at", "schema_name", "role_name", "bucket_name", "id")
    shown = {name: getattr(tenant, name) for name in names}
    return shown | {
        "created_by": operation.actor_name if operation else None,
        "workspace_url": _workspace_url(tenant),
        "address": address_of(tenant.slug),
        "realm_issuer": admin.issuer if admin else "",
    }


def _shown_admin(tenant: Tenant, admin: FirstAdmin) -> dict[str, Any]:
    return {
        "name": tenant.admin_name,
        "email": tenant.admin_email,
        "status": "active" if admin.has_signed_in else "invited",
    }


def _shown_operation(operation: Operation) -> dict[str, Any]:
    return {
        "label": operation.get_kind_display(),
        "status": _outcome(operation),
        "at": operation.created_at,
        "actor": operation.actor_name,
        "duration_s": _seconds(operation.created_at, operation.finished_at),
    }


def _outcome(operation: Operation) -> str:
    return {
        "pending": "queued",
        "succeeded": "done",
        "undoing": "running",
        "stuck": "failed",
        "cancelled": "undone",
    }.get(operation.status, operation.status)


def _shown_setup(operation: Operation) -> dict[str, Any]:
    steps = list(operation.steps.all())
    return {
        "status": _setup_status(operation, steps),
        "is_running": operation.is_open,
        "steps_done": sum(step.status == OperationStep.Status.DONE for step in steps),
        "steps_total": len(steps),
        "duration_s": _seconds(operation.created_at, operation.finished_at),
        "error": operation.error,
        "reference": str(operation.pk),
        "steps": [_shown_step(step, undoing=operation.status == Operation.Status.UNDOING) for step in steps],
    }


def _setup_status(operation: Operation, steps: Iterable[OperationStep]) -> str:
    if any(step.status == OperationStep.Status.RETRYING for step in steps) and operation.is_open:
        return "retrying"
    return "undone" if operation.status == Operation.Status.FAILED else _outcome(operation)


def _shown_step(step: OperationStep, *, undoing: bool) -> dict[str, Any]:
    state = STEP_STATES[OperationStep.Status(step.status)]
    return {
        "label": label_of_step(step),
        "state": "undoing" if undoing and state == "done" else state,
        "note": step.error or step.detail,
        "duration_s": _seconds(step.started_at, step.finished_at),
        "attempt": step.attempt,
        "attempts_max": kind_of(step.operation).max_attempts,
        "retry_in_s": max(0, round((step.next_try_at - timezone.now()).total_seconds())) if step.next_try_at else None,
    }


def _seconds(begin: Any, end: Any) -> float | None:
    return (end - begin).total_seconds() if begin and end else None
