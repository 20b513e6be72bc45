"""Errors of the API as problem+json (RFC 9457), with a stable `code`."""

from collections.abc import Mapping
from typing import Any

import structlog
from django.http import Http404, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response

from core.errors import PlexicaError

CONTENT_TYPE = "application/problem+json"
# DRF's own refusals, under codes of ours
CODES = {
    exceptions.NotAuthenticated: "not_authenticated",
    exceptions.AuthenticationFailed: "token_refused",
    exceptions.PermissionDenied: "forbidden",
    exceptions.NotFound: "not_found",
    exceptions.MethodNotAllowed: "method_not_allowed",
    exceptions.NotAcceptable: "not_acceptable",
    exceptions.UnsupportedMediaType: "unsupported_media_type",
    exceptions.ParseError: "malformed",
    exceptions.Throttled: "too_many_requests",
}


def problem(*, code: str, title: object, status: int, detail: object, **facts: object) -> dict[str, Any]:
    """Return the members of a problem document."""
    reference = structlog.contextvars.get_contextvars().get("request_id", "")
    body = {
        "type": f"urn:plexica:problem:{code}",
        "code": code,
        "title": str(title),
        "status": status,
        "detail": str(detail),
    }
    return {**body, "reference": str(reference), **{name: _json(value) for name, value in facts.items()}}


def problem_response(error: PlexicaError) -> JsonResponse:
    """Return one of our errors as a response."""
    return JsonResponse(_of(error), status=error.status, content_type=CONTENT_TYPE)


def _of(error: PlexicaError) -> dict[str, Any]:
    return problem(code=error.code, title=error.title, status=error.status, detail=str(error), **error.facts)


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer errors of API views; what is unknown goes on to Django's handler for 500."""
    if isinstance(error, PlexicaError):
        return Response(_of(error), status=error.status, content_type=CONTENT_TYPE)
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    if isinstance(error, exceptions.ValidationError):
        body = problem(
            code="invalid",
            title="Some values are not right",
            status=422,
            detail="Correct the values that are named.",
            errors=error.detail,
        )
        return Response(body, status=422, content_type=CONTENT_TYPE)
    if isinstance(error, exceptions.APIException):
        code = next((code for kind, code in CODES.items() if isinstance(error, kind)), "error")
        body = problem(code=code, title=error.default_detail, status=error.status_code, detail=error.detail)
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
