"""One person of the team: what they are and may do, and what can be done to them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.access import MemberRequest, demand, requires
from accounts.lockouts import unlock_person
from accounts.people.models import Person
from accounts.people.rights import read_rights
from accounts.people.selectors import get_person, list_roles
from accounts.people.services import disable_person, enable_person, remove_person, set_roles
from accounts.people.services.limits import roles_within
from accounts.second_factors import reset_person
from accounts.sign_in_state import find_sign_in, is_at_hand
from core.web.asking import Question, ask, carried_out, question_view
from workspace.forms import ConfirmForm, RolesForm
from workspace.shown import permission_groups

MANAGE = "team.manage"


def url_of(person: Person) -> str:
    """Return the address of somebody's page."""
    return reverse("person_detail", args=[person.pk])


@require_safe
@requires("team.view")
def person_detail(request: MemberRequest, person_id: UUID) -> HttpResponse:
    """Somebody of the team, their roles, and what these let them do."""
    return _page(request, get_person(person_id))


@require_POST
@requires(MANAGE)
def person_roles(request: MemberRequest, person_id: UUID) -> HttpResponse:
    """Give somebody the ticked roles and take the others away."""
    person = get_person(person_id)
    form = RolesForm(request.POST, roles=list_roles())

    def change() -> None:
        role_ids = {UUID(choice) for choice in form.cleaned_data["roles"]}
        set_roles(person_id=person.pk, role_ids=role_ids, actor=request.user.actor)

    if not carried_out(form, request, change):
        return _page(request, person, form)
    messages.success(request, _("The roles of %(name)s are saved.") % {"name": person.name})
    return HttpResponseRedirect(url_of(person))


def _page(request: MemberRequest, person: Person, form: RolesForm | None = None, *, asks: bool = False) -> HttpResponse:
    """The page; an issuer elsewhere is asked about sign-in only if the page was asked for that."""
    held = [str(role.pk) for role in person.roles.all()]
    form = form or RolesForm(initial={"roles": held}, roles=list_roles())
    ticked = form["roles"].value() or []
    may_manage, every_role = request.can(MANAGE, person), list(list_roles())
    free = roles_within(request.user.pk, every_role)
    roles = [{"role": role, "is_ticked": str(role.pk) in ticked, "is_free": role.pk in free} for role in every_role]
    context: dict[str, Any] = {
        "member": person,
        "form": form,
        "roles": roles,
        "may_manage": may_manage,
        "may_shut_out": may_manage and person.pk != request.user.pk,
        "may_see_sign_in": may_manage and person.pk != request.user.pk,
        "groups": permission_groups(read_rights(person.pk), only_held=True),
    }
    if context["may_see_sign_in"] and (asks or is_at_hand()):
        context |= {"is_asked": True, "sign_in": find_sign_in(person)}
    return render(request, "workspace/person_detail.html", context, status=422 if form.errors else 200)


@require_safe
@requires(MANAGE)
@vary_on_headers("HX-Request", "HX-Target")
def person_sign_in(request: MemberRequest, person_id: UUID) -> HttpResponse:
    """Whether somebody's account is locked and has a second factor: the page asks for it once it is there."""
    person = get_person(person_id)
    demand(request, MANAGE, person)
    if request.headers.get("HX-Target") != "sign_in":
        return _page(request, person, asks=True)
    context = {"member": person, "is_asked": True, "sign_in": find_sign_in(person)}
    return render(request, "workspace/person_detail.html#sign_in", context)


@question_view(requires(MANAGE))
def person_disable(request: MemberRequest, person_id: UUID) -> HttpResponse:
    """Keep somebody out."""
    person = get_person(person_id)
    return _ask_before(
        request,
        person,
        disable_person,
        done=_("%(name)s can no longer sign in."),
        title=_("Disable %(name)s?"),
        text=_(
            "They are signed out everywhere within a second and cannot come back. Roles and everything of theirs stay,"
            " and you can enable them again."
        ),
        label=_("Disable %(name)s"),
    )


@question_view(requires(MANAGE))
def person_enable(request: MemberRequest, person_id: UUID) -> HttpResponse:
    """Let somebody who was disabled come back."""
    person = get_person(person_id)
    return _ask_before(
        request,
        person,
        enable_person,
        done=_("%(name)s can sign in again."),
        title=_("Enable %(name)s again?"),
        text=_("They can sign in with the password that they had, and have the roles that they had."),
        label=_("Enable %(name)s"),
        kind="primary",
    )


@question_view(requires(MANAGE))
def person_unlock(request: MemberRequest, person_id: UUID) -> HttpResponse:
    """Let somebody try to sign in again at once."""
    person = get_person(person_id)
    return _ask_before(
        request,
        person,
        unlock_person,
        done=_("%(name)s can try to sign in again."),
        title=_("Unlock %(name)s?"),
        text=_(
            "Too many attempts to sign in failed. Make sure that it was them: ask them in person or by telephone, not by"
            " mail. Whoever tried may go on trying."
        ),
        label=_("Unlock %(name)s"),
        kind="primary",
    )


@question_view(requires(MANAGE))
def person_reset_factor(request: MemberRequest, person_id: UUID) -> HttpResponse:
    """Take somebody's second factor away who has lost it."""
    person = get_person(person_id)
    return _ask_before(
        request,
        person,
        reset_person,
        done=_("The second factor of %(name)s is reset."),
        title=_("Reset the second factor of %(name)s?"),
        text=_(
            "Their app and recovery codes count for nothing then, and they are signed out everywhere. The password alone"
            " signs in, or they set up another app on the way where everybody needs one. Make sure that it is them who"
            " ask: in person or by telephone, not by mail. They get a mail about it."
        ),
        label=_("Reset the second factor"),
    )


@question_view(requires(MANAGE))
def person_remove(request: MemberRequest, person_id: UUID) -> HttpResponse:
    """Take somebody out of the team for good."""
    person = get_person(person_id)
    return _ask_before(
        request,
        person,
        remove_person,
        done=_("%(name)s is no longer in the team."),
        then=reverse("team_list"),
        word=person.email,
        title=_("Remove %(name)s for good?"),
        text=_(
            "Account, password, roles, name and e-mail address are deleted, here and in the audit log. What they did"
            " stays, by somebody who has left. This cannot be undone: they would have to be invited anew."
        ),
        label=_("Remove %(name)s"),
    )


def _ask_before(
    request: MemberRequest,
    person: Person,
    change: Callable[..., object],
    *,
    done: str,
    then: str = "",
    word: str = "",
    kind: str = "danger",
    **said: str,
) -> HttpResponse:
    """Carry out what is confirmed, say so and lead on; ask until then. The words carry the name of whom it is about."""
    form = ConfirmForm(request.POST if request.method == "POST" else None, word=word)
    name = {"name": person.name}
    if carried_out(form, request, lambda: change(person_id=person.pk, actor=request.user.actor)):
        messages.success(request, done % name)
        return HttpResponseRedirect(then or url_of(person))
    demand(request, MANAGE, person)
    words: dict[str, Any] = {key: text % name if "%(name)s" in text else text for key, text in said.items()}
    back_url = url_of(person)
    return ask(
        request,
        Question(form=form, action=request.path, back_url=back_url, back_label=person.name, kind=kind, **words),
    )
