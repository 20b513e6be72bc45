"""The roles of the workspace: built in or made here, what they allow and how many people have them."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import MemberRequest, demand, requires
from accounts.people.errors import RoleBuiltin
from accounts.people.models import Role
from accounts.people.rights import rights_of
from accounts.people.selectors import get_role, list_roles
from accounts.people.services import change_role, delete_role, make_role
from core.web.asking import ChangeForm, Loss, Question, ask, carried_out, question_view
from workspace.forms import RoleForm
from workspace.shown import permission_groups, show_role

MANAGE = "role.manage"


@require_safe
@requires(MANAGE)
def role_list(request: MemberRequest) -> HttpResponse:
    """Every role, built-in ones first."""
    roles = [show_role(role) for role in list_roles()]
    return render(request, "workspace/role_list.html", {"roles": roles})


@require_http_methods(["GET", "HEAD", "POST"])
@requires(MANAGE)
def role_create(request: MemberRequest) -> HttpResponse:
    """Make a role of what one may do oneself."""
    form = RoleForm(request.POST or None)
    made: list[Role] = []

    def make() -> None:
        said = form.said
        made.append(make_role(label=said["label"], permissions=said["permissions"], actor=request.user.actor))

    if carried_out(form, request, make):
        messages.success(request, _("The role %(name)s is made. Give it to people on their pages.") % {"name": made[0]})
        return HttpResponseRedirect(reverse("role_list"))
    return _form_page(request, form, role=None)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(MANAGE)
def role_detail(request: MemberRequest, role_id: UUID) -> HttpResponse:
    """Change a role; built-in ones, and those that hold more than one holds oneself, can only be looked at."""
    role = get_role(role_id)
    initial = {"label": role.shown_label, "permissions": sorted(role.granted)}
    form = RoleForm(request.POST or None, version=role.version, initial=initial)
    if carried_out(form, request, lambda: change_role(role_id=role.pk, actor=request.user.actor, **form.said)):
        messages.success(request, _("The role is saved, and in force from now on."))
        return HttpResponseRedirect(reverse("role_list"))
    return _form_page(request, form, role=role)


def _form_page(request: MemberRequest, form: RoleForm, *, role: Role | None) -> HttpResponse:
    context: dict[str, Any] = {
        "form": form,
        "role": show_role(role) if role else None,
        "may_change": role is None or (not role.is_builtin and request.can(MANAGE, role)),
        "groups": permission_groups(form["permissions"].value() or [], free=rights_of(request.user)),
    }
    return render(request, "workspace/role_detail.html", context, status=422 if form.errors else 200)


@question_view(requires(MANAGE))
def role_delete(request: MemberRequest, role_id: UUID) -> HttpResponse:
    """Delete a role and take it away from everybody."""
    role = get_role(role_id)
    form = ChangeForm(request.POST or None, version=role.version)
    if carried_out(form, request, lambda: delete_role(role_id=role.pk, actor=request.user.actor, **form.said)):
        messages.success(request, _("The role %(name)s is deleted.") % {"name": role.label})
        return HttpResponseRedirect(reverse("role_list"))
    if role.is_builtin:
        raise RoleBuiltin(name=role.shown_label)
    demand(request, MANAGE, role)
    people = role.people_count  # type: ignore[attr-defined]
    text = ngettext(
        "%(count)d person loses what only this role allows, on their next click. This cannot be undone.",
        "%(count)d people lose what only this role allows, on their next click. This cannot be undone.",
        people,
    )
    question = Question(
        title=_("Delete the role %(name)s?") % {"name": role.label},
        text=text % {"count": people},
        label=_("Delete %(name)s") % {"name": role.label},
        form=form,
        action=request.path,
        back_url=reverse("role_detail", args=[role.pk]),
        back_label=role.label,
        losses=[
            Loss(_("People who have it"), number_format(people, force_grouping=True)),
            Loss(_("Permissions in it"), number_format(len(role.granted), force_grouping=True)),
        ],
    )
    return ask(request, question)
