"""The built-in issuer's pages beside sign-in: set a password, connect a program, sign out."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods
from oauth2_provider.models import get_device_grant_model
from oauth2_provider.views import DeviceConfirmView, DeviceGrantStatusView, DeviceUserCodeView, RPInitiatedLogoutView

from accounts.identity import links
from accounts.identity.builtin.devices import remember_device
from accounts.identity.builtin.forms import CodeForm, ForgotForm, PasswordForm
from accounts.identity.builtin.look import look, start_url
from accounts.identity.models import CLI_CLIENT_ID, Account, Application
from accounts.identity.realms import current_realm
from accounts.passwords import set_password_by_link
from accounts.tasks import mail_reset_link
from core.ids import uuid7


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
                account = set_password_by_link(token=token, password=form.cleaned_data["password"])
                response = redirect(reverse("oidc_authentication_init"))
                remember_device(request, response, account.email)  # who reads the mail is no stranger
                return response
            except ValidationError as error:
                form.add_error("password", error)
    except links.PasswordLinkInvalid:
        return render(
            request, "issuer/link_invalid.html", {"sign_in_url": start_url(request), **look(request)}, status=410
        )
    status = 422 if request.method == "POST" else 200
    return render(
        request, "issuer/set_password.html", {"form": form, "email": account.email, **look(request)}, status=status
    )


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@csrf_protect
def forgot_password(request: HttpRequest) -> HttpResponse:
    """Ask for the e-mail address, and say the same of every one: whether it has an account, only its owner hears."""
    if not current_realm().builtin:
        raise Http404
    form = ForgotForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        account = Account.objects.filter(email=form.cleaned_data["email"].lower()).first()
        mail_reset_link.delay(subject=str(account.pk if account else uuid7()), language=get_language() or "en")
        context = {"asked_for": form.cleaned_data["email"], "sign_in_url": start_url(request), **look(request)}
        return render(request, "issuer/forgot_password.html", context)
    status = 422 if request.method == "POST" else 200
    context = {"form": form, "sign_in_url": start_url(request), **look(request)}
    return render(request, "issuer/forgot_password.html", context, status=status)


class DevicePage(DeviceUserCodeView):  # type: ignore[misc]
    """Takes the code that a program shows."""

    template_name = "issuer/device.html"
    form_class = CodeForm

    @transaction.atomic
    def form_valid(self, form: CodeForm) -> HttpResponse:
        """Go on, unless the question was answered since the code was looked at: the answer was for whoever gave it."""
        grant = form.cleaned_data["device_grant"]
        waiting = type(grant).objects.filter(pk=grant.pk, status=grant.AUTHORIZATION_PENDING)
        if not waiting.select_for_update().exists():
            form.add_error("user_code", form.SAYS["user_code_already_used"])
            refused: HttpResponse = self.form_invalid(form)
            return refused
        response: HttpResponse = super().form_valid(form)
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), **look(self.request)}


class DeviceConfirmPage(DeviceConfirmView):  # type: ignore[misc]
    """Asks whether the program may act for the person."""

    template_name = "issuer/device_confirm.html"

    @transaction.atomic
    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Take the answer, once: a second click finds what came of the first."""
        grants: Any = get_device_grant_model()  # type: ignore[no-untyped-call]
        grant = grants.objects.select_for_update().filter(**kwargs, user=request.user).first()
        if grant is not None and grant.status != grant.AUTHORIZATION_PENDING:
            return redirect(self.get_success_url())
        response: HttpResponse = super().post(request, *args, **kwargs)
        return response

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
        return {**super().get_context_data(**kwargs), **context, **look(self.request)}


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
            **look(self.request),
        }


class SignOutPage(RPInitiatedLogoutView):  # type: ignore[misc]
    """Ends the issuer's session, and asks first when it is not clear whose it is."""

    template_name = "issuer/sign_out.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), **look(self.request)}


def _client_name(client_id: str) -> str:
    if client_id == CLI_CLIENT_ID:
        return _("Plexica command line")
    return str(Application.objects.get(client_id=client_id).name)
