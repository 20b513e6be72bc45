"""Pages that ask before something is done: a page of its own, or the same within a dialog of the page before.

A link with `data-px-ask` fetches the question into the dialog; without script it leads to the page. The form posts to the
question's own address either way, and a wrong value is answered with the page.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods
from django.views.decorators.vary import vary_on_headers

from accounts.access import View, operator_required


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that will be lost, and how much of it, ready to show."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and what the buttons say."""

    title: str
    text: str
    label: str  # the deed, naming the thing
    form: forms.Form
    action: str
    back_url: str
    back_label: str
    kind: str = "danger"
    losses: Sequence[Loss] = ()
    notes: Sequence[str] = ()


def question_view(view: View) -> View:
    """Let a view of this kind be asked and answered by operators alone."""
    varied = vary_on_headers("HX-Request", "HX-Target")(view)
    return require_http_methods(["GET", "HEAD", "POST"])(operator_required(varied))


def ask(request: HttpRequest, question: Question) -> HttpResponse:
    """Show the question: as a page, or as the content of the dialog that asks for it."""
    in_dialog = request.headers.get("HX-Target") == "ask"
    context = {"ask": question, "in_dialog": in_dialog}
    fragment = "#ask" if in_dialog else ""
    return render(request, f"superadmin/ask.html{fragment}", context, status=422 if question.form.errors else 200)
