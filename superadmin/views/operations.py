"""What is done to tenants: all operations, and one with its steps and the answers that it may wait for."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.access import OperatorRequest, operator_required, super_admin_required
from archives.selectors import export_of
from core.errors import NotFound
from core.web.asking import Question, ask, question_view
from superadmin.forms import OptionalReasonForm
from superadmin.shown import show_export, show_operation, show_progress
from tenants.errors import OperationNotStuck
from tenants.kinds import kind_of
from tenants.models import Operation
from tenants.selectors import count_operations_by_status, get_operation, list_operations, proof_of
from tenants.services.answers import ABOUT_LEFTOVERS, give_up_operation, retry_operation
from tenants.services.operations import ADOPT, CLEAN

PAGE_SIZE = 25


@require_safe
@operator_required
@vary_on_headers("HX-Request", "HX-Target")
def operation_list(request: OperatorRequest) -> HttpResponse:
    """All operations on all tenants; those under way or stuck stand on top."""
    kind = request.GET.get("kind", "") if request.GET.get("kind") in Operation.Kind.values else ""
    status = request.GET.get("status", "") if request.GET.get("status") in Operation.Status.values else ""
    counts = count_operations_by_status(kind=kind)
    page = Paginator(list_operations(kind=kind, status=status), PAGE_SIZE).get_page(request.GET.get("page"))
    rows: Any = page
    rows.object_list = [show_operation(operation) for operation in page.object_list]
    is_fragment = request.headers.get("HX-Target") == "rows"
    context = {
        "page_obj": rows,
        "statuses": _status_filters(counts, status),
        "kinds": [("", _("All kinds")), *Operation.Kind.choices],
        "kind": kind,
        "status": status,
        "filtered": bool(kind or status),
        "is_live": any(row["status"] in ("queued", "running", "undoing") for row in rows.object_list),
        "poll_url": request.get_full_path(),
    }
    return render(request, f"superadmin/operation_list.html{'#rows' if is_fragment else ''}", context)


def _status_filters(counts: dict[str, int], current: str) -> list[dict[str, Any]]:
    shown = [("", pgettext("operations", "All"), sum(counts.values()))]
    shown += [
        (value, str(label), counts.get(value, 0))
        for value, label in Operation.Status.choices
        if counts.get(value) or value == current
    ]
    return [
        {"value": value, "label": label, "count": count, "current": value == current} for value, label, count in shown
    ]


@require_safe
@operator_required
@vary_on_headers("HX-Request", "HX-Target")
def operation_detail(request: OperatorRequest, operation_id: UUID) -> HttpResponse:
    """One operation: its steps as they go, and what can be answered when it is stuck."""
    operation = get_operation(operation_id)
    polled = request.headers.get("HX-Target") == "progress"
    context = {
        "progress": show_progress(operation),
        "polled": polled,
        "watch_url": reverse("operation_detail", args=[operation.pk]),
    }
    if polled:
        return render(request, "superadmin/operation_detail.html#progress", context)
    archive = export_of(operation)
    context |= {
        "export": show_export(archive) if archive else None,
        "operation": {
            **show_operation(operation),
            "started_at": operation.started_at,
            "finished_at": operation.finished_at,
            "error_code": operation.error_code,
        },
        "answers": _answers(operation) if request.user.is_super_admin else [],
        "removed": _counts(operation),
    }
    return render(request, "superadmin/operation_detail.html", context)


def _counts(operation: Operation) -> list[tuple[str, int]]:
    return proof_of(operation) if operation.kind == Operation.Kind.DELETE else []


def _answers(operation: Operation) -> list[dict[str, str]]:
    """What an operator can say to the operation, the one that harms least first."""
    if operation.status != Operation.Status.STUCK:
        return []
    answers = [("retry", _("Try again…"), _("It goes on where it stopped, with all its attempts anew."), "primary")]
    if operation.error_code in ABOUT_LEFTOVERS:
        answers.append(
            ("adopt", _("Adopt…"), _("What was found becomes the tenant’s own, with its rows and files."), "")
        )
        answers.append(("clean", _("Remove…"), _("What was found is deleted, and made anew."), "risk"))
    if kind_of(operation).undoes:
        answers.append(
            ("give-up", _("Give up…"), _("What the operation made is undone; what it only found stays."), "risk")
        )
    return [
        {"label": label, "text": text, "kind": kind, "url": reverse("operation_answer", args=[operation.pk, name])}
        for name, label, text, kind in answers
    ]


@question_view(super_admin_required)
def operation_answer(request: OperatorRequest, operation_id: UUID, answer: str) -> HttpResponse:
    """Tell a stuck operation how to go on: retry, adopt, clean or give-up."""
    operation = get_operation(operation_id)
    if answer not in {"retry", "adopt", "clean", "give-up"}:
        raise NotFound
    form = OptionalReasonForm(request.POST or None, version=operation.version)
    here = reverse("operation_detail", args=[operation.pk])
    if request.method == "POST" and form.is_valid():
        who: dict[str, Any] = {"operation_id": operation.pk, "actor": request.user.actor}
        if answer == "give-up":
            give_up_operation(**who, **form.said)
        else:
            leftovers = {"adopt": ADOPT, "clean": CLEAN}.get(answer, "")
            retry_operation(**who, leftovers=leftovers, **form.said)
        messages.success(request, _("The operation goes on."))
        return HttpResponseRedirect(here)
    offered = {entry["url"] for entry in _answers(operation)}
    if request.path not in offered:
        raise OperationNotStuck(operation=operation.get_kind_display(), status=operation.get_status_display())
    title, text, label, kind = _words(answer, operation)
    question = Question(
        title=title,
        text=text,
        label=label,
        form=form,
        action=request.path,
        back_url=here,
        back_label=_("Operations"),
        kind=kind,
        notes=[operation.error] if operation.error else [],
    )
    return ask(request, question)


def _words(answer: str, operation: Operation) -> tuple[str, str, str, str]:
    """Return title, text, label and kind of the question."""
    slug = {"slug": operation.tenant.slug}
    if answer == "retry":
        text = _("The operation goes on where it stopped. Do this when what stood in its way is gone.")
        return _("Try again?"), text, _("Try again"), "primary"
    if answer == "adopt":
        text = _(
            "What exists under the names of %(slug)s becomes its own, with the rows and files that are in it, after a look"
            " that it is whole and nobody else’s. No undoing will ever remove it."
        )
        return _("Adopt what was found?"), text % slug, _("Adopt it"), "primary"
    if answer == "clean":
        text = _(
            "What exists under the names of %(slug)s is deleted with everything in it, and made anew. This cannot be undone."
        )
        return _("Remove what was found?"), text % slug, _("Remove it"), "danger"
    text = _("What the operation made is undone, last step first. What it only found, or adopted, stays as it is.")
    return _("Give up?"), text, _("Give up and undo"), "danger"
