from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from accounts.access import may
from accounts.people.models import Person
from accounts.people.selectors import count_active_people
from core.tenancy import current
from core.web.page import NavEntry, NavGroup


@dataclass(frozen=True, slots=True)
class ShownTenant:
    """The tenant as pages name it."""

    name: str
    slug: str

    @property
    def initial(self) -> str:
        """The letter on the tenant's tile."""
        return self.name[:1].upper()


def workspace(request: HttpRequest) -> dict[str, Any]:
    """Context of every page on a tenant's address: its name and look; for its people also sidebar, menu and search."""
    ref = current()
    preferences = getattr(request, "preferences", None)
    if ref is None or preferences is None:
        return {}
    brand = f"{reverse('brand_css')}?v={preferences.version}" if preferences.has_brand else None
    context: dict[str, Any] = {"tenant": ShownTenant(preferences.name, ref.slug), "brand_url": brand}
    if isinstance(getattr(request, "user", None), Person):
        context |= {
            "nav": [NavGroup("", entries(request))],
            "profile_url": reverse("profile"),
            "search_url": reverse("workspace_search"),
        }
    return context


def entries(request: HttpRequest) -> list[NavEntry]:
    """Return the pages that whoever asks may open, for sidebar and search."""
    here = str(getattr(request.resolver_match, "url_name", ""))
    entries = [NavEntry(_("Dashboard"), reverse("dashboard"), icon="layout-dashboard", current=here == "dashboard")]
    if may(request, "team.view"):
        people = number_format(count_active_people(), force_grouping=True)
        at_team = here == "team_list" or here.startswith(("person_", "invitation_"))
        entries.append(NavEntry(_("Team"), reverse("team_list"), icon="users", current=at_team, count=people))
    if may(request, "role.manage"):
        entries.append(NavEntry(_("Roles"), reverse("role_list"), icon="shield-lock", current=here.startswith("role_")))
    if may(request, "api_client.manage"):
        entries.append(
            NavEntry(_("API clients"), reverse("client_list"), icon="api", current=here.startswith("client_"))
        )
    if may(request, "webhook.manage"):
        entries.append(
            NavEntry(_("Webhooks"), reverse("webhook_list"), icon="webhook", current=here.startswith("webhook_"))
        )
    if may(request, "settings.manage"):
        entries.append(
            NavEntry(_("Settings"), reverse("settings_security"), icon="settings", current=here.startswith("settings_"))
        )
    return entries
