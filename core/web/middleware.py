"""What every request passes, whoever sends it."""

import re
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import translation
from django.utils.translation import get_language_from_request
from django_structlog.middlewares import RequestMiddleware

_SECRET = re.compile(r"(?<=^/files/)[^/]+|[A-Za-z0-9_-]{40,}")  # a link's token, which may name a file; ids are shorter
Handler = Callable[[HttpRequest], HttpResponseBase]


class RequestLogMiddleware(RequestMiddleware):
    """Binds the request's id to every line of the log; paths are logged without secrets and queries, which may name people."""

    def handle_response(self, request: HttpRequest, response: HttpResponse) -> None:
        response["X-Request-ID"] = structlog.contextvars.get_contextvars().get("request_id", "")
        super().handle_response(request, response)

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        return f"{request.method} {_SECRET.sub('…', request.path)}"


class BrowserLanguageMiddleware:
    """Activates the language that the visitor chose or the browser asks for, until somebody better known says another."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with translation.override(get_language_from_request(request)):
            return self.get_response(request)
