"""Who runs the platform: any operator may look, super admins change it."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.access import OperatorRequest, operator_required, super_admin_required
from accounts.lockouts import locked_among, unlock_operator
from accounts.operators.services import CreatedOperator
from accounts.operators.team import (
    add_operator,
    change_role,
    disable_operator,
    enable_operator,
    get_operator,
    list_operators,
)
from accounts.second_factors import reset_operator
from core.web.asking import ChangeForm, Question, ask, carried_out, question_view
from superadmin.forms import OperatorForm, OperatorRoleForm

PAGE_SIZE = 25


@require_safe
@operator_required
@vary_on_headers("HX-Request", "HX-Target")
def operator_list(request: OperatorRequest) -> HttpResponse:
    """The platform's operators: searched, page by page."""
    query = request.GET.get("q", "").strip()
    page = Paginator(list_operators(query=query), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "page_obj": page,
        "locked": locked_among(page),
        "q": query,
        "rows_url": request.path,
        "me": request.user.pk,
    }
    fragment = "#rows" if request.headers.get("HX-Target") == "rows" else ""
    return render(request, f"superadmin/operator_list.html{fragment}", context)


@question_view(super_admin_required)
def operator_create(request: OperatorRequest) -> HttpResponse:
    """Make an operator, and show the link that sets their password, this once."""
    form = OperatorForm(request.POST or None)
    made: list[CreatedOperator] = []
    if carried_out(form, request, lambda: made.append(add_operator(actor=request.user.actor, **form.cleaned_data))):
        context = {"operator": made[0].operator, "link": made[0].password_link}
        response = render(request, "superadmin/operator_made.html", context)
        response["Cache-Control"] = "no-store"
        return response
    return _ask(
        request,
        form,
        title=_("New operator"),
        text=_("They sign in at the platform's realm, with a password that they set by a link that is mailed."),
        label=_("Make operator"),
        kind="primary",
    )


@question_view(super_admin_required)
def operator_role(request: OperatorRequest, operator_id: UUID) -> HttpResponse:
    """Give somebody the other role."""
    operator = get_operator(operator_id)
    form = OperatorRoleForm(request.POST or None, initial={"role": operator.role})
    who: dict[str, Any] = {"operator_id": operator_id, "actor": request.user.actor}
    if carried_out(form, request, lambda: change_role(role=form.cleaned_data["role"], **who)):
        messages.success(request, _("%(name)s has another role.") % {"name": operator.name})
        return HttpResponseRedirect(reverse("operator_list"))
    return _ask(
        request,
        form,
        title=_("Role of %(name)s") % {"name": operator.name},
        text=_("A super admin may change everything, support may look at everything and change nothing."),
        label=_("Save role"),
        kind="primary",
    )


@question_view(super_admin_required)
def operator_disable(request: OperatorRequest, operator_id: UUID) -> HttpResponse:
    """Keep somebody out."""
    return _ask_before(
        request,
        operator_id,
        disable_operator,
        done=_("%(name)s is disabled."),
        title=_("Disable %(name)s?"),
        text=_("They are out with their next click and cannot sign in. You can enable them again."),
        label=_("Disable %(name)s"),
    )


@question_view(super_admin_required)
def operator_enable(request: OperatorRequest, operator_id: UUID) -> HttpResponse:
    """Let somebody in again."""
    return _ask_before(
        request,
        operator_id,
        enable_operator,
        done=_("%(name)s is enabled."),
        title=_("Enable %(name)s?"),
        text=_("They can sign in again, with the role that they had."),
        label=_("Enable %(name)s"),
        kind="primary",
    )


@question_view(super_admin_required)
def operator_unlock(request: OperatorRequest, operator_id: UUID) -> HttpResponse:
    """Let somebody try to sign in again at once."""
    return _ask_before(
        request,
        operator_id,
        unlock_operator,
        done=_("%(name)s can try to sign in again."),
        title=_("Unlock %(name)s?"),
        text=_(
            "Too many attempts to sign in failed. Make sure that it was them: ask them in person or by telephone, not by"
            " mail. Whoever tried may go on trying."
        ),
        label=_("Unlock %(name)s"),
        kind="primary",
    )


@question_view(super_admin_required)
def operator_reset_factor(request: OperatorRequest, operator_id: UUID) -> HttpResponse:
    """Take an operator's second factor away who has lost it."""
    return _ask_before(
        request,
        operator_id,
        reset_operator,
        done=_("The second factor of %(name)s is reset."),
        title=_("Reset the second factor of %(name)s?"),
        text=_(
            "Their app and recovery codes count for nothing then, and they are signed out everywhere. The password alone"
            " signs in, or they set up another app on the way where everybody needs one. Make sure that it is them who"
            " ask: in person or by telephone, not by mail. They get a mail about it."
        ),
        label=_("Reset the second factor"),
    )


def _ask_before(
    request: OperatorRequest,
    operator_id: UUID,
    change: Callable[..., object],
    *,
    done: str,
    kind: str = "danger",
    **said: str,
) -> HttpResponse:
    """Carry out what is confirmed, say so and lead on; ask until then. The words carry the name of whom it is about."""
    name = {"name": get_operator(operator_id).name}
    form = ChangeForm(request.POST if request.method == "POST" else None)
    if carried_out(form, request, lambda: change(operator_id=operator_id, actor=request.user.actor)):
        messages.success(request, done % name)
        return HttpResponseRedirect(reverse("operator_list"))
    words = {key: text % name if "%(name)s" in text else text for key, text in said.items()}
    return _ask(request, form, kind=kind, **words)


def _ask(request: OperatorRequest, form: forms.Form, **said: Any) -> HttpResponse:
    said |= {"action": request.path, "back_url": reverse("operator_list"), "back_label": _("Operators")}
    return ask(request, Question(form=form, **said))
