"""Errors of the API as problem+json (RFC 9457), with a stable `code`."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import structlog
from django.http import Http404, JsonResponse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop
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
        "unsupported_media_type", _("The body has an unknown format"), _("Send %(accepted)s.")
    ),
    exceptions.ParseError: Refusal("malformed", _("The body cannot be read")),  # the parser's own words tell where
    exceptions.Throttled: Refusal(
        "too_many_requests",
        _("Too many requests"),
        _("More came from you than we take at once. Wait a minute and go on."),
    ),
}
# the library says these, and its Italian catalogue has none of them
NOT_TRANSLATED_THERE: Final = (
    gettext_noop("Datetime value out of range."),
    gettext_noop("Ensure this field has at least {min_length} elements."),
    gettext_noop("Ensure this field has no more than {max_length} elements."),
    gettext_noop("Must be a valid boolean."),
    gettext_noop("Must be a valid UUID."),
    gettext_noop("Not a valid string."),
    gettext_noop("Surrogate characters are not allowed: U+{code_point:X}."),
)
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
            facts={"errors": by_field(error.detail)},
        )
        return Response(body, status=Invalid.status, content_type=CONTENT_TYPE)
    if isinstance(error, exceptions.APIException):
        refusal = next((known for kind, known in REFUSALS.items() if isinstance(error, kind)), UNKNOWN)
        facts = {"method": context["request"].method, "accepted": _accepted(context["view"])}
        detail = str(refusal.detail) % facts if refusal.detail else error.detail
        body = problem(code=refusal.code, title=refusal.title, status=error.status_code, detail=detail)
        challenge = getattr(error, "auth_header", None)
        headers = {"WWW-Authenticate": challenge} if challenge else {}
        return Response(body, status=error.status_code, content_type=CONTENT_TYPE, headers=headers)
    return None


def _accepted(view: Any) -> str:
    return ", ".join(str(getattr(parser, "accepted", parser.media_type)) for parser in view.parser_classes)


def by_field(detail: Any, path: str = "") -> dict[str, list[str]]:
    """Return the serializer's sentences by field: what is wrong inside of one as `permissions.2`."""
    if isinstance(detail, Mapping):
        found: dict[str, list[str]] = {}
        for name, inner in detail.items():
            found |= by_field(inner, f"{path}.{name}" if path else str(name))
        return found
    if any(isinstance(inner, Mapping) for inner in detail):
        return by_field({str(index): inner for index, inner in enumerate(detail) if inner}, path)
    return {path or "non_field_errors": [str(text) for text in detail]}


def _json(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    return value if isinstance(value, int | float | None) else str(value)
