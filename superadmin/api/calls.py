"""What calls of the API have in common: who asks, which version they saw, and whether they asked before."""

import json
from collections.abc import Callable, Mapping
from typing import Any, cast

from django.urls import reverse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.operators.models import Operator
from core.actors import Actor
from core.errors import Invalid
from core.idempotency.services import MAX_KEY, IdempotentCall
from superadmin.api.serializers import OperationSerializer
from tenants.models import Operation
from tenants.selectors import get_operation

IF_MATCH = OpenApiParameter(
    "If-Match", OpenApiTypes.STR, OpenApiParameter.HEADER, description="The `version` that you saw; another one: 412"
)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="Repeating the call with the same key is harmless",
)
LOCATION = OpenApiParameter(
    "Location", OpenApiTypes.URI, OpenApiParameter.HEADER, response=[202], description="The operation"
)


def actor_of(request: Request) -> Actor:
    """Return the operator who asks, as services take them."""
    return cast(Operator, request.user).actor


def read_body(serializer_class: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """Return the body's values. A field that does not exist is refused, not left aside. Raises Invalid."""
    body = request.data if isinstance(request.data, Mapping) else {}
    unknown = sorted(set(body) - set(serializer_class().fields))
    serializer = serializer_class(data=request.data)
    serializer.is_valid(raise_exception=not unknown)
    if unknown:
        errors = {name: [str(text) for text in texts] for name, texts in serializer.errors.items()}
        raise Invalid(errors | {name: [_("There is no such field here.")] for name in unknown})
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
    if not version.isdecimal():
        raise Invalid({"If-Match": [_("Give the version, a whole number.")]})
    return int(version)


def idempotent_call(request: Request) -> IdempotentCall | None:
    """Return what tells a repetition from another call, or None without a key."""
    key = request.headers.get("Idempotency-Key", "")
    if not key:
        return None
    if len(key) > MAX_KEY:
        raise Invalid({"Idempotency-Key": [_("Use at most %(count)d characters.") % {"count": MAX_KEY}]})
    body = json.dumps(request.data, sort_keys=True).encode()
    return IdempotentCall.of(
        principal=f"operator:{request.user.pk}", method=str(request.method), path=request.path, key=key, body=body
    )


def begin(
    request: Request, service: Callable[..., Operation], body: type[serializers.Serializer[Any]], **which: Any
) -> Response:
    """Have a service begin an operation, or go on with one, and answer 202 with it and where it can be followed."""
    operation = service(
        actor=actor_of(request), expected_version=expected_version(request), **which, **read_body(body, request)
    )
    return accepted(request, operation)


def accepted(request: Request, operation: Operation) -> Response:
    """Answer 202 with the operation, and where it can be followed."""
    location = request.build_absolute_uri(reverse("api_operation", args=[operation.pk]))
    body = OperationSerializer(get_operation(operation.pk)).data
    return Response(body, status=status.HTTP_202_ACCEPTED, headers={"Location": location})
