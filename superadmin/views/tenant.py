"""One tenant: the head that all its tabs share, and the overview. The other tabs: superadmin.views.tenant_tabs."""

from datetime import datetime
from typing import Any

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.access import OperatorRequest, operator_required, super_admin_required
from accounts.identity.services import find_first_admin, show_first_admin_link
from accounts.people.overview import PeopleFigures, read_people_figures
from archives.selectors import list_exports
from core.audit.selectors import list_entries
from core.web.templatetags.px import number
from superadmin.shown import (
    key_of,
    show_entry,
    show_export,
    show_operation,
    show_progress,
    url_of,
    workspace_url,
)
from tenants.infrastructure import Look, last_look, look_at, tenant_checks, verdict_of
from tenants.models import Operation, Tenant
from tenants.selectors import active_operation, get_tenant, latest_operation, list_operations, proof_of

LABEL = "tenants.tenant"  # of audit entries
EXPORTS_SHOWN = 10  # the newest; the API lists all
STILL_SHOWN_S = 300  # how long the overview shows an operation that has ended well


def has_parts(tenant: Tenant) -> bool:
    """Say whether there is something to look into: not before it is set up, and not once its deletion has begun."""
    if tenant.status == Tenant.Status.DELETING:
        operation = active_operation(tenant)
        return operation is not None and operation.status == Operation.Status.PENDING
    return tenant.is_in_use


def lead_to_page(request: OperatorRequest, tenant: Tenant) -> HttpResponse:
    """Lead to the tenant's page, the whole page also where only a part was asked for."""
    if "HX-Request" in request.headers:
        return HttpResponse(headers={"HX-Redirect": url_of(tenant)})
    return HttpResponseRedirect(url_of(tenant))


def page_of(request: OperatorRequest, tenant: Tenant, tab: str) -> dict[str, Any]:
    """Return what every tab shows above itself: the tenant's head, what may be done, the tabs."""
    operation = active_operation(tenant)
    deletion = operation if operation and operation.kind == Operation.Kind.DELETE else None
    waits = deletion is not None and deletion.status == Operation.Status.PENDING
    first = tenant.operations.order_by("created_at").first()
    names = ("name", "slug", "status", "created_at", "deleted_at", "id")
    return {
        "tenant": {
            **{name: getattr(tenant, name) for name in names},
            "key": key_of(tenant),
            "created_by": first.actor_name if first else None,
            "workspace_url": workspace_url(tenant),
        },
        "may": _may(tenant, operation) if request.user.is_super_admin else {},
        "busy_with": show_operation(operation) if operation else None,
        "deletion_at": deletion.due_at if deletion and waits else None,
        "tabs": _tabs(tenant, tab),
        "tab": tab,
    }


def _may(tenant: Tenant, operation: Operation | None) -> dict[str, bool]:
    """Say what a super admin can do to the tenant as it is now."""
    return {
        "suspend": tenant.status == Tenant.Status.ACTIVE,
        "reactivate": tenant.status == Tenant.Status.SUSPENDED,
        "export": tenant.is_in_use and operation is None,
        "copy": tenant.is_in_use,
        "rename": tenant.is_in_use,
        "delete": tenant.is_in_use and operation is None,
    }


def _tabs(tenant: Tenant, current: str) -> list[dict[str, Any]]:
    shown: list[tuple[str, str, int | None]] = [("tenant_detail", _("Overview"), None)]
    if has_parts(tenant):
        shown.append(("tenant_members", _("Members"), None))
    shown.append(("tenant_operations", _("Operations"), tenant.operations.count()))
    shown.append(("tenant_audit", _("Audit log"), None))
    return [
        {
            "label": label,
            "url": reverse(name, args=[key_of(tenant)]),
            "count": number(count) if count is not None else None,
            "current": name == current,
        }
        for name, label, count in shown
    ]


@require_safe
@operator_required
@vary_on_headers("HX-Request", "HX-Target")
def tenant_detail(request: OperatorRequest, slug: str) -> HttpResponse:
    """One tenant: what is being done to it, its figures, where its parts are, what was done last."""
    tenant = get_tenant(slug)
    if request.headers.get("HX-Target") == "progress":
        operation = latest_operation(tenant)
        context = {
            "progress": show_progress(operation) if operation else None,
            "polled": True,
            "watch_url": reverse("tenant_detail", args=[slug]),
        }
        return render(request, "superadmin/tenant_detail.html#progress", context)
    return render(request, "superadmin/tenant_detail.html", _overview(request, tenant))


def _overview(request: OperatorRequest, tenant: Tenant, **more: Any) -> dict[str, Any]:
    operation = latest_operation(tenant)
    is_there = has_parts(tenant)
    look = last_look(tenant) if is_there else None
    people = read_people_figures(tenant.ref, now=timezone.now()) if is_there else None
    return {
        **page_of(request, tenant, "tenant_detail"),
        "progress": show_progress(operation) if operation and _is_worth_showing(tenant, operation) else None,
        "watch_url": reverse("tenant_detail", args=[key_of(tenant)]),
        "figures": _figures(tenant, people, look) if people else None,
        "people": people,
        "has_parts": is_there,
        **(_parts(tenant, look) if is_there else {}),
        **_first_admin(tenant),
        "operations": [show_operation(row) for row in list_operations(tenant=tenant)[:5]],
        "operation_count": tenant.operations.count(),
        "audit": [show_entry(entry) for entry in list_entries(target_label=LABEL, target_id=tenant.pk)[:6]],
        "exports": [show_export(archive) for archive in list_exports(tenant.pk)[:EXPORTS_SHOWN]],
        "proof": _proof(tenant),
        "link": None,
        **more,
    }


def _is_worth_showing(tenant: Tenant, operation: Operation) -> bool:
    """The work itself is what matters while it goes on, when it failed, and for a moment when it is done."""
    if operation.status in Operation.ACTIVE:
        return not (operation.status == Operation.Status.PENDING and operation.due_at > timezone.now())
    if operation.status == Operation.Status.CANCELLED or operation.finished_at is None:
        return False
    if tenant.status == Tenant.Status.FAILED:
        return True
    return (timezone.now() - operation.finished_at).total_seconds() < STILL_SHOWN_S


def _figures(tenant: Tenant, people: PeopleFigures, look: Look | None) -> list[dict[str, Any]]:
    change = people.signed_in - people.signed_in_before
    figures = [
        {
            "label": _("Active members"),
            "value": number(people.active),
            "note": _("in 30 days, of %(total)s") % {"total": number(people.total)},
            "trend": f"{people.joined:+d}",
            "direction": _direction(people.joined),
            "tone": "ok" if people.joined > 0 else "quiet",
        },
        {
            "label": _("Signed in, 30 days"),
            "value": number(people.signed_in),
            "note": _("against the 30 days before"),
            "trend": f"{change:+d}",
            "direction": _direction(change),
            "tone": "ok" if change > 0 else "bad" if change < 0 else "quiet",
        },
    ]
    facts = look.found.get("schema", {}) if look else {}
    tables = facts.get("tables")
    figures.append(
        {
            "label": _("Database"),
            "value": filesizeformat(facts["size_bytes"]) if tables is not None else "–",
            "note": ngettext("%(count)s table", "%(count)s tables", tables) % {"count": tables}
            if tables is not None
            else _("Not looked at yet"),
        }
    )
    bucket = look.found.get("bucket", {}) if look else {}
    objects = bucket.get("objects")
    figures.append(
        {
            "label": _("Storage"),
            "value": filesizeformat(bucket["size_bytes"]) if objects is not None else "–",
            "note": _said_objects(bucket) if objects is not None else _("Not looked at yet"),
        }
    )
    return figures


def _direction(change: int) -> str:
    return "up" if change > 0 else "down" if change < 0 else "flat"


def _said_objects(facts: Any) -> str:
    text = ngettext("%(count)s file", "%(count)s files", facts["objects"]) % {"count": number(facts["objects"])}
    return text if facts["is_complete"] else _("more than %(count)s") % {"count": text}


def _parts(tenant: Tenant, look: Look | None) -> dict[str, Any]:
    """The table of the tenant's parts, with what the last look found."""
    parts = []
    for check in tenant_checks():
        verdict = verdict_of(check, look)
        facts = look.found.get(check.key, {}) if look else {}
        parts.append({"label": check.label, "name": check.name_of(tenant), "verdict": verdict, "size": _size(facts)})
    return {"parts": parts, "looked_at": look.at if look else None}


def _size(facts: Any) -> str:
    """How large a part is, for the line that names it."""
    if facts.get("tables") is not None:
        tables = ngettext("%(count)s table", "%(count)s tables", facts["tables"]) % {"count": facts["tables"]}
        return f"{tables}, {filesizeformat(facts['size_bytes'])}"
    if facts.get("objects") is not None:
        return f"{_said_objects(facts)}, {filesizeformat(facts['size_bytes'])}"
    return ""


def _first_admin(tenant: Tenant) -> dict[str, Any]:
    admin = find_first_admin(tenant)
    if admin is None:
        return {"admin": None, "may_show_link": False}
    setup = tenant.operations.filter(kind=Operation.Kind.PROVISION).first()
    shown = {
        "name": tenant.admin_name,
        "email": tenant.admin_email,
        "status": "active" if admin.has_signed_in else "invited",
    }
    return {"admin": shown, "may_show_link": bool(not admin.has_signed_in and setup and not setup.link_shown_at)}


def _proof(tenant: Tenant) -> dict[str, Any] | None:
    """What the deletion counted when it looked again, for a tenant that is gone."""
    if tenant.status != Tenant.Status.DELETED:
        return None
    deletions = tenant.operations.filter(kind=Operation.Kind.DELETE, status=Operation.Status.SUCCEEDED)
    deletion = deletions.first()
    if deletion is None:
        return None
    looked_at = deletion.facts.get("looked_at")
    return {
        "counts": proof_of(deletion),
        "looked_at": datetime.fromisoformat(looked_at) if looked_at else deletion.finished_at,
        "url": reverse("operation_detail", args=[deletion.pk]),
    }


@require_POST
@operator_required
@vary_on_headers("HX-Request", "HX-Target")
def tenant_check(request: OperatorRequest, slug: str) -> HttpResponse:
    """Look at the tenant's parts now."""
    tenant = get_tenant(slug)
    if not has_parts(tenant):
        return lead_to_page(request, tenant)
    look = look_at(tenant)
    if request.headers.get("HX-Target") != "overview":
        return HttpResponseRedirect(url_of(tenant))
    context = {
        "tenant": {"key": key_of(tenant), "id": tenant.pk},
        "figures": _figures(tenant, read_people_figures(tenant.ref, now=timezone.now()), look),
        "has_parts": True,
        "operations": [show_operation(row) for row in list_operations(tenant=tenant)[:5]],
        "operation_count": tenant.operations.count(),
        **_parts(tenant, look),
    }
    return render(request, "superadmin/tenant_detail.html#overview", context)


@require_POST
@super_admin_required
def tenant_first_admin_link(request: OperatorRequest, slug: str) -> HttpResponse:
    """Show the first admin's set-password link, once."""
    tenant = get_tenant(slug)
    link = show_first_admin_link(tenant=tenant, actor=request.user.actor)
    if "HX-Request" in request.headers:
        context = {"tenant": {"key": key_of(tenant)}, "link": link}
        return render(request, "superadmin/tenant_detail.html#first_admin_link", context)
    return render(request, "superadmin/tenant_detail.html", _overview(request, tenant, link=link))
