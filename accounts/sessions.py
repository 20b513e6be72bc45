"""Sessions of pages and of the built-in issuer, kept apart, and who the current one belongs to.

Both live at one host. With one cookie, the issuer's sign-in form would be a platform sign-in already, before any code
was exchanged. So the issuer has a cookie of its own below /op/, and an issuer's session counts nowhere else.
"""

from typing import Any

from django.conf import settings
from django.contrib import auth
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin
from django.utils.functional import SimpleLazyObject

from accounts.identity.models import Account

ISSUER_PATH = "/op/"


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
    """Gives `request.user`: an account at the issuer's paths, elsewhere a person or an operator; else nobody."""

    def process_request(self, request: HttpRequest) -> None:
        request.user = SimpleLazyObject(lambda: _principal(request))  # type: ignore[assignment]

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """What somebody saw while signed in stays in no cache, so that nobody sees it after they signed out."""
        seen = getattr(request, "_principal", None)
        if seen is not None and seen.is_authenticated and "Cache-Control" not in response.headers:
            response.headers["Cache-Control"] = "private, no-store"
        return response


def _principal(request: HttpRequest) -> Any:
    if not hasattr(request, "_principal"):
        user = auth.get_user(request)
        belongs = isinstance(user, Account) == is_issuer_path(request)
        request._principal = user if user.is_authenticated and belongs else AnonymousUser()  # type: ignore[attr-defined]
    return request._principal  # type: ignore[attr-defined]
