"""The built-in issuer's sign-in, page after page.

password ──no second factor──────────────────────────> signed in
    ├──an app is set up──> code ─────────────────────────┘
    └──one has to be set up──> set up ──> recovery codes ┘
"""

from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.identity.builtin.attempts import SignInLocked
from accounts.identity.builtin.devices import device_of, remember_device
from accounts.identity.builtin.forms import AuthenticatorForm, SecondStepForm, SignInForm
from accounts.identity.builtin.halfway import HalfWay, go_half_way, sign_in_to_issuer, who_is_half_way
from accounts.identity.builtin.look import look, safe_next, start_url
from accounts.identity.models import Account, AttemptCounter
from accounts.two_factor import check_code, draw_again, has_app, needs_code, set_up, wrong_code
from core.errors import Invalid

WITH_CODE = ("pwd", "otp", "mfa")  # after RFC 8176


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@csrf_protect
@sensitive_post_parameters("password")
def sign_in(request: HttpRequest) -> HttpResponse:
    """Ask for e-mail address and password, then go on to what asked for the sign-in."""
    onward = safe_next(request)
    if request.method == "GET" and isinstance(request.user, Account) and onward != "/":
        return HttpResponseRedirect(onward)
    form = SignInForm(request.POST or None, request=request)
    if request.method == "POST" and form.is_valid():
        if needs_code(form.account):
            go_half_way(request, form.account, onward=onward)
            return redirect("sign_in_code" if has_app(form.account) else "sign_in_set_up")
        sign_in_to_issuer(request, form.account, methods=["pwd"])
        return _known(request, HttpResponseRedirect(onward), form.account)
    status = 200 if request.method != "POST" else 429 if form.has_error(NON_FIELD_ERRORS, "locked") else 422
    context = {"form": form, "next": onward, "forgot_url": reverse("forgot_password"), **look(request)}
    return render(request, "issuer/sign_in.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@csrf_protect
@sensitive_post_parameters("code")
def sign_in_code(request: HttpRequest) -> HttpResponse:
    """Ask whoever has given the right password for a code of their second factor."""
    half = who_is_half_way(request)
    if half is None or not has_app(half.account):
        return redirect(start_url(request))
    form, status = SecondStepForm(request.POST or None), 200
    if request.method == "POST":
        status = _try_code(request, half, form)
        if status == 200:
            sign_in_to_issuer(request, half.account, methods=WITH_CODE)
            return _known(request, HttpResponseRedirect(half.onward), half.account)
    context = {"by_recovery_code": "recovery" in request.GET, **_asked(request, half, form)}
    return render(request, "issuer/sign_in_code.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@csrf_protect
@sensitive_post_parameters("code", "set_up")
def sign_in_set_up(request: HttpRequest) -> HttpResponse:
    """Let whoever has given the right password, and has to have a second factor, set one up before they get in."""
    half = who_is_half_way(request)
    if half is None or has_app(half.account):
        return redirect(start_url(request))
    form = AuthenticatorForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and _is_this_tab(half, form):
        try:
            codes = set_up(account=half.account, token=form.cleaned_data["set_up"], code=form.cleaned_data["code"])
        except Invalid as invalid:
            form.add_error("code", invalid.facts["errors"]["code"])  # type: ignore[index]
        else:
            account = Account.objects.get(pk=half.account.pk)
            sign_in_to_issuer(request, account, methods=WITH_CODE)
            context = {"codes": codes, "onward": half.onward, **look(request)}
            return _known(request, render(request, "issuer/recovery_codes.html", context), account)
    drawn = draw_again(half.account, str(form.data.get("set_up", "")))
    context = {"drawn": drawn, **_asked(request, half, form)}
    return render(request, "issuer/sign_in_set_up.html", context, status=422 if form.errors else 200)


def _try_code(request: HttpRequest, half: HalfWay, form: SecondStepForm) -> int:
    """Look at the code, and say in the form what is wrong with it."""
    if not form.is_valid() or not _is_this_tab(half, form):
        return 422
    device = device_of(request, half.account.email)
    try:
        if check_code(half.account, form.cleaned_data["code"], kind=AttemptCounter.Kind.CODE, device=device):
            return 200
    except SignInLocked as locked:
        form.add_error("code", f"{locked.title}. {locked}")
        return 429
    form.add_error("code", wrong_code())
    return 422


def _is_this_tab(half: HalfWay, form: SecondStepForm | AuthenticatorForm) -> bool:
    if constant_time_compare(str(form.cleaned_data["tab"]), half.tab):
        return True
    form.add_error("code", _("Another sign-in was begun in this browser meanwhile. This page is its next step."))
    return False


def _asked(request: HttpRequest, half: HalfWay, form: Any) -> dict[str, Any]:
    return {
        "form": form,
        "tab": half.tab,
        "email": half.account.email,
        "start_again_url": start_url(request),
        **look(request),
    }


def _known(request: HttpRequest, response: HttpResponse, account: Account) -> HttpResponse:
    remember_device(request, response, account.email)
    return response
