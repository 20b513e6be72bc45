"""How the sending of webhooks goes, tenant by tenant."""

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import OperatorRequest, operator_required
from events.webhooks.calling import FAULTS
from events.webhooks.queue.selectors import list_webhooks_by_tenant, webhooks_status
from superadmin.shown import show_webhooks_of

PAGE_SIZE = 25


@require_safe
@operator_required
def event_webhooks(request: OperatorRequest) -> HttpResponse:
    """What waits, fails and is disabled in each tenant, page by page, and what became of attempts."""
    page = Paginator(list_webhooks_by_tenant(), PAGE_SIZE).get_page(request.GET.get("page"))
    rows: Any = page
    rows.object_list = show_webhooks_of(page.object_list)
    sending = webhooks_status()
    context = {
        "page_obj": rows,
        "sending": sending,
        "attempts": [{"label": _said(result), "count": count} for result, count in sending.attempts.items()],
    }
    return render(request, "superadmin/event_webhooks.html", context)


def _said(result: str) -> str:
    if result == "delivered":
        return _("Delivered")
    if result in FAULTS:
        return str(FAULTS[result])
    return _("Answered %(status)s") % {"status": result.removeprefix("http_")}
