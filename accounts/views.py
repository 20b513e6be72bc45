"""Pages of signing in and out that both portals have."""

import jwt
import structlog
from django.conf import settings
from django.contrib import auth
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from accounts.identity.logout_tokens import verify_logout_token
from accounts.identity.realms import current_realm
from accounts.identity.relying_party import end_session_url
from accounts.operators.models import Operator
from accounts.operators.services import update_profile as update_operator
from accounts.people.models import Person
from accounts.people.services import update_profile as update_person
from accounts.principals import Principal
from accounts.sessions.selectors import id_token_of
from accounts.sessions.services import end_session, end_sessions_at_the_issuers_word, end_sessions_of

log = structlog.get_logger(__name__)


@never_cache
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session here, then at the issuer."""
    return leave(request)


def leave(request: HttpRequest, *, everywhere: bool = False) -> HttpResponse:
    """End the session of whoever asks, or all of theirs, and send the browser to end the issuer's."""
    user, id_token = request.user, ""
    if isinstance(user, Principal) and user.session:
        id_token = id_token_of(user.session.id)
        if everywhere:
            end_sessions_of(principal=user)
        else:
            end_session(principal=user, session_id=user.session.id, how="signed_out")
    onward = end_session_url(id_token=id_token)
    auth.logout(request)
    return HttpResponseRedirect(onward)


@csrf_exempt
@never_cache
@require_POST
def backchannel_logout(request: HttpRequest) -> HttpResponse:
    """Take an issuer's word that sessions are over; its logout token is the proof."""
    realm = current_realm()
    try:
        token = verify_logout_token(realm, request.POST.get("logout_token", ""))
    except jwt.PyJWTError as error:
        log.warning("logout_token_refused", error=str(error))
        return JsonResponse({"error": "invalid_request"}, status=400)
    ended = end_sessions_at_the_issuers_word(realm=realm, token=token)
    log.info("backchannel_logout", ended=ended)
    return HttpResponse(status=200)


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
        update_person(person=user, language=language)
    elif isinstance(user, Operator):
        update_operator(operator=user, language=language)
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=365 * 24 * 3600,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response
