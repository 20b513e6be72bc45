from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods, require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.access import MemberRequest, member_required
from accounts.people.models import Person
from accounts.people.selectors import SORTS, list_people, page_of_people
from accounts.people.services import update_profile
from core.web.page import PaletteEntry, PaletteGroup
from tenants.preferences.brand import brand_css as brand_text
from tenants.preferences.selectors import get_preferences
from workspace.forms import ProfileForm

PAGE_SIZE = 25


@require_safe
@member_required
@vary_on_headers("HX-Request", "HX-Target")
def team_list(request: MemberRequest) -> HttpResponse:
    """The workspace's people: searched, sorted, page by page."""
    query = request.GET.get("q", "").strip()
    sort = request.GET.get("sort", "") if request.GET.get("sort") in SORTS else "name"
    people = page_of_people(query=query, sort=sort, page=request.GET.get("page"), size=PAGE_SIZE)
    context = {
        "page_obj": people,
        "total": Person.objects.count(),
        "q": query,
        "sort": sort,
        "label": _("Team"),
        "rows_url": request.path,
    }
    fragment = "#rows" if request.headers.get("HX-Target") == "rows" else ""
    return render(request, f"workspace/team_list.html{fragment}", context)


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
    pages = [
        PaletteEntry(_("Dashboard"), reverse("dashboard"), icon="layout-dashboard"),
        PaletteEntry(_("Team"), reverse("team_list"), icon="users"),
        PaletteEntry(_("Your profile"), reverse("profile"), icon="user-circle"),
    ]
    groups = [PaletteGroup(_("Pages"), [page for page in pages if query.lower() in page.label.lower()])]
    if query:
        team = reverse("team_list")
        people = [
            PaletteEntry(person.name, f"{team}?{urlencode({'q': person.email})}", icon="user-circle", note=person.email)
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
