"""What operators' calls of the API have in common: who asks, and operations that they begin."""

from collections.abc import Callable
from typing import Any, cast

from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.operators.models import Operator
from core.actors import Actor
from core.web.calls import expected_version, read_body
from superadmin.api.serializers import OperationSerializer
from tenants.models import Operation
from tenants.selectors import get_operation

LOCATION = OpenApiParameter(
    "Location", OpenApiTypes.URI, OpenApiParameter.HEADER, response=[202], description="The operation"
)


def actor_of(request: Request) -> Actor:
    """Return the operator who asks, as services take them."""
    return cast(Operator, request.user).actor


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
