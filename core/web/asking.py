"""Pages that ask before something is done: a page of its own, or the same within a dialog of the page before.

A link with `data-px-ask` fetches the question into the dialog; without script it leads to the page. The form posts to the
question's own address either way, and a wrong value is answered with the page. Both portals ask this way; the shell around
the page is that of the address.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_http_methods
from django.views.decorators.vary import vary_on_headers

from core.errors import Invalid, PlexicaError
from core.tenancy import current

View = Callable[..., HttpResponseBase]


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


class ChangeForm(forms.Form):
    """What every question carries along: the version that was seen of what is about to change."""

    version = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)

    def __init__(self, *args: Any, version: int | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["version"] = version

    @property
    def said(self) -> dict[str, Any]:
        """Return what services take, by their names."""
        values = dict(self.cleaned_data)
        return {"expected_version": values.pop("version"), **values}


def question_view(guard: Callable[[View], View]) -> Callable[[View], View]:
    """Let a view be asked (GET) and answered (POST) by whom `guard` lets in: `@question_view(requires("team.manage"))`."""

    def decorate(view: View) -> View:
        varied = vary_on_headers("HX-Request", "HX-Target")(view)
        return require_http_methods(["GET", "HEAD", "POST"])(guard(varied))

    return decorate


def ask(request: HttpRequest, question: Question) -> HttpResponse:
    """Show the question: as a page, or as the content of the dialog that asks for it."""
    in_dialog = request.headers.get("HX-Target") == "ask"
    context = {"ask": question, "in_dialog": in_dialog, "ask_shell": shell()}
    fragment = "#ask" if in_dialog else ""
    return render(request, f"ask.html{fragment}", context, status=422 if question.form.errors else 200)


def shell() -> str:
    """Return the template that pages of both portals extend at the current address."""
    return "shell_workspace.html" if current() else "shell_console.html"


def carried_out(form: forms.Form, request: HttpRequest, change: Callable[[], Any]) -> bool:
    """Say whether the form was sent and its change made; wrong values that only the service knows end up beside the fields."""
    if request.method != "POST" or not form.is_valid():
        return False
    try:
        change()
    except Invalid as invalid:
        for field, sentences in invalid.facts["errors"].items():  # type: ignore[attr-defined]
            form.add_error(field if field in form.fields else None, sentences)
        return False
    except PlexicaError as refusal:
        if refusal.field not in form.fields:
            raise
        form.add_error(refusal.field, str(refusal))
        return False
    return True
