from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.access import PrincipalRequest, principal_required
from accounts.identity.builtin.forms import ChangePasswordForm
from accounts.identity.realms import current_realm
from accounts.passwords import change_password
from accounts.two_factor import state_of
from core.web.asking import carried_out, shell


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@sensitive_post_parameters("old", "password", "password_again")
@principal_required
def profile_security(request: PrincipalRequest) -> HttpResponse:
    """Change one's password; where the realm's passwords are not ours, say where it is done."""
    realm, person = current_realm(), request.user
    form = ChangePasswordForm(request.POST or None) if realm.builtin else None
    if form is not None and carried_out(
        form,
        request,
        lambda: change_password(
            principal=person,
            old=form.cleaned_data["old"],
            new=form.cleaned_data["password"],
            keep=person.own_session_id,
        ),
    ):
        messages.success(request, _("Your password is changed. Your other sessions are ended."))
        return HttpResponseRedirect(reverse("profile_security"))
    context = {
        "shell": shell(),
        "form": form,
        "two_factor": state_of(person),
        "account_url": "" if realm.builtin else f"{realm.issuer}/account",
    }
    return render(request, "profile/profile_security.html", context, status=422 if form and form.errors else 200)
