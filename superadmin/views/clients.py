"""API clients of the platform: programs that make tenants, for instance."""

from uuid import UUID

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.access import OperatorRequest, operator_required, super_admin_required
from accounts.clients import pages
from core.web.asking import question_view


@require_safe
@operator_required
@vary_on_headers("HX-Request", "HX-Target")
def client_list(request: OperatorRequest) -> HttpResponse:
    """Programs that call the platform's API for themselves."""
    return pages.show_clients(request, may_manage=request.user.is_super_admin)


@question_view(super_admin_required)
def client_create(request: OperatorRequest) -> HttpResponse:
    """Make one."""
    return pages.ask_for_client(
        request,
        actor=request.user.actor,
        choices=pages.platform_choices(),
        help_text=_("Without it the program can look at everything and change nothing."),
    )


@question_view(super_admin_required)
def client_secret(request: OperatorRequest, client_id: UUID) -> HttpResponse:
    """Give one another secret."""
    return pages.ask_for_secret(request, client_id, actor=request.user.actor)


@question_view(super_admin_required)
def client_revoke(request: OperatorRequest, client_id: UUID) -> HttpResponse:
    """Stop one."""
    return pages.ask_to_revoke(request, client_id, actor=request.user.actor)
