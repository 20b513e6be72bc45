from csp.decorators import csp_update
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import OperatorRequest, operator_required
from accounts.operators.services import update_profile
from core.web.page import PaletteEntry, PaletteGroup
from superadmin.forms import OperatorProfileForm, WorkspaceForm
from superadmin.gallery import build_gallery
from superadmin.page import groups
from superadmin.shown import url_of
from tenants.directory import address_of, find_by_host
from tenants.selectors import list_tenants


# the form's answer leads to another host, and browsers hold form-action against redirects too
@csp_update({"form-action": f"{settings.PUBLIC_SCHEME}://*.{settings.PUBLIC_NETLOC}"})
@require_http_methods(["GET", "HEAD", "POST"])
def home(request: HttpRequest) -> HttpResponse:
    """The front page: find your workspace, or go to the console."""
    form = WorkspaceForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        slug = form.cleaned_data["workspace"].removesuffix(f".{settings.PUBLIC_HOST}")
        if find_by_host(f"{slug}.{settings.PUBLIC_HOST}"):
            return HttpResponseRedirect(f"{address_of(slug)}/")
        form.add_error(
            "workspace", _("There is no workspace with this name. Check the spelling, or ask whoever invited you.")
        )
    context = {
        "form": form,
        "host_suffix": f".{settings.PUBLIC_NETLOC}",
        "console_url": reverse("console_home"),
        "api_docs_url": reverse("api_docs"),
    }
    return render(request, "home.html", context, status=422 if form.errors else 200)


@require_safe
@operator_required
def console_home(request: OperatorRequest) -> HttpResponse:
    """The console starts with its tenants."""
    return HttpResponseRedirect(reverse("tenant_list"))


@require_safe
@operator_required
def console_search(request: OperatorRequest) -> HttpResponse:
    """What the command palette finds: pages and tenants."""
    query = request.GET.get("q", "").strip()
    entries = [entry for group in groups(request) for entry in group.entries]
    pages = [PaletteEntry(entry.label, entry.url, icon=entry.icon) for entry in entries]
    pages.append(PaletteEntry(_("Your profile"), reverse("operator_profile"), icon="user-circle"))
    if request.user.is_super_admin:
        pages.insert(1, PaletteEntry(_("Create tenant"), reverse("tenant_create"), icon="plus"))
    found = [PaletteGroup(_("Pages"), [page for page in pages if query.lower() in page.label.lower()])]
    if query:
        tenants = [
            PaletteEntry(tenant.name, url_of(tenant), icon="building-community", note=tenant.slug)
            for tenant in list_tenants(query=query)[:8]
        ]
        found.append(PaletteGroup(_("Tenants"), tenants))
    context = {"query": query, "groups": [group for group in found if group.entries]}
    return render(request, "components/palette_results.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@operator_required
def operator_profile(request: OperatorRequest) -> HttpResponse:
    """Name, language and time zone of the operator."""
    operator = request.user
    form = OperatorProfileForm(
        request.POST or None, initial={name: getattr(operator, name) for name in ("name", "language", "time_zone")}
    )
    if request.method == "POST" and form.is_valid():
        update_profile(operator=operator, **form.cleaned_data)
        messages.success(request, _("Your profile is saved."))
        return HttpResponseRedirect(reverse("operator_profile"))
    return render(request, "superadmin/operator_profile.html", {"form": form}, status=422 if form.errors else 200)


@require_safe
@operator_required
def components(request: OperatorRequest) -> HttpResponse:
    """Every component in every state; only in development."""
    return render(request, "superadmin/components.html", build_gallery())
