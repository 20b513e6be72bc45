from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.web.calls import IF_MATCH, read_choice
from superadmin.api.calls import LOCATION, begin
from superadmin.api.serializers import OperationSerializer, OptionalReasonSerializer, RetrySerializer
from tenants.models import Operation
from tenants.selectors import get_operation, get_tenant, list_operations
from tenants.services.answers import give_up_operation, retry_operation


class OperationCollection(generics.ListAPIView[Operation]):
    """What is done to all tenants; what is under way or stuck stands first."""

    serializer_class = OperationSerializer
    queryset = Operation.objects.none()

    def get_queryset(self) -> Any:
        slug = self.request.query_params.get("tenant", "")
        operations = list_operations(
            tenant=get_tenant(slug) if slug else None,
            kind=read_choice(self.request, "kind", Operation.Kind.values),
            status=read_choice(self.request, "status", Operation.Status.values),
        )
        return operations.prefetch_related("steps")

    @extend_schema(
        operation_id="operations_list",
        parameters=[
            OpenApiParameter("kind", OpenApiTypes.STR, enum=Operation.Kind.values),
            OpenApiParameter("status", OpenApiTypes.STR, enum=Operation.Status.values),
            OpenApiParameter("tenant", OpenApiTypes.STR, description="A tenant's slug or id"),
        ],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class OperationItem(APIView):
    """Follow a piece of work."""

    @extend_schema(operation_id="operations_read", responses=OperationSerializer)
    def get(self, request: Request, operation_id: UUID) -> Response:
        return Response(OperationSerializer(get_operation(operation_id)).data)


class OperationRetry(APIView):
    """Let a stuck operation go on; one that found leftovers can adopt or clean them."""

    @extend_schema(
        operation_id="operations_retry",
        request=RetrySerializer,
        responses={202: OpenApiResponse(OperationSerializer, description="Goes on; follow it at `Location`")},
        parameters=[IF_MATCH, LOCATION],
    )
    def post(self, request: Request, operation_id: UUID) -> Response:
        return begin(request, retry_operation, RetrySerializer, operation_id=operation_id)


class OperationGivingUp(APIView):
    """Let a stuck operation undo what it made."""

    @extend_schema(
        operation_id="operations_give_up",
        request=OptionalReasonSerializer,
        responses={202: OpenApiResponse(OperationSerializer, description="Is undone; follow it at `Location`")},
        parameters=[IF_MATCH, LOCATION],
    )
    def post(self, request: Request, operation_id: UUID) -> Response:
        return begin(request, give_up_operation, OptionalReasonSerializer, operation_id=operation_id)
