from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.access import PrincipalRequest, principal_required
from accounts.identity.builtin.forms import OwnAuthenticatorForm, ProofForm
from accounts.passwords import own_account
from accounts.two_factor import (
    TwoFactorOn,
    draw_again,
    has_app,
    renew_recovery_codes,
    switch_off,
    switch_on,
)
from core.web.asking import Question, ask, carried_out, question_view, shell


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@sensitive_post_parameters("password", "code", "set_up")
@principal_required
def profile_two_factor_on(request: PrincipalRequest) -> HttpResponse:
    """Show a picture that an authenticator app reads, and switch two-factor sign-in on with the app's first code."""
    account = own_account(request.user)
    if has_app(account):
        raise TwoFactorOn
    form, codes = OwnAuthenticatorForm(request.POST or None), list[str]()

    def change() -> None:
        said = form.cleaned_data
        codes.extend(
            switch_on(
                principal=request.user,
                password=said["password"],
                token=said["set_up"],
                code=said["code"],
                keep=request.user.own_session_id,
            )
        )

    if carried_out(form, request, change):
        return _show_codes(request, codes)
    drawn = draw_again(account, str(form.data.get("set_up", "")))
    context = {"shell": shell(), "form": form, "drawn": drawn}
    return render(request, "profile/profile_two_factor_on.html", context, status=422 if form.errors else 200)


@never_cache
@sensitive_post_parameters("code")
@question_view(principal_required)
def profile_two_factor_codes(request: PrincipalRequest) -> HttpResponse:
    """Replace one's recovery codes."""
    form, codes = ProofForm(request.POST or None), list[str]()
    if carried_out(
        form,
        request,
        lambda: codes.extend(renew_recovery_codes(principal=request.user, code=form.cleaned_data["code"])),
    ):
        return _show_codes(request, codes)
    question = Question(
        form=form,
        action=request.path,
        back_url=reverse("profile_security"),
        back_label=_("Security"),
        title=_("New recovery codes?"),
        text=_("You get ten new ones, and those that you have are worth nothing any more."),
        label=_("Make new codes"),
        kind="primary",
    )
    return ask(request, question)


@never_cache
@sensitive_post_parameters("code")
@question_view(principal_required)
def profile_two_factor_off(request: PrincipalRequest) -> HttpResponse:
    """Switch one's two-factor sign-in off."""
    form = ProofForm(request.POST or None)
    if carried_out(
        form,
        request,
        lambda: switch_off(principal=request.user, code=form.cleaned_data["code"], keep=request.user.own_session_id),
    ):
        messages.success(request, _("Two-factor sign-in is off. Your other sessions are ended."))
        return HttpResponseRedirect(reverse("profile_security"))
    question = Question(
        form=form,
        action=request.path,
        back_url=reverse("profile_security"),
        back_label=_("Security"),
        title=_("Switch two-factor sign-in off?"),
        text=_(
            "Your password alone is enough to sign in then, for whoever finds it out, too. Your recovery codes end."
        ),
        label=_("Switch it off"),
    )
    return ask(request, question)


def _show_codes(request: PrincipalRequest, codes: list[str]) -> HttpResponse:
    context = {"shell": shell(), "codes": codes}
    response = render(request, "profile/recovery_codes.html", context)
    response["Cache-Control"] = "no-store"
    return response
