from typing import Any
from uuid import UUID

from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import generics
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.permissions import SUPER_ADMIN
from archives.models import Archive
from archives.selectors import get_export, list_exports
from archives.services.exports import request_export
from archives.services.imports import request_clone
from core.web.calls import IDEMPOTENCY_KEY, IF_MATCH, idempotent_call
from superadmin.api.calls import LOCATION, actor_of, begin
from superadmin.api.serializers import (
    CloneRequestSerializer,
    ExportRequestSerializer,
    ExportSerializer,
    OperationSerializer,
)
from superadmin.downloads import CONTENT_TYPE, send_export
from tenants.selectors import get_tenant


class TenantExports(generics.ListAPIView[Archive]):
    """A tenant's exports that can be taken now, or ask for one. Those of a deleted tenant stay until their time is over."""

    serializer_class = ExportSerializer
    queryset = Archive.objects.none()

    def get_queryset(self) -> Any:
        return list_exports(get_tenant(self.kwargs["slug"]).pk)

    @extend_schema(operation_id="tenants_exports")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="tenants_export",
        request=ExportRequestSerializer,
        responses={202: OpenApiResponse(OperationSerializer, description="Being written; follow it at `Location`")},
        parameters=[IDEMPOTENCY_KEY, IF_MATCH, LOCATION],
    )
    def post(self, request: Request, slug: str) -> Response:
        return begin(
            request,
            request_export,
            ExportRequestSerializer,
            tenant_id=get_tenant(slug).pk,
            call=idempotent_call(request),
        )


class TenantClone(APIView):
    """Make a copy of a tenant under a new slug."""

    @extend_schema(
        operation_id="tenants_clone",
        request=CloneRequestSerializer,
        responses={202: OpenApiResponse(OperationSerializer, description="The new tenant’s; follow it at `Location`")},
        parameters=[IDEMPOTENCY_KEY, IF_MATCH, LOCATION],
    )
    def post(self, request: Request, slug: str) -> Response:
        return begin(
            request, request_clone, CloneRequestSerializer, tenant_id=get_tenant(slug).pk, call=idempotent_call(request)
        )


class ExportItem(APIView):
    """What an export is, and until when it can be taken."""

    @extend_schema(operation_id="exports_read", responses=ExportSerializer)
    def get(self, request: Request, export_id: UUID) -> Response:
        return Response(ExportSerializer(get_export(export_id)).data)


class WhateverIsAccepted(BaseContentNegotiation):
    """A client that asks for an archive, and one that asks for nothing in particular, get it; errors stay JSON."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the only renderer."""
        return renderers[0], renderers[0].media_type


class ExportContent(APIView):
    """The archive itself. Each copy is audited, so there is no HEAD."""

    requires = {"GET": SUPER_ADMIN}
    http_method_names = ["get", "options"]
    content_negotiation_class = WhateverIsAccepted

    @extend_schema(
        operation_id="exports_content",
        responses={(200, CONTENT_TYPE): OpenApiTypes.BINARY},
        parameters=[
            OpenApiParameter("Content-Disposition", OpenApiTypes.STR, OpenApiParameter.HEADER, response=[200]),
            OpenApiParameter(
                "Repr-Digest", OpenApiTypes.STR, OpenApiParameter.HEADER, response=[200], description="Its SHA-256"
            ),
        ],
    )
    def get(self, request: Request, export_id: UUID) -> FileResponse:
        return send_export(archive_id=export_id, actor=actor_of(request))
