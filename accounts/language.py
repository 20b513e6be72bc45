"""Which language and time zone a page speaks: the person's, else the tenant's, else the browser's.

Who is not signed in says it with the language switch, which a cookie keeps: that counts as the person's choice.
"""

import json
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone, translation

from accounts.people.models import Person
from accounts.principals import Principal
from core.tenancy import current
from tenants.preferences.models import Preferences
from tenants.preferences.selectors import get_preferences


class LanguageMiddleware:
    """Activates language and time zone for the request; `BrowserLanguageMiddleware` has set the browser's before."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        user: object = request.user
        preferences = _preferences(user) if current() else None
        request.preferences = preferences  # type: ignore[attr-defined]
        chosen: list[tuple[str, str]] = []
        if isinstance(user, Principal):
            chosen.append((user.language, user.time_zone))
        else:
            chosen.append((_switched_to(request), ""))
        if preferences:
            chosen.append((preferences.language, preferences.time_zone))
        zone = next((zone for _, zone in chosen if zone), "UTC")
        if language := next((language for language, _ in chosen if language), ""):
            translation.activate(language)
        with timezone.override(ZoneInfo(zone)):
            response = self.get_response(request)
        response.headers.setdefault("Content-Language", translation.get_language())
        return response


def _preferences(user: object) -> Preferences:
    read_along = user.preferences_json if isinstance(user, Person) else None
    return _from_row(json.loads(read_along)) if read_along else get_preferences()


def _from_row(row: dict[str, Any]) -> Preferences:
    """Leave columns aside that a newer release has added already: `migrate_fleet` runs while this code serves."""
    known = {column.attname for column in Preferences._meta.concrete_fields}
    return Preferences(**{name: value for name, value in row.items() if name in known})


def _switched_to(request: HttpRequest) -> str:
    language = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
    return language if language in dict(settings.LANGUAGES) else ""
