"""What every request passes, whoever sends it."""

import re
from collections.abc import Callable
from functools import cache

import structlog
from csp.constants import HEADER
from csp.middleware import CSPMiddleware
from csp.utils import build_policy
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponsePermanentRedirect
from django.middleware.common import CommonMiddleware
from django.middleware.gzip import GZipMiddleware
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


class CompressionMiddleware(GZipMiddleware):
    """Compresses answers, padded at random against BREACH; archives stay the bytes that their length and digest name."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if response.headers.get("Content-Type") == "application/gzip":
            return response
        return super().process_response(request, response)


class SameRequestRedirect(HttpResponsePermanentRedirect):
    """308: whoever follows it sends the same method and body again."""

    def __init__(self, redirect_to: str) -> None:
        super().__init__(redirect_to, preserve_request=True)


class AddressMiddleware(CommonMiddleware):
    """Leads to the address with the slash at its end. After a 301 a POST would come there as a GET, and be answered."""

    response_redirect_class = SameRequestRedirect


class PolicyMiddleware(CSPMiddleware):
    """Sends the Content-Security-Policy. Where a view says nothing of its own it is always the same text, made once."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if any(name.startswith("_csp") for name in vars(response)):  # the decorators of django-csp
            return super().process_response(request, response)
        response.headers.setdefault(HEADER, _usual_policy())
        return response


@cache
def _usual_policy() -> str:
    return build_policy()


class BrowserLanguageMiddleware:
    """Activates the language that the visitor chose or the browser asks for, until somebody better known says another."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with translation.override(get_language_from_request(request)):
            return self.get_response(request)
