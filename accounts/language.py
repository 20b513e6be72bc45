"""Which language and time zone a page speaks: the person's, else the tenant's, else the browser's."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone, translation

from accounts.principals import Principal
from core.tenancy import current
from tenants.preferences.selectors import get_preferences


class LanguageMiddleware:
    """Activates language and time zone for the request; `BrowserLanguageMiddleware` has set the browser's before."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        preferences = get_preferences() if current() else None
        request.preferences = preferences  # type: ignore[attr-defined]
        chosen: list[tuple[str, str]] = []
        user: object = request.user
        if isinstance(user, Principal):
            chosen.append((user.language, user.time_zone))
        if preferences:
            chosen.append((preferences.language, preferences.time_zone))
        zone = next((zone for _, zone in chosen if zone), "UTC")
        if language := next((language for language, _ in chosen if language), ""):
            translation.activate(language)
        with timezone.override(ZoneInfo(zone)):
            response = self.get_response(request)
        response.headers.setdefault("Content-Language", translation.get_language())
        return response
