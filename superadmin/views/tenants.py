"""All tenants: the list, the list as CSV, one change for many, and a new one."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpResponse, HttpResponseBase, HttpResponseRedirect, QueryDict, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.access import OperatorRequest, operator_required, super_admin_required
from core.errors import NotFound
from core.web.asking import Question, ask, carried_out, question_view
from superadmin.forms import BulkForm, TenantForm
from superadmin.periods import asked_since, period_choices
from superadmin.shown import show_operation, url_of, workspace_url
from tenants.models import Operation, Tenant
from tenants.selectors import (
    count_tenants_by_status,
    count_tenants_created,
    is_slug_free,
    last_operations,
    list_tenants,
)
from tenants.services.bulk import change_tenants
from tenants.services.lifecycle import reactivate_tenant, suspend_tenant
from tenants.services.provisioning import request_tenant
from tenants.slugs import validate_slug

PAGE_SIZE = 25
SORTS = {"name": "name", "-name": "-name", "created": "created_at", "-created": "-created_at"}
CSV_COLUMNS = (
    "slug",
    "name",
    "status",
    "admin_name",
    "admin_email",
    "created_at",
    "activated_at",
    "suspended_at",
    "id",
)
CSV_CHUNK = 1000


@dataclass(frozen=True)
class Asked:
    """What the address of the list asks for; what nobody can ask for is left aside."""

    query: str
    status: str
    sort: str
    period: str
    since: datetime | None

    @classmethod
    def of(cls, params: QueryDict) -> "Asked":
        """Read the parameters of an address."""
        status, sort, period = params.get("status", ""), params.get("sort", ""), params.get("since", "")
        since = asked_since(period)
        return cls(
            query=params.get("q", "").strip(),
            status=status if status in Tenant.Status.values else "",
            sort=sort if sort in SORTS else "-created",
            period=period if since else "",
            since=since,
        )

    @property
    def tenants(self) -> Any:
        """The tenants that are asked for, in order."""
        found = list_tenants(query=self.query, status=self.status, created_since=self.since)
        return found.order_by(SORTS[self.sort], "id")


class CountedPaginator(Paginator):  # type: ignore[type-arg]  # not generic when it runs
    """Pages of a list whose length is known from counting by status."""

    def __init__(self, tenants: Any, size: int, *, count: int) -> None:
        super().__init__(tenants, size)
        self._known = count

    @cached_property
    def count(self) -> int:
        """How many there are."""
        return self._known


@require_safe
@operator_required
@vary_on_headers("HX-Request", "HX-Target")
def tenant_list(request: OperatorRequest) -> HttpResponse:
    """All tenants: searched, filtered, sorted, page by page."""
    asked = Asked.of(request.GET)
    counts = count_tenants_by_status(query=asked.query, created_since=asked.since)
    living = sum(counts.values()) - counts.get(Tenant.Status.DELETED, 0)
    fitting = counts.get(asked.status, 0) if asked.status else living
    page = CountedPaginator(asked.tenants, PAGE_SIZE, count=fitting).get_page(request.GET.get("page"))
    tenants = list(page.object_list)
    operations = last_operations(tenants)
    rows: Any = page
    rows.object_list = [_shown_row(tenant, operations.get(tenant.pk)) for tenant in tenants]
    is_fragment = request.headers.get("HX-Target") == "rows"
    context = {
        "page_obj": rows,
        "statuses": _status_filters(counts, asked.status, living),
        "asked": asked,
        "periods": period_choices(),
        "is_fragment": is_fragment,
    }
    if not is_fragment:
        context["total"] = sum(count_tenants_by_status().values()) if asked.query or asked.since else living
        context["new_this_month"] = count_tenants_created(since=timezone.now() - timedelta(days=30))
    fragment = "#rows" if is_fragment else ""
    return render(request, f"superadmin/tenant_list.html{fragment}", context)


def _shown_row(tenant: Tenant, operation: Operation | None) -> dict[str, Any]:
    shown = {name: getattr(tenant, name) for name in ("id", "name", "slug", "status", "admin_email", "created_at")}
    if operation:
        operation.tenant = tenant
    return shown | {
        "url": url_of(tenant),
        "initial": tenant.name[:1].upper(),
        "workspace_url": workspace_url(tenant) if tenant.status == Tenant.Status.ACTIVE else "",
        "operation": show_operation(operation) if operation else None,
    }


def _status_filters(counts: dict[str, int], current: str, living: int) -> list[dict[str, Any]]:
    shown = [("", _("All"), living)]
    shown += [
        (value, str(label), counts.get(value, 0))
        for value, label in Tenant.Status.choices
        if counts.get(value) or value == current
    ]
    return [
        {"value": value, "label": label, "count": count, "current": value == current} for value, label, count in shown
    ]


@require_safe
@operator_required
def tenant_csv(request: OperatorRequest) -> HttpResponseBase:
    """The tenants that the list shows, all pages of it, as CSV."""
    asked = Asked.of(request.GET)
    response = StreamingHttpResponse(_csv_lines(asked), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="tenants.csv"'
    return response


class _Echo:
    """Hands on what a writer writes."""

    def write(self, line: str) -> str:
        return line


def _csv_lines(asked: Asked) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(CSV_COLUMNS)
    for values in asked.tenants.values_list(*CSV_COLUMNS).iterator(chunk_size=CSV_CHUNK):
        yield writer.writerow([_csv_cell(value) for value in values])


def _csv_cell(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t")) else text  # no spreadsheet runs it as a formula


@question_view(super_admin_required)
def tenant_bulk(request: OperatorRequest) -> HttpResponse:
    """Suspend or reactivate the ticked tenants: asks for how many and why, then says which were changed and which not."""
    params = request.POST if request.method == "POST" else request.GET
    change = params.get("change", "")
    tenants = list(Tenant.objects.filter(pk__in=_ids(params.getlist("tenant"))).order_by("name", "id"))
    if change not in BULK_CHANGES or not tenants:
        raise NotFound
    form = BulkForm(request.POST if request.method == "POST" else None, tenants=tenants, change=change)
    if request.method == "POST" and form.is_valid():
        outcome = change_tenants(
            tenant_ids=[tenant.pk for tenant in tenants],
            change=BULK_CHANGES[change],
            actor=request.user.actor,
            reason=form.cleaned_data["reason"],
        )
        changed = [entry.tenant for entry in outcome if not entry.refusal]
        refused = [entry for entry in outcome if entry.refusal]
        return render(
            request,
            "superadmin/tenant_bulk.html",
            {
                "change": change,
                "changed": [{"name": tenant.name, "slug": tenant.slug, "url": url_of(tenant), "status": tenant.status}
                            for tenant in changed],
                "refused": [{"name": entry.tenant.name, "slug": entry.tenant.slug, "url": url_of(entry.tenant),
                             "status": entry.tenant.status, "why": str(entry.refusal)} for entry in refused],
            },
        )  # fmt: skip
    return ask(request, _bulk_question(change, tenants, form))


BULK_CHANGES = {"suspend": suspend_tenant, "reactivate": reactivate_tenant}


def _ids(values: list[str]) -> list[UUID]:
    found = []
    for value in values[:200]:
        try:
            found.append(UUID(value))
        except ValueError:
            continue
    return found


def _bulk_question(change: str, tenants: list[Tenant], form: BulkForm) -> Question:
    is_suspension = change == "suspend"
    fits = Tenant.Status.ACTIVE if is_suspension else Tenant.Status.SUSPENDED
    others = [tenant.slug for tenant in tenants if tenant.status != fits]
    number = len(tenants) - len(others)
    notes = [", ".join(tenant.slug for tenant in tenants if tenant.status == fits)] if number else []
    if others:
        left = ngettext(
            "%(count)d is in another state and stays as it is: %(slugs)s",
            "%(count)d are in another state and stay as they are: %(slugs)s",
            len(others),
        )
        notes.append(left % {"count": len(others), "slugs": ", ".join(others)})
    if is_suspension:
        title = ngettext("Suspend %(count)d tenant?", "Suspend %(count)d tenants?", number)
        label = ngettext("Suspend %(count)d tenant", "Suspend %(count)d tenants", number)
        text = _("Nobody can sign in there any more, and pages, API and jobs stop within a second. All data is kept.")
    else:
        title = ngettext("Reactivate %(count)d tenant?", "Reactivate %(count)d tenants?", number)
        label = ngettext("Reactivate %(count)d tenant", "Reactivate %(count)d tenants", number)
        text = _("Their people can sign in again, and jobs that waited go on.")
    return Question(
        title=title % {"count": number},
        text=text,
        label=label % {"count": number},
        form=form,
        action=reverse("tenant_bulk"),
        back_url=reverse("tenant_list"),
        back_label=_("Tenants"),
        kind="danger" if is_suspension else "primary",
        notes=notes,
    )


@require_http_methods(["GET", "HEAD", "POST"])
@super_admin_required
@vary_on_headers("HX-Request", "HX-Target")
def tenant_create(request: OperatorRequest) -> HttpResponse:
    """Ask for a new tenant; the tenant's page shows how it is set up."""
    if request.headers.get("HX-Target") == "slug_check":
        check = check_slug(request.GET.get("slug", "").strip())
        return render(request, "superadmin/tenant_create.html#slug_check", {"slug_check": check})
    form = TenantForm(request.POST or None)
    asked: list[Operation] = []
    if carried_out(form, request, lambda: asked.append(request_tenant(actor=request.user.actor, **form.cleaned_data))):
        return HttpResponseRedirect(reverse("tenant_detail", args=[asked[0].tenant.slug]))
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
