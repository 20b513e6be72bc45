"""What a workspace decides about itself."""

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.access import MemberRequest, requires
from accounts.second_factors import require_two_factor
from tenants.preferences.selectors import get_preferences
from workspace.forms import SecurityForm


@require_http_methods(["GET", "HEAD", "POST"])
@requires("settings.manage")
def settings_security(request: MemberRequest) -> HttpResponse:
    """Whether everybody needs a second factor."""
    form = SecurityForm(
        request.POST if request.method == "POST" else None,
        initial={"two_factor_required": get_preferences().two_factor_required},
    )
    if request.method == "POST" and form.is_valid():
        require_two_factor(required=form.cleaned_data["two_factor_required"], actor=request.user.actor)
        messages.success(request, _("The settings are saved."))
        return HttpResponseRedirect(reverse("settings_security"))
    return render(request, "workspace/settings_security.html", {"form": form}, status=422 if form.errors else 200)
