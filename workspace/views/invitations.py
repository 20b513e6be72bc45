"""Inviting people, what became of it, and the page that an invitation's link opens."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.access import MemberRequest, requires
from accounts.identity.relying_party import INVITATION
from accounts.people.invitations import acceptance
from accounts.people.invitations.errors import InvitationInvalid
from accounts.people.invitations.selectors import STATES, get_invitation, list_invitations
from accounts.people.invitations.services import invite_all, resend_invitation, revoke_invitation
from accounts.people.models import Invitation, Person, Role
from accounts.people.services.limits import missing_for
from core.tenancy import require
from core.web.asking import ChangeForm, Question, ask, carried_out, question_view
from core.web.statuses import show_status
from workspace.forms import AcceptForm, InviteForm

PAGE_SIZE = 25


@require_safe
@requires("team.invite")
@vary_on_headers("HX-Request", "HX-Target")
def invitation_list(request: MemberRequest) -> HttpResponse:
    """Who was invited, and what became of it."""
    query = request.GET.get("q", "").strip()
    state = request.GET.get("state", "open")
    state = state if state in STATES else ""
    page = Paginator(list_invitations(state=state, query=query), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "page_obj": page,
        "q": query,
        "state": state,
        "states": [
            {"value": value, "label": show_status(value).label if value else _("All"), "current": value == state}
            for value in (*STATES, "")
        ],
        "rows_url": request.path,
    }
    fragment = "#rows" if request.headers.get("HX-Target") == "rows" else ""
    return render(request, f"workspace/invitation_list.html{fragment}", context)


@question_view(requires("team.invite"))
def invitation_create(request: MemberRequest) -> HttpResponse:
    """Invite one or several people."""
    mine = [role for role in Role.objects.all() if not missing_for(request.user.pk, roles=[role])]
    form = InviteForm(request.POST or None, roles=mine)
    asked: dict[str, Any] = {"actor": request.user.actor}
    if carried_out(form, request, lambda: invite_all(**form.invited, **asked)):
        count = len(form.invited["emails"])
        said = ngettext("%(count)d person is invited.", "%(count)d people are invited.", count) % {"count": count}
        messages.success(request, said)
        return HttpResponseRedirect(reverse("invitation_list"))
    question = Question(
        title=_("Invite people"),
        text=_("Each gets a mail with a link of their own. It works once, for some days."),
        label=_("Send invitations"),
        form=form,
        action=request.path,
        back_url=reverse("invitation_list"),
        back_label=_("Invitations"),
        kind="primary",
    )
    return ask(request, question)


@require_POST
@requires("team.invite")
def invitation_resend(request: MemberRequest, invitation_id: UUID) -> HttpResponse:
    """Send another link; the one before is dead."""
    invitation = resend_invitation(invitation_id=invitation_id, actor=request.user.actor)
    messages.success(request, _("%(email)s gets a new link.") % {"email": invitation.email})
    return HttpResponseRedirect(reverse("invitation_list"))


@question_view(requires("team.invite"))
def invitation_revoke(request: MemberRequest, invitation_id: UUID) -> HttpResponse:
    """Take an invitation back."""
    invitation = get_invitation(invitation_id)
    form = ChangeForm(request.POST if request.method == "POST" else None)
    who: dict[str, Any] = {"invitation_id": invitation_id, "actor": request.user.actor}
    if carried_out(form, request, lambda: revoke_invitation(**who)):
        messages.success(request, _("The invitation of %(email)s is revoked.") % {"email": invitation.email})
        return HttpResponseRedirect(reverse("invitation_list"))
    question = Question(
        title=_("Revoke the invitation?"),
        text=_("The link that %(email)s got stops working at once. You can invite them again.")
        % {"email": invitation.email},
        label=_("Revoke invitation"),
        form=form,
        action=request.path,
        back_url=reverse("invitation_list"),
        back_label=_("Invitations"),
    )
    return ask(request, question)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@sensitive_post_parameters("password", "password_again")
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """What an invitation's link opens: for somebody new, for an account of the realm, for who is signed in."""
    user: object = request.user
    try:
        found = acceptance.find_by_token(token)
        if isinstance(user, Person):
            return _signed_in(request, user, found, token)
        return _newcomer(request, found, token)
    except InvitationInvalid as error:
        context = {"why": error.facts.get("why"), "sign_in_url": reverse("oidc_authentication_init")}
        return render(request, "workspace/invitation_closed.html", context, status=error.status)


def _signed_in(request: HttpRequest, person: Person, found: Invitation, token: str) -> HttpResponse:
    if request.method == "POST":
        acceptance.accept_signed_in(token=token, person=person)
        messages.success(request, _("You are in: welcome to %(name)s.") % {"name": require().name})
        return HttpResponseRedirect("/")
    is_theirs = person.email.lower() == found.email
    return _page(request, found, step="accept" if is_theirs else "somebody_else")


def _newcomer(request: HttpRequest, found: Invitation, token: str) -> HttpResponse:
    request.session[INVITATION] = found.token_hash  # whoever signs in next, as that address, has accepted
    sign_in_url = reverse("oidc_authentication_init")
    if acceptance.has_account(found):
        return _page(request, found, step="sign_in", sign_in_url=sign_in_url)
    form = AcceptForm(request.POST or None)
    if carried_out(form, request, lambda: acceptance.accept_as_new(token=token, **form.said)):
        del request.session[INVITATION]
        return HttpResponseRedirect(sign_in_url)
    return _page(request, found, step="new", sign_in_url=sign_in_url, form=form)


def _page(request: HttpRequest, found: Invitation, *, form: AcceptForm | None = None, **context: Any) -> HttpResponse:
    context |= {"invitation": found, "form": form}
    return render(request, "workspace/invitation.html", context, status=422 if form and form.errors else 200)
