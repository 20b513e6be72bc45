"""API clients of the workspace."""

from uuid import UUID

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.access import MemberRequest, may, requires
from accounts.clients import pages
from core.web.asking import question_view

MANAGE = "api_client.manage"


@require_safe
@requires(MANAGE)
@vary_on_headers("HX-Request", "HX-Target")
def client_list(request: MemberRequest) -> HttpResponse:
    """Programs that call the workspace's API for themselves."""
    return pages.show_clients(request, may_manage=True)


@question_view(requires(MANAGE))
def client_create(request: MemberRequest) -> HttpResponse:
    """Make one, with permissions that whoever makes it has."""
    choices = pages.tenant_choices(lambda key: may(request, key))
    return pages.ask_for_client(
        request, actor=request.user.actor, choices=choices, help_text=_("You can give what you have yourself.")
    )


@question_view(requires(MANAGE))
def client_secret(request: MemberRequest, client_id: UUID) -> HttpResponse:
    """Give one another secret."""
    return pages.ask_for_secret(request, client_id, actor=request.user.actor)


@question_view(requires(MANAGE))
def client_revoke(request: MemberRequest, client_id: UUID) -> HttpResponse:
    """Stop one."""
    return pages.ask_to_revoke(request, client_id, actor=request.user.actor)
