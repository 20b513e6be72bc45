"""Pages about API clients, which both portals have; each portal guards them and draws its own shell around."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.clients.models import SUPER_ADMIN
from accounts.clients.selectors import get_client, list_clients
from accounts.clients.services import MadeClient, make_client, renew_secret, revoke_client
from accounts.identity.discovery import discover
from accounts.identity.realms import current_realm
from accounts.permissions import registered
from core.actors import Actor
from core.web.asking import ChangeForm, Question, ask, carried_out, shell

PAGE_SIZE = 25
Choices = list[tuple[str, Any]]


class ApiClientForm(forms.Form):
    """What a new client needs."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=120,
        help_text=gettext_lazy("The program that will use it."),
        widget=forms.TextInput(attrs={"autofocus": True}),
    )
    permissions = forms.MultipleChoiceField(
        label=gettext_lazy("Permissions"), required=False, widget=forms.CheckboxSelectMultiple
    )
    days = forms.ChoiceField(label=gettext_lazy("Works for"), initial="365")

    def __init__(self, *args: Any, permissions: Choices, help_text: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["permissions"].choices = permissions  # type: ignore[attr-defined]
        self.fields["permissions"].help_text = help_text
        self.fields["days"].choices = [  # type: ignore[attr-defined]
            ("30", _("30 days")),
            ("90", _("90 days")),
            ("365", _("A year")),
            ("", _("Until it is revoked")),
        ]
        self.fields["days"].required = False

    @property
    def said(self) -> dict[str, Any]:
        """Return what the service takes."""
        days = self.cleaned_data["days"]
        return {
            "name": self.cleaned_data["name"],
            "permissions": self.cleaned_data["permissions"],
            "expires_at": timezone.now() + timedelta(days=int(days)) if days else None,
        }


def show_clients(request: HttpRequest, *, may_manage: bool) -> HttpResponse:
    """The API clients there are: searched, page by page."""
    query = request.GET.get("q", "").strip()
    context = {
        "page_obj": Paginator(list_clients(query=query), PAGE_SIZE).get_page(request.GET.get("page")),
        "q": query,
        "rows_url": request.path,
        "may_manage": may_manage,
        "shell": shell(),
    }
    fragment = "#rows" if request.headers.get("HX-Target") == "rows" else ""
    return render(request, f"clients/client_list.html{fragment}", context)


def ask_for_client(request: HttpRequest, *, actor: Actor, choices: Choices, help_text: str) -> HttpResponse:
    """Ask for a new client, and show its secret, this once."""
    form = ApiClientForm(request.POST or None, permissions=choices, help_text=help_text)
    made: list[MadeClient] = []
    token_url = _token_url(request)
    if carried_out(form, request, lambda: made.append(make_client(actor=actor, **form.said))):
        return _show_secret(request, made[0], token_url)
    return _ask(
        request,
        form,
        title=_("New API client"),
        text=_("A program gets tokens with its id and secret, and calls the API with what you allow it."),
        label=_("Make API client"),
        kind="primary",
    )


def ask_for_secret(request: HttpRequest, client_id: UUID, *, actor: Actor) -> HttpResponse:
    """Ask before a client gets another secret, and show it, this once."""
    client = get_client(client_id)
    form = ChangeForm(request.POST if request.method == "POST" else None)
    made: list[MadeClient] = []
    token_url = _token_url(request)
    if carried_out(form, request, lambda: made.append(renew_secret(client_id=client_id, actor=actor))):
        return _show_secret(request, made[0], token_url)
    return _ask(
        request,
        form,
        title=_("New secret for %(name)s?") % {"name": client.name},
        text=_("The secret that it has buys no tokens any more; those that it holds last five minutes at most."),
        label=_("Make new secret"),
        kind="primary",
    )


def ask_to_revoke(request: HttpRequest, client_id: UUID, *, actor: Actor) -> HttpResponse:
    """Ask before a client is stopped."""
    client = get_client(client_id)
    form = ChangeForm(request.POST if request.method == "POST" else None)
    if carried_out(form, request, lambda: revoke_client(client_id=client_id, actor=actor)):
        messages.success(request, _("%(name)s is revoked.") % {"name": client.name})
        return HttpResponseRedirect(reverse("client_list"))
    return _ask(
        request,
        form,
        title=_("Revoke %(name)s?") % {"name": client.name},
        text=_("Its next call is refused, and it gets no tokens any more. This cannot be undone: make a new one."),
        label=_("Revoke %(name)s") % {"name": client.name},
    )


def _ask(request: HttpRequest, form: forms.Form, **said: Any) -> HttpResponse:
    back_url = reverse("client_list")
    return ask(
        request, Question(form=form, action=request.path, back_url=back_url, back_label=_("API clients"), **said)
    )


def tenant_choices(may: Callable[[str], bool]) -> Choices:
    """Return the permissions that somebody may give to a client: those that they hold."""
    return [(key, permission.label) for key, permission in registered().items() if may(key)]


def platform_choices() -> Choices:
    """Return what clients of the platform may be allowed besides looking."""
    return [(SUPER_ADMIN, _("Change everything, as super admins do"))]


def _show_secret(request: HttpRequest, made: MadeClient, token_url: str) -> HttpResponse:
    context = {"client": made.client, "secret": made.secret, "shell": shell(), "token_url": token_url}
    response = render(request, "clients/client_made.html", context)
    response["Cache-Control"] = "no-store"
    return response


def _token_url(request: HttpRequest) -> str:
    """Ask before anything is made: an issuer that does not answer must not hide a secret that nobody can read again."""
    return str(discover(current_realm())["token_endpoint"]) if request.method == "POST" else ""
