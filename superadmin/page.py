from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from accounts.operators.models import Operator
from core.web.page import NavEntry, NavGroup
from tenants.selectors import count_tenants_by_status


def console(request: HttpRequest) -> dict[str, Any]:
    """Context of the console's pages: what an operator finds in sidebar, menu and search."""
    if not isinstance(getattr(request, "user", None), Operator):
        return {}
    count = sum(count_tenants_by_status().values())
    here = getattr(request.resolver_match, "url_name", "")
    tenants = NavEntry(
        label=_("Tenants"),
        url=reverse("tenant_list"),
        icon="building-community",
        current=str(here).startswith("tenant_"),
        count=number_format(count, force_grouping=True),
    )
    return {
        "nav": [NavGroup("", [tenants])],
        "profile_url": reverse("operator_profile"),
        "search_url": reverse("console_search"),
        "home_url": reverse("console_home"),
    }
