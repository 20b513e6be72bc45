"""Pages of signing in and out that both portals have."""

from django.conf import settings
from django.contrib import auth
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.identity.relying_party import end_session_url
from accounts.operators.models import Operator
from accounts.operators.services import update_profile as update_operator
from accounts.people.models import Person
from accounts.people.services import update_profile as update_person


@never_cache
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session here, then at the issuer."""
    onward = end_session_url(request)
    auth.logout(request)
    return HttpResponseRedirect(onward)


@require_safe
@never_cache
def sign_in_failed(request: HttpRequest) -> HttpResponse:
    """Say that the issuer's answer could not be used, and offer another try."""
    return render(request, "sign_in_failed.html", {"console": getattr(request, "tenant", None) is None}, status=403)


@require_POST
def set_language(request: HttpRequest) -> HttpResponse:
    """Speak another language: a signed-in person's is kept with them, a visitor's in a cookie."""
    language = request.POST.get("language", "")
    onward = request.POST.get("next", "/")
    if not url_has_allowed_host_and_scheme(
        onward, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        onward = "/"
    response = HttpResponseRedirect(onward)
    if language not in dict(settings.LANGUAGES):
        return response
    user = request.user
    if isinstance(user, Person):
        update_person(person=user, name=user.name, language=language, time_zone=user.time_zone)
    elif isinstance(user, Operator):
        update_operator(operator=user, name=user.name, language=language, time_zone=user.time_zone)
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=365 * 24 * 3600,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response
