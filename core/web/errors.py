"""Makes a page, a notice or problem+json of every error; views never catch."""

import sys
from collections.abc import Callable
from typing import Any

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed
from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy

from core.errors import (
    Forbidden,
    NotFound,
    PlexicaError,
    TenantNotReady,
    TenantSuspended,
    Unavailable,
    UnknownAddress,
)
from core.web.problems import problem_response

log = structlog.get_logger(__name__)
PAGES = {400, 403, 404, 405, 429, 500, 503}
OWN_PAGES: dict[type[PlexicaError], str] = {
    TenantSuspended: "suspended",
    TenantNotReady: "setting_up",
    UnknownAddress: "unknown_address",
}


class BadInput(PlexicaError):
    """The request itself makes no sense."""

    code = "bad_request"
    status = 400
    title = gettext_lazy("The request makes no sense")
    detail = gettext_lazy("Go back, reload the page and try again.")


class NotAllowedHere(PlexicaError):
    """The address exists, but not for this method."""

    code = "method_not_allowed"
    status = 405
    title = gettext_lazy("This cannot be done here")
    detail = gettext_lazy("The address exists, but not for what was asked of it.")


class FormTooOld(Forbidden):
    """The form is older than the session, or comes from elsewhere."""

    code = "csrf_refused"
    title = gettext_lazy("This form is too old")
    detail = gettext_lazy("The page was open for too long. Reload it and send the form again.")


class ErrorMiddleware:
    """Answers refusals that views raise, and those that Django answers without a page.

    What middleware raises never comes here as an exception: Django makes a response of it at each layer.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if "\0" in request.path or "%00" in request.META.get("QUERY_STRING", ""):  # PostgreSQL has no such text
            return error_response(request, BadInput())
        response = self.get_response(request)
        if isinstance(response, HttpResponseNotAllowed) and not response.content:
            answer = error_response(request, NotAllowedHere())
            answer["Allow"] = response["Allow"]
            return answer
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        if isinstance(error, PlexicaError):
            return error_response(request, error)
        return None


def error_response(request: HttpRequest, error: PlexicaError) -> HttpResponse:
    """Return the error as problem+json for the API, as a notice for a fragment, as a page otherwise."""
    if error.status >= 500 and not isinstance(error, TenantNotReady):
        log.error("request_failed", code=error.code, facts=dict(error.facts), exc_info=error)
    if request.path.startswith("/api/"):
        return problem_response(error)
    if "HX-Request" in request.headers:
        context = {"title": error.title, "detail": str(error), "reference": reference()}
        return HttpResponse(render_to_string("components/notice.html", context, request), status=error.status)
    name = next((page for kind, page in OWN_PAGES.items() if isinstance(error, kind)), None)
    return _page(request, name or error.status, error, tenant=_named(error))


def _named(error: PlexicaError) -> dict[str, object] | None:
    name = error.facts.get("name")
    return {"name": name, "slug": error.facts.get("slug"), "initial": str(name)[:1].upper()} if name else None


def _page(request: HttpRequest, page: int | str, error: PlexicaError, **context: Any) -> HttpResponse:
    template = f"errors/{page if isinstance(page, str) or page in PAGES else 'refused'}.html"
    context |= {
        "status": error.status,
        "headline": error.title,
        "detail": str(error),
        "reference": reference(),
        "wait_s": error.facts.get("wait_s"),
        "home_url": settings.PUBLIC_URL if page == "unknown_address" else "/",
        "host": request.META.get("HTTP_HOST", "")[:253],
        "console": getattr(request, "tenant", None) is None and request.path.startswith("/console/"),
    }
    return HttpResponse(_drawn(request, template, context), status=error.status)


def _drawn(request: HttpRequest, template: str, context: dict[str, Any]) -> str:
    try:
        return render_to_string(template, context, request)
    except (OperationalError, InterfaceError):  # who is signed in cannot be read: draw it for anybody
        return render_to_string(template, context)


def reference() -> str:
    """Return the request's id, which stands in every line of the log."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


# Django's own handlers: handler400 ... handler500 of both URL configurations.


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_response(request, BadInput())


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_response(request, Forbidden())


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_response(request, NotFound())


def server_error(request: HttpRequest) -> HttpResponse:
    error = sys.exc_info()[1]
    if isinstance(error, PlexicaError):  # raised by middleware
        return error_response(request, error)
    if isinstance(error, OperationalError | InterfaceError):
        return error_response(request, Unavailable(part="database"))
    return error_response(request, PlexicaError())


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form without the session's token."""
    log.warning("csrf_refused", reason=reason)
    return error_response(request, FormTooOld())
