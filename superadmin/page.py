from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from accounts.operators.models import Operator
from core.web.page import NavEntry, NavGroup
from events.selectors import count_failed_events
from tenants.models import Operation, Tenant
from tenants.selectors import count_active_operations, count_tenants_by_status


def console(request: HttpRequest) -> dict[str, Any]:
    """Context of the console's pages: what an operator finds in sidebar, menu and search."""
    if not isinstance(getattr(request, "user", None), Operator):
        return {}
    return {
        "nav": groups(request),
        "profile_url": reverse("operator_profile"),
        "search_url": reverse("console_search"),
        "home_url": reverse("console_home"),
    }


def groups(request: HttpRequest) -> list[NavGroup]:
    """Return the console's pages, for sidebar and search."""
    counts = count_tenants_by_status()
    living = sum(counts.values()) - counts.get(Tenant.Status.DELETED, 0)
    here = str(getattr(request.resolver_match, "url_name", ""))
    tenants = NavEntry(
        label=_("Tenants"),
        url=reverse("tenant_list"),
        icon="building-community",
        current=here.startswith("tenant_"),
        count=number_format(living, force_grouping=True),
    )
    active = count_active_operations()
    stuck = active.pop(Operation.Status.STUCK, 0)
    running = active.get(Operation.Status.RUNNING, 0) + active.get(Operation.Status.UNDOING, 0)
    operations = NavEntry(
        label=_("Operations"),
        url=reverse("operation_list"),
        icon="list-check",
        current=here.startswith("operation_"),
        count=_said(stuck=stuck, running=running),
        tone="warn" if stuck else "",
    )
    failed = count_failed_events()
    events = NavEntry(
        label=_("Events"),
        url=reverse("event_list"),
        icon="bolt",
        current=here.startswith("event_"),
        count=_("%(count)d failed") % {"count": failed} if failed else None,
        tone="warn" if failed else "",
    )
    fleet = NavEntry(label=_("Fleet"), url=reverse("fleet_list"), icon="database", current=here.startswith("fleet_"))
    at_operators = here.startswith("operator_") and here != "operator_profile"
    operators = NavEntry(label=_("Operators"), url=reverse("operator_list"), icon="users", current=at_operators)
    clients = NavEntry(
        label=_("API clients"), url=reverse("client_list"), icon="api", current=here.startswith("client_")
    )
    return [
        NavGroup("", [tenants]),
        NavGroup(_("Watch"), [operations, events, fleet]),
        NavGroup(_("Access"), [operators, clients]),
    ]


def _said(*, stuck: int, running: int) -> str | None:
    """What needs somebody comes before what runs by itself."""
    if stuck:
        return _("%(count)d stuck") % {"count": stuck}
    return _("%(count)d running") % {"count": running} if running else None
