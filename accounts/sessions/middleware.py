"""Sessions of pages and of the built-in issuer, kept apart, and who the current one belongs to.

Both live at one host. With one cookie, the issuer's sign-in form would be a platform sign-in already, before any code
was exchanged. So the issuer has a cookie of its own below /op/, and an issuer's session counts nowhere else.
"""

from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import auth
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin
from django.utils.functional import SimpleLazyObject

from accounts.access import may
from accounts.identity.models import Account
from accounts.identity.two_factor_rule import two_factor_required
from accounts.principals import Principal
from accounts.sessions.models import SESSION_ID
from accounts.sessions.refreshing import keep_fresh
from accounts.sessions.selectors import find_signed_in
from accounts.sessions.services import note_seen
from core.web.addresses import ip_of

ISSUER_PATH = "/op/"
CLAIMS = "claims"  # in the issuer's session: what its ID tokens say of it


def is_issuer_path(request: HttpRequest) -> bool:
    """Say whether the request is for the built-in issuer."""
    return request.path.startswith(ISSUER_PATH)


class RealmSessionMiddleware(SessionMiddleware):
    """Django's sessions, under another cookie at the issuer's paths."""

    def process_request(self, request: HttpRequest) -> None:
        if is_issuer_path(request):
            request.session = self.SessionStore(request.COOKIES.get(settings.ISSUER_COOKIE_NAME))
        else:
            super().process_request(request)

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if not is_issuer_path(request):
            return super().process_response(request, response)
        # let Django decide what to do about the cookie, under its own name, then give it the issuer's name and path
        cookies = dict(request.COOKIES)
        request.COOKIES = {name: value for name, value in cookies.items() if name != settings.SESSION_COOKIE_NAME}
        if settings.ISSUER_COOKIE_NAME in cookies:
            request.COOKIES[settings.SESSION_COOKIE_NAME] = cookies[settings.ISSUER_COOKIE_NAME]
        response = super().process_response(request, response)
        request.COOKIES = cookies
        if morsel := response.cookies.pop(settings.SESSION_COOKIE_NAME, None):
            attributes: dict[str, Any] = {**morsel, "path": ISSUER_PATH}
            response.cookies[settings.ISSUER_COOKIE_NAME] = morsel.value
            for name, value in attributes.items():
                response.cookies[settings.ISSUER_COOKIE_NAME][name] = value
        return response


class PrincipalMiddleware(MiddlewareMixin):
    """Gives `request.user`: an account at the issuer's paths, elsewhere a person or an operator; else nobody.

    And `request.can("team.invite", thing)`: whether they may do that, to this thing if one is named.
    """

    def process_request(self, request: HttpRequest) -> None:
        request.user = SimpleLazyObject(lambda: _principal(request))  # type: ignore[assignment]
        request.can = partial(may, request)  # type: ignore[attr-defined]
        # at once, as the language needs it in any case; the proxy, which costs at each look, stays if this fails
        request.user = _principal(request)

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """What somebody saw while signed in stays in no cache, so that nobody sees it after they signed out."""
        seen = getattr(request, "_principal", None)
        if seen is not None and seen.is_authenticated and "Cache-Control" not in response.headers:
            response.headers["Cache-Control"] = "private, no-store"
        return response


def session_id_of(request: HttpRequest) -> UUID | None:
    """Return the id of the browser session that a request's cookie leads to; its row may be gone."""
    said = request.session.get(SESSION_ID)
    return UUID(said) if said else None


def _principal(request: HttpRequest) -> Any:
    if not hasattr(request, "_principal"):
        found = _account(request) if is_issuer_path(request) else _signed_in(request)
        request._principal = found or AnonymousUser()  # type: ignore[attr-defined]
    return request._principal  # type: ignore[attr-defined]


def _account(request: HttpRequest) -> Account | None:
    user = auth.get_user(request)
    if not isinstance(user, Account):
        return None
    user.session_claims = dict(request.session.get(CLAIMS, {}))
    if "mfa" not in user.session_claims.get("amr", []) and two_factor_required():
        return None  # it began before everybody had to have a second factor
    return user


def _signed_in(request: HttpRequest) -> Principal | None:
    session_id = session_id_of(request)
    principal = find_signed_in(session_id) if session_id else None
    if principal is None or not keep_fresh(principal):
        return None
    note_seen(principal, address=ip_of(request))
    return principal
