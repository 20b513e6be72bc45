"""What calls of the API have in common: the version that somebody saw, a body without unknown fields, a choice, a key."""

import json
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request

from core.errors import Invalid
from core.idempotency.services import MAX_KEY, IdempotentCall
from core.web.problems import by_field

MAX_DIGITS = 18  # of a version
IF_MATCH = OpenApiParameter(
    "If-Match", OpenApiTypes.STR, OpenApiParameter.HEADER, description="The `version` that you saw; another one: 412"
)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="Repeating the call with the same key is harmless",
)


def read_body(serializer_class: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """Return the body's values. A field that does not exist is refused, not left aside. Raises Invalid."""
    body = request.data if isinstance(request.data, Mapping) else {}
    unknown = sorted(set(body) - set(serializer_class().fields))
    serializer = serializer_class(data=request.data)
    serializer.is_valid(raise_exception=not unknown)
    if unknown:
        raise Invalid(by_field(serializer.errors) | {name: [_("There is no such field here.")] for name in unknown})
    return dict(serializer.validated_data)


def read_choice(request: Request, name: str, choices: list[str]) -> str:
    """Return a parameter of the address, empty without one. Raises Invalid for none of the choices."""
    value = str(request.query_params.get(name, ""))
    if value and value not in choices:
        raise Invalid({name: [_("Use one of: %(choices)s.") % {"choices": ", ".join(choices)}]})
    return value


def expected_version(request: Request) -> int | None:
    """Return the version that If-Match names, as 9, "9" or W/"9"; None without one or for any."""
    match = request.headers.get("If-Match", "*").strip()
    if match == "*":
        return None
    version = match.removeprefix("W/").strip('"')
    if not version.isdecimal() or len(version) > MAX_DIGITS:
        raise Invalid({"If-Match": [_("Give the version, a whole number.")]})
    return int(version)


def idempotent_call(request: Request) -> IdempotentCall | None:
    """Return what tells a repetition from another call, or None without a key. Raises Invalid."""
    key = request.headers.get("Idempotency-Key", "")
    if not key:
        return None
    if len(key) > MAX_KEY:
        raise Invalid({"Idempotency-Key": [_("Use at most %(count)d characters.") % {"count": MAX_KEY}]})
    caller: Any = request.user
    body = json.dumps(request.data, sort_keys=True).encode()
    return IdempotentCall.of(
        principal=f"{caller.actor.kind}:{caller.pk}", method=str(request.method), path=request.path, key=key, body=body
    )
