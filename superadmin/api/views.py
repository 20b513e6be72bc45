import json
from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import generics, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.operators.models import Operator
from core.errors import Invalid
from core.idempotency.services import MAX_KEY, IdempotentCall
from superadmin.api.serializers import (
    OperationSerializer,
    OperatorSerializer,
    ReasonSerializer,
    TenantRequestSerializer,
    TenantSerializer,
)
from tenants.models import Tenant
from tenants.selectors import get_operation, get_tenant, list_tenants
from tenants.services.lifecycle import reactivate_tenant, suspend_tenant
from tenants.services.provisioning import request_tenant


class TenantCollection(generics.ListAPIView[Tenant]):
    """List tenants, or ask for one."""

    serializer_class = TenantSerializer
    queryset = Tenant.objects.none()

    def get_queryset(self) -> Any:
        return list_tenants(
            query=self.request.query_params.get("q", ""), status=self.request.query_params.get("status", "")
        )

    @extend_schema(
        operation_id="tenants_list",
        parameters=[
            OpenApiParameter("q", OpenApiTypes.STR, description="Looks into slug, name and the first admin's address"),
            OpenApiParameter("status", OpenApiTypes.STR, enum=Tenant.Status.values),
        ],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="tenants_create",
        request=TenantRequestSerializer,
        responses={
            202: OpenApiResponse(OperationSerializer, description="Being set up; follow the operation at `Location`")
        },
        parameters=[
            OpenApiParameter(
                "Idempotency-Key",
                OpenApiTypes.STR,
                OpenApiParameter.HEADER,
                description="Repeating the call with the same key is harmless",
            ),
            OpenApiParameter(
                "Location", OpenApiTypes.URI, OpenApiParameter.HEADER, response=[202], description="The operation"
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        serializer = TenantRequestSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        operation = request_tenant(
            actor=cast(Operator, request.user).actor, call=_idempotent_call(request), **serializer.validated_data
        )
        operation = get_operation(operation.pk)
        location = request.build_absolute_uri(reverse("api_operation", args=[operation.pk]))
        return Response(
            OperationSerializer(operation).data, status=status.HTTP_202_ACCEPTED, headers={"Location": location}
        )


def _idempotent_call(request: Request) -> IdempotentCall | None:
    key = request.headers.get("Idempotency-Key", "")
    if not key:
        return None
    if len(key) > MAX_KEY:
        raise Invalid({"Idempotency-Key": [_("Use at most %(count)d characters.") % {"count": MAX_KEY}]})
    body = json.dumps(request.data, sort_keys=True).encode()
    return IdempotentCall.of(
        principal=f"operator:{request.user.pk}", method="POST", path=request.path, key=key, body=body
    )


class TenantItem(APIView):
    """Read one tenant."""

    @extend_schema(operation_id="tenants_read", responses=TenantSerializer)
    def get(self, request: Request, slug: str) -> Response:
        return Response(TenantSerializer(get_tenant(slug)).data)


IF_MATCH = OpenApiParameter(
    "If-Match", OpenApiTypes.STR, OpenApiParameter.HEADER, description="The tenant's `version`; another one: 412"
)


class TenantSuspension(APIView):
    """Stop a tenant everywhere at once; its data stays."""

    @extend_schema(
        operation_id="tenants_suspend", request=ReasonSerializer, responses=TenantSerializer, parameters=[IF_MATCH]
    )
    def post(self, request: Request, slug: str) -> Response:
        return _change_state(request, slug, suspend_tenant)


class TenantReactivation(APIView):
    """Let a suspended tenant work again."""

    @extend_schema(
        operation_id="tenants_reactivate", request=ReasonSerializer, responses=TenantSerializer, parameters=[IF_MATCH]
    )
    def post(self, request: Request, slug: str) -> Response:
        return _change_state(request, slug, reactivate_tenant)


def _change_state(request: Request, slug: str, change: Callable[..., Tenant]) -> Response:
    serializer = ReasonSerializer(data=request.data)
    serializer.is_valid(raise_exception=True)
    tenant = change(
        tenant_id=get_tenant(slug).pk,
        actor=cast(Operator, request.user).actor,
        expected_version=_expected_version(request),
        **serializer.validated_data,
    )
    return Response(TenantSerializer(tenant).data)


def _expected_version(request: Request) -> int | None:
    """Return the version that If-Match names, as 9, "9" or W/"9"; None without one or for any."""
    match = request.headers.get("If-Match", "*").strip()
    if match == "*":
        return None
    version = match.removeprefix("W/").strip('"')
    if not version.isdecimal():
        raise Invalid({"If-Match": [_("Give the tenant’s version, a whole number.")]})
    return int(version)


class OperationItem(APIView):
    """Follow a piece of work."""

    @extend_schema(operation_id="operations_read", responses=OperationSerializer)
    def get(self, request: Request, operation_id: UUID) -> Response:
        return Response(OperationSerializer(get_operation(operation_id)).data)


class Me(APIView):
    """Who the token or session belongs to."""

    @extend_schema(operation_id="me_read", responses=OperatorSerializer)
    def get(self, request: Request) -> Response:
        return Response(OperatorSerializer(cast(Operator, request.user)).data)
