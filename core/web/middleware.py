"""What every request passes, whoever sends it."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase
from django.utils import translation
from django.utils.translation import get_language_from_request

Handler = Callable[[HttpRequest], HttpResponseBase]


class BrowserLanguageMiddleware:
    """Activates the language that the visitor chose or the browser asks for, until somebody better known says another."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with translation.override(get_language_from_request(request)):
            return self.get_response(request)
