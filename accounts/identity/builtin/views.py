"""The built-in issuer's pages: sign in, set a password, connect a program."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import auth
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods
from oauth2_provider.models import get_device_grant_model
from oauth2_provider.views import DeviceConfirmView, DeviceGrantStatusView, DeviceUserCodeView, RPInitiatedLogoutView

from accounts.identity.builtin import links
from accounts.identity.builtin.forms import CodeForm, PasswordForm, SignInForm
from accounts.identity.models import CLI_CLIENT_ID, Account, Application

BACKEND = "accounts.identity.builtin.accounts.AccountBackend"


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@csrf_protect
@sensitive_post_parameters("password")
def sign_in(request: HttpRequest) -> HttpResponse:
    """Ask for e-mail address and password, then go on to what asked for the sign-in."""
    onward = _safe_next(request)
    if request.method == "GET" and isinstance(request.user, Account) and onward != "/":
        return HttpResponseRedirect(onward)
    form = SignInForm(request.POST or None, request=request)
    if request.method == "POST" and form.is_valid():
        auth.login(request, form.account, backend=BACKEND)
        return HttpResponseRedirect(onward)
    status = 422 if request.method == "POST" else 200
    return render(request, "issuer/sign_in.html", {"form": form, "next": onward, **_look(request)}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@csrf_protect
@sensitive_post_parameters("password", "password_again")
def set_password(request: HttpRequest, token: str) -> HttpResponse:
    """Let the owner of a single-use link choose a password."""
    try:
        account = links.find_account(token)
        form = PasswordForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                links.set_password(token=token, password=form.cleaned_data["password"])
                return redirect(reverse("oidc_authentication_init"))
            except ValidationError as error:
                form.add_error("password", error)
    except links.PasswordLinkInvalid:
        return render(
            request, "issuer/link_invalid.html", {"sign_in_url": _start(request), **_look(request)}, status=410
        )
    status = 422 if request.method == "POST" else 200
    return render(
        request, "issuer/set_password.html", {"form": form, "email": account.email, **_look(request)}, status=status
    )


class DevicePage(DeviceUserCodeView):  # type: ignore[misc]
    """Takes the code that a program shows."""

    template_name = "issuer/device.html"
    form_class = CodeForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), **_look(self.request)}


class DeviceConfirmPage(DeviceConfirmView):  # type: ignore[misc]
    """Asks whether the program may act for the person."""

    template_name = "issuer/device_confirm.html"

    def get_form_kwargs(self) -> dict[str, Any]:
        kwargs: dict[str, Any] = super().get_form_kwargs()
        if self.request.method == "POST":  # the page says allow, the library accept
            data = self.request.POST.copy()
            data["action"] = {"allow": "accept"}.get(data.get("action", ""), "deny")
            kwargs["data"] = data
        return kwargs

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        grant = self.get_object()
        context = {
            "client_name": _client_name(grant.client_id),
            "user_code": grant.user_code,
            "email": self.request.user.email,
            "scopes": [],
        }
        return {**super().get_context_data(**kwargs), **context, **_look(self.request)}


class DeviceDonePage(DeviceGrantStatusView):  # type: ignore[misc]
    """Says that the program is connected, or that it was refused."""

    template_name = "issuer/device_done.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        grant = self.object
        grants: Any = get_device_grant_model()  # type: ignore[no-untyped-call]
        allowed = grant.status in (grants.AUTHORIZED, grants.EXPIRED)  # expired: the program has its tokens already
        return {
            **super().get_context_data(**kwargs),
            "allowed": allowed,
            "client_name": _client_name(grant.client_id),
            **_look(self.request),
        }


class SignOutPage(RPInitiatedLogoutView):  # type: ignore[misc]
    """Ends the issuer's session, and asks first when it is not clear whose it is."""

    template_name = "issuer/sign_out.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), **_look(self.request)}


def _client_name(client_id: str) -> str:
    if client_id == CLI_CLIENT_ID:
        return _("Plexica command line")
    return str(Application.objects.get(client_id=client_id).name)


def _start(request: HttpRequest) -> str:
    onward = "/" if getattr(request, "tenant", None) else "/console/"
    return f"{reverse('oidc_authentication_init')}?{urlencode({'next': onward})}"


def _look(request: HttpRequest) -> dict[str, Any]:
    # the pages' own address for the language belongs to another session, which would refuse the token of this one
    return {"console": getattr(request, "tenant", None) is None, "language_url": reverse("set_language_at_issuer")}


def _safe_next(request: HttpRequest) -> str:
    """Return where to go after signing in: a path of this host, else the start page."""
    onward = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(
        onward, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return onward if safe and onward.startswith("/") else "/"
