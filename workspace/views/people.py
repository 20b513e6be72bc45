from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods, require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.access import MemberRequest, member_required, requires
from accounts.people.selectors import SORTS, count_people_by_status, list_people, list_roles, page_of_people
from accounts.people.services import update_profile
from accounts.principals import STATUSES
from core.web.page import PaletteEntry, PaletteGroup
from core.web.statuses import show_status
from tenants.preferences.brand import brand_css as brand_text
from tenants.preferences.selectors import get_preferences
from workspace.forms import ProfileForm
from workspace.page import entries

PAGE_SIZE = 25


@require_safe
@requires("team.view")
@vary_on_headers("HX-Request", "HX-Target")
def team_list(request: MemberRequest) -> HttpResponse:
    """The workspace's people: searched, sorted, page by page."""
    query = request.GET.get("q", "").strip()
    sort = request.GET.get("sort", "") if request.GET.get("sort") in SORTS else "name"
    roles = [(role.name, role.shown_label) for role in list_roles()]
    role = request.GET.get("role", "") if request.GET.get("role") in dict(roles) else ""
    status = request.GET.get("status", "") if request.GET.get("status") in STATUSES else ""
    people = page_of_people(
        query=query, role=role, status=status, sort=sort, page=request.GET.get("page"), size=PAGE_SIZE
    )
    is_fragment = request.headers.get("HX-Target") == "rows"
    context = {
        "page_obj": people,
        "statuses": _status_filters(count_people_by_status(query=query, role=role), status),
        "roles": [("", _("Any role")), *roles],
        "q": query,
        "role": role,
        "status": status,
        "sort": sort,
        "label": _("Team"),
        "rows_url": request.path,
        "is_fragment": is_fragment,
    }
    if not is_fragment:
        context["total"] = list_people().count()
    return render(request, f"workspace/team_list.html{'#rows' if is_fragment else ''}", context)


def _status_filters(counts: dict[str, int], current: str) -> list[dict[str, Any]]:
    shown = [("", _("All")), *((status, show_status(status).label) for status in STATUSES)]
    return [
        {"value": value, "label": label, "count": counts[value], "current": value == current}
        for value, label in shown
        if not value or counts[value] or value == current
    ]


@require_http_methods(["GET", "HEAD", "POST"])
@member_required
def profile(request: MemberRequest) -> HttpResponse:
    """Name, language, time zone and look, as the person wants them."""
    person = request.user
    initial = {"name": person.name, "language": person.language, "time_zone": person.time_zone}
    initial["theme"] = request.COOKIES.get(settings.THEME_COOKIE_NAME) or request.preferences.theme  # type: ignore[attr-defined]
    form = ProfileForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        values = dict(form.cleaned_data)
        theme = values.pop("theme")
        update_profile(person=person, **values)
        messages.success(request, _("Your profile is saved."))
        response = HttpResponseRedirect(reverse("profile"))
        # readable by the theme switch, which draws without asking the server
        response.set_cookie(
            settings.THEME_COOKIE_NAME,
            theme,
            max_age=365 * 24 * 3600,
            samesite="Lax",
            secure=settings.SESSION_COOKIE_SECURE,
        )
        return response
    return render(request, "workspace/profile.html", {"form": form}, status=422 if form.errors else 200)


@require_safe
@member_required
def workspace_search(request: MemberRequest) -> HttpResponse:
    """What the command palette finds: pages and people."""
    query = request.GET.get("q", "").strip()
    pages = [PaletteEntry(entry.label, entry.url, icon=entry.icon) for entry in entries(request)]
    pages.append(PaletteEntry(_("Your profile"), reverse("profile"), icon="user-circle"))
    groups = [PaletteGroup(_("Pages"), [page for page in pages if query.lower() in page.label.lower()])]
    if query and request.can("team.view"):
        people = [
            PaletteEntry(person.name, reverse("person_detail", args=[person.pk]), icon="user-circle", note=person.email)
            for person in list_people(query=query)[:8]
        ]
        groups.append(PaletteGroup(_("People"), people))
    context = {"query": query, "groups": [group for group in groups if group.entries]}
    return render(request, "components/palette_results.html", context)


@require_safe
@cache_control(public=True, max_age=300)
def brand_css(request: HttpRequest) -> HttpResponse:
    """The tenant's colours, from its own address; anybody may see them, as on the sign-in page."""
    return HttpResponse(brand_text(get_preferences()), content_type="text/css; charset=utf-8")
