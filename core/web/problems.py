"""Errors of the API as problem+json (RFC 9457), with a stable `code`."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import structlog
from django.http import Http404, JsonResponse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions
from rest_framework.response import Response

from core.errors import Forbidden, Invalid, NotFound, PlexicaError

CONTENT_TYPE = "application/problem+json"


class Refusal(NamedTuple):
    """One of DRF's own refusals in our words; without a detail, DRF's is shown."""

    code: str
    title: str | Promise
    detail: str | Promise = ""


REFUSALS: dict[type[exceptions.APIException], Refusal] = {
    exceptions.NotAuthenticated: Refusal(
        "not_authenticated", _("Nobody is signed in"), _("Send an access token, or sign in with the browser.")
    ),
    exceptions.AuthenticationFailed: Refusal("token_refused", _("The access token was refused")),
    exceptions.PermissionDenied: Refusal(
        "forbidden", Forbidden.title, _("Your roles do not allow it, or the CSRF token is missing or old.")
    ),
    exceptions.NotFound: Refusal("not_found", NotFound.title, NotFound.detail),
    exceptions.MethodNotAllowed: Refusal(
        "method_not_allowed", _("This cannot be done here"), _("This address does not take %(method)s.")
    ),
    exceptions.NotAcceptable: Refusal(
        "not_acceptable", _("No answer in this format"), _("Ask for application/json in the Accept header.")
    ),
    exceptions.UnsupportedMediaType: Refusal(
        "unsupported_media_type", _("The body has an unknown format"), _("Send application/json.")
    ),
    exceptions.ParseError: Refusal("malformed", _("The body cannot be read")),  # the parser's own words tell where
    exceptions.Throttled: Refusal(
        "too_many_requests",
        _("Too many requests"),
        _("More came from you than we take at once. Wait a minute and go on."),
    ),
}
UNKNOWN = Refusal(PlexicaError.code, PlexicaError.title)


def problem(
    *, code: str, title: object, status: int, detail: object, facts: Mapping[str, object] | None = None
) -> dict[str, Any]:
    """Return the members of a problem document; a fact that has the name of one of them stands in `detail` alone."""
    reference = structlog.contextvars.get_contextvars().get("request_id", "")
    body = {
        "type": f"urn:plexica:problem:{code}",
        "code": code,
        "title": str(title),
        "status": status,
        "detail": str(detail),
        "reference": str(reference),
    }
    return body | {name: _json(value) for name, value in (facts or {}).items() if name not in body}


def problem_response(error: PlexicaError) -> JsonResponse:
    """Return one of our errors as a response."""
    return JsonResponse(_of(error), status=error.status, content_type=CONTENT_TYPE)


def _of(error: PlexicaError) -> dict[str, Any]:
    return problem(code=error.code, title=error.title, status=error.status, detail=str(error), facts=error.facts)


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer errors of API views; what is unknown goes on to Django's handler for 500."""
    if isinstance(error, PlexicaError):
        return Response(_of(error), status=error.status, content_type=CONTENT_TYPE)
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    if isinstance(error, exceptions.ValidationError):
        body = problem(
            code=Invalid.code,
            title=Invalid.title,
            status=Invalid.status,
            detail=Invalid.detail,
            facts={"errors": error.detail},
        )
        return Response(body, status=Invalid.status, content_type=CONTENT_TYPE)
    if isinstance(error, exceptions.APIException):
        refusal = next((known for kind, known in REFUSALS.items() if isinstance(error, kind)), UNKNOWN)
        detail = str(refusal.detail) % {"method": context["request"].method} if refusal.detail else error.detail
        body = problem(code=refusal.code, title=refusal.title, status=error.status_code, detail=detail)
        challenge = getattr(error, "auth_header", None)
        headers = {"WWW-Authenticate": challenge} if challenge else {}
        return Response(body, status=error.status_code, content_type=CONTENT_TYPE, headers=headers)
    return None


def _json(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    return value if isinstance(value, int | float | None) else str(value)
