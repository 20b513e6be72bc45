"""What a tenant's page shows besides the overview: members, operations, audit log; each has an address of its own."""

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.access import OperatorRequest, operator_required
from accounts.people.overview import read_people
from accounts.people.selectors import SORTS
from core.audit.selectors import list_actions, list_entries
from core.audit.words import label_of
from superadmin.periods import asked_since, period_choices
from superadmin.shown import show_entry, show_operation
from superadmin.views.tenant import LABEL, has_parts, lead_to_page, page_of
from tenants.selectors import get_tenant, list_operations

PAGE_SIZE = 25


@require_safe
@operator_required
@vary_on_headers("HX-Request", "HX-Target")
def tenant_members(request: OperatorRequest, slug: str) -> HttpResponse:
    """The tenant's people: searched, sorted, page by page."""
    tenant = get_tenant(slug)
    if not has_parts(tenant):
        return lead_to_page(request, tenant)
    query = request.GET.get("q", "").strip()
    sort = request.GET.get("sort", "") if request.GET.get("sort") in SORTS else "name"
    people = read_people(tenant.ref, query=query, sort=sort, page=request.GET.get("page"), size=PAGE_SIZE)
    is_fragment = request.headers.get("HX-Target") == "rows"
    head = {} if is_fragment else page_of(request, tenant, "tenant_members")
    context = {**head, "page_obj": people, "label": _("Members"), "q": query, "sort": sort, "rows_url": request.path}
    return render(request, f"superadmin/tenant_members.html{'#rows' if is_fragment else ''}", context)


@require_safe
@operator_required
@vary_on_headers("HX-Request", "HX-Target")
def tenant_operations(request: OperatorRequest, slug: str) -> HttpResponse:
    """All that was ever done to the tenant."""
    tenant = get_tenant(slug)
    page = Paginator(list_operations(tenant=tenant), PAGE_SIZE).get_page(request.GET.get("page"))
    rows: Any = page
    rows.object_list = [show_operation(operation) for operation in page.object_list]
    is_fragment = request.headers.get("HX-Target") == "rows"
    head = {} if is_fragment else page_of(request, tenant, "tenant_operations")
    context = {
        **head,
        "page_obj": rows,
        "is_live": any(row["status"] in ("queued", "running", "undoing") for row in rows.object_list),
        "poll_url": request.get_full_path(),
    }
    return render(request, f"superadmin/tenant_operations.html{'#rows' if is_fragment else ''}", context)


@require_safe
@operator_required
@vary_on_headers("HX-Request", "HX-Target")
def tenant_audit(request: OperatorRequest, slug: str) -> HttpResponse:
    """Who did what to the tenant, when and why."""
    tenant = get_tenant(slug)
    query, period = request.GET.get("q", "").strip(), request.GET.get("since", "")
    actions = list_actions(target_label=LABEL, target_id=tenant.pk)
    action = request.GET.get("action", "") if request.GET.get("action") in actions else ""
    entries = list_entries(
        target_label=LABEL, target_id=tenant.pk, action=action, query=query, since=asked_since(period)
    )
    page = Paginator(entries, PAGE_SIZE).get_page(request.GET.get("page"))
    rows: Any = page
    rows.object_list = [show_entry(entry) for entry in page.object_list]
    is_fragment = request.headers.get("HX-Target") == "rows"
    head = {} if is_fragment else page_of(request, tenant, "tenant_audit")
    context = {
        **head,
        "page_obj": rows,
        "q": query,
        "action": action,
        "actions": [("", _("Any action")), *((name, label_of(name)) for name in actions)],
        "period": period if asked_since(period) else "",
        "periods": period_choices(),
        "rows_url": request.path,
    }
    return render(request, f"superadmin/tenant_audit.html{'#rows' if is_fragment else ''}", context)
