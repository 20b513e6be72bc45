from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from accounts.operators.models import Operator
from core.web.page import NavEntry, NavGroup
from tenants.models import Operation, Tenant
from tenants.selectors import count_active_operations, count_tenants_by_status


def console(request: HttpRequest) -> dict[str, Any]:
    """Context of the console's pages: what an operator finds in sidebar, menu and search."""
    if not isinstance(getattr(request, "user", None), Operator):
        return {}
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
    fleet = NavEntry(label=_("Fleet"), url=reverse("fleet_list"), icon="database", current=here.startswith("fleet_"))
    return {
        "nav": [NavGroup("", [tenants]), NavGroup(_("Watch"), [operations, fleet])],
        "profile_url": reverse("operator_profile"),
        "search_url": reverse("console_search"),
        "home_url": reverse("console_home"),
    }


def _said(*, stuck: int, running: int) -> str | None:
    """What needs somebody comes before what runs by itself."""
    if stuck:
        return _("%(count)d stuck") % {"count": stuck}
    return _("%(count)d running") % {"count": running} if running else None
