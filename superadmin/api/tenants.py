from collections.abc import Callable
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.audit.models import AuditEntry
from core.audit.selectors import list_entries
from core.web.calls import IDEMPOTENCY_KEY, IF_MATCH, expected_version, idempotent_call, read_body, read_choice
from superadmin.api.calls import LOCATION, accepted, actor_of, begin
from superadmin.api.serializers import (
    AuditEntrySerializer,
    DeletionSerializer,
    OperationSerializer,
    OptionalReasonSerializer,
    ReasonSerializer,
    TenantChangeSerializer,
    TenantRequestSerializer,
    TenantSerializer,
    TypedSlugSerializer,
)
from tenants.models import Operation, Tenant
from tenants.selectors import get_tenant, list_operations, list_tenants
from tenants.services.deletion import delete_now, request_deletion, undo_deletion
from tenants.services.lifecycle import reactivate_tenant, suspend_tenant
from tenants.services.provisioning import request_tenant
from tenants.services.renaming import rename_tenant

ORDERINGS = ["name", "-name", "slug", "-slug", "created_at", "-created_at"]


class TenantCollection(generics.ListAPIView[Tenant]):
    """List tenants, or ask for one."""

    serializer_class = TenantSerializer
    queryset = Tenant.objects.none()

    def get_queryset(self) -> Any:
        query = self.request.query_params.get("q", "")
        tenants = list_tenants(query=query, status=read_choice(self.request, "status", Tenant.Status.values))
        ordering = read_choice(self.request, "ordering", ORDERINGS)
        return tenants.order_by(ordering, "id") if ordering else tenants

    @extend_schema(
        operation_id="tenants_list",
        parameters=[
            OpenApiParameter("q", OpenApiTypes.STR, description="Looks into slug, name and the first admin's address"),
            OpenApiParameter("status", OpenApiTypes.STR, enum=Tenant.Status.values),
            OpenApiParameter("ordering", OpenApiTypes.STR, enum=ORDERINGS, description="Newest first without it"),
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
        parameters=[IDEMPOTENCY_KEY, LOCATION],
    )
    def post(self, request: Request) -> Response:
        said = read_body(TenantRequestSerializer, request)
        return accepted(request, request_tenant(actor=actor_of(request), call=idempotent_call(request), **said))


class TenantItem(APIView):
    """Read, change or delete one tenant."""

    @extend_schema(operation_id="tenants_read", responses=TenantSerializer)
    def get(self, request: Request, slug: str) -> Response:
        return Response(TenantSerializer(get_tenant(slug)).data)

    @extend_schema(
        operation_id="tenants_update",
        request=TenantChangeSerializer,
        responses=TenantSerializer,
        parameters=[IF_MATCH],
    )
    def patch(self, request: Request, slug: str) -> Response:
        return _change(request, slug, rename_tenant, TenantChangeSerializer)

    @extend_schema(
        operation_id="tenants_delete",
        request=DeletionSerializer,
        responses={
            202: OpenApiResponse(
                OperationSerializer, description="Stopped at once; deleted when the operation at `Location` is due"
            )
        },
        parameters=[IDEMPOTENCY_KEY, IF_MATCH, LOCATION],
    )
    def delete(self, request: Request, slug: str) -> Response:
        which = {"tenant_id": get_tenant(slug).pk, "call": idempotent_call(request)}
        return begin(request, request_deletion, DeletionSerializer, **which)


class TenantSuspension(APIView):
    """Stop a tenant everywhere at once; its data stays."""

    @extend_schema(
        operation_id="tenants_suspend", request=ReasonSerializer, responses=TenantSerializer, parameters=[IF_MATCH]
    )
    def post(self, request: Request, slug: str) -> Response:
        return _change(request, slug, suspend_tenant, ReasonSerializer)


class TenantReactivation(APIView):
    """Let a suspended tenant work again."""

    @extend_schema(
        operation_id="tenants_reactivate", request=ReasonSerializer, responses=TenantSerializer, parameters=[IF_MATCH]
    )
    def post(self, request: Request, slug: str) -> Response:
        return _change(request, slug, reactivate_tenant, ReasonSerializer)


class TenantDeletionUndo(APIView):
    """Call off a deletion that has not begun."""

    @extend_schema(
        operation_id="tenants_undo_deletion",
        request=OptionalReasonSerializer,
        responses=TenantSerializer,
        parameters=[IF_MATCH],
    )
    def post(self, request: Request, slug: str) -> Response:
        return _change(request, slug, undo_deletion, OptionalReasonSerializer)


class TenantDeletionNow(APIView):
    """Let a deletion that waits for its grace period begin at once."""

    @extend_schema(
        operation_id="tenants_delete_now",
        request=TypedSlugSerializer,
        responses={202: OpenApiResponse(OperationSerializer, description="Begins now; follow it at `Location`")},
        parameters=[IF_MATCH, LOCATION],
    )
    def post(self, request: Request, slug: str) -> Response:
        return begin(request, delete_now, TypedSlugSerializer, tenant_id=get_tenant(slug).pk)


def _change(request: Request, slug: str, change: Callable[..., Tenant], body: Any) -> Response:
    """Carry out a service that answers the tenant."""
    tenant = change(
        tenant_id=get_tenant(slug).pk,
        actor=actor_of(request),
        expected_version=expected_version(request),
        **read_body(body, request),
    )
    return Response(TenantSerializer(tenant).data)


class TenantOperations(generics.ListAPIView[Operation]):
    """What was and is done to a tenant, with the steps; what is under way stands first."""

    serializer_class = OperationSerializer
    queryset = Operation.objects.none()

    def get_queryset(self) -> Any:
        return list_operations(tenant=get_tenant(self.kwargs["slug"])).prefetch_related("steps")

    @extend_schema(operation_id="tenants_operations")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class TenantAudit(generics.ListAPIView[AuditEntry]):
    """Who did what to a tenant, when and why; newest first."""

    serializer_class = AuditEntrySerializer
    queryset = AuditEntry.objects.none()

    def get_queryset(self) -> Any:
        params = self.request.query_params
        return list_entries(
            target_label="tenants.tenant",
            target_id=get_tenant(self.kwargs["slug"]).pk,
            action=params.get("action", ""),
            query=params.get("q", ""),
        )

    @extend_schema(
        operation_id="tenants_audit",
        parameters=[
            OpenApiParameter("action", OpenApiTypes.STR, description="`tenant.suspended` for instance"),
            OpenApiParameter("q", OpenApiTypes.STR, description="Looks into who did it, and why"),
        ],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)
