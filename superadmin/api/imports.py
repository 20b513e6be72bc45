from io import BytesIO
from typing import IO, Any, BinaryIO, cast
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.permissions import SUPER_ADMIN
from archives.content import Manifest
from archives.models import Archive
from archives.selectors import get_received, list_received
from archives.services.imports import discard_received, import_received, read_received, receive_archive
from core.web.calls import IDEMPOTENCY_KEY, idempotent_call, read_body
from superadmin.api.calls import LOCATION, accepted, actor_of
from superadmin.api.serializers import OperationSerializer
from superadmin.downloads import CONTENT_TYPE
from superadmin.uploads import announced_size, refuse_too_large


class ReceivedSerializer(serializers.ModelSerializer[Archive]):
    """An archive that was received and checked, and of which nothing was made yet."""

    class Meta:
        model = Archive
        fields = ["id", "is_masked", "size_bytes", "sha256", "row_count", "file_count", "finished_at", "kept_until"]
        read_only_fields = fields


class ManifestSerializer(serializers.Serializer[Manifest]):
    """What an archive says of itself."""

    slug = serializers.CharField(source="tenant.slug")
    name = serializers.CharField(source="tenant.name")
    tenant_id = serializers.CharField(source="tenant.id", help_text="The id that the tenant had where it was exported")
    taken_at = serializers.DateTimeField(help_text="The moment that all rows are of")
    product = serializers.CharField(help_text="The version of Plexica that wrote it")
    migrations_hash = serializers.CharField(help_text="The state of its tables")
    member_count = serializers.IntegerField()


class ReceivedWithManifestSerializer(ReceivedSerializer):
    """The same with what it says of itself."""

    manifest = serializers.SerializerMethodField()

    class Meta(ReceivedSerializer.Meta):
        fields = [*ReceivedSerializer.Meta.fields, "manifest"]
        read_only_fields = fields

    @extend_schema_field(ManifestSerializer)
    def get_manifest(self, archive: Archive) -> dict[str, Any]:
        return ManifestSerializer(read_received(archive.pk)).data


class ImportStartSerializer(serializers.Serializer[Any]):
    """What the new tenant is called; what is left out is the archive's."""

    # the service checks values, so that one answer names all that are wrong
    slug = serializers.CharField(max_length=200, required=False)
    name = serializers.CharField(max_length=120, required=False)
    admin_email = serializers.CharField(
        max_length=254, required=False, help_text="First administrator of a masked archive, in which nobody can sign in"
    )


class ArchiveParser(BaseParser):
    """Hands on the body as it comes, unread; whether it is an archive is asked once it is known who sends it."""

    media_type = "*/*"
    accepted = CONTENT_TYPE  # what a refusal names

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> Any:
        return stream


class ImportCollection(generics.ListAPIView[Archive]):
    """Archives that were received and of which nothing was made yet, or send one: it is checked to its end."""

    serializer_class = ReceivedSerializer
    queryset = Archive.objects.none()
    parser_classes = [ArchiveParser]
    requires = {"GET": SUPER_ADMIN, "POST": SUPER_ADMIN}

    def get_queryset(self) -> Any:
        return list_received()

    @extend_schema(operation_id="imports_list")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="imports_receive",
        request={CONTENT_TYPE: OpenApiTypes.BINARY},
        responses={201: OpenApiResponse(ReceivedWithManifestSerializer, description="Whole, and kept for two days")},
        parameters=[OpenApiParameter("Location", OpenApiTypes.URI, OpenApiParameter.HEADER, response=[201])],
    )
    def post(self, request: Request) -> Response:
        if str(request.content_type).partition(";")[0].strip() != CONTENT_TYPE:
            raise UnsupportedMediaType(str(request.content_type))
        refuse_too_large(announced_size(request))
        source = cast(BinaryIO, request.data) if announced_size(request) else BytesIO()
        archive = receive_archive(source=source, actor=actor_of(request), max_bytes=settings.IMPORT_MAX_BYTES)
        location = request.build_absolute_uri(reverse("api_import", args=[archive.pk]))
        return Response(ReceivedWithManifestSerializer(archive).data, status=201, headers={"Location": location})


class ImportItem(APIView):
    """What an archive says of itself, or throw it away."""

    requires = {"GET": SUPER_ADMIN, "DELETE": SUPER_ADMIN}

    @extend_schema(operation_id="imports_read", responses=ReceivedWithManifestSerializer)
    def get(self, request: Request, import_id: UUID) -> Response:
        return Response(ReceivedWithManifestSerializer(get_received(import_id)).data)

    @extend_schema(operation_id="imports_discard", request=None, responses={204: None})
    def delete(self, request: Request, import_id: UUID) -> Response:
        discard_received(archive_id=import_id, actor=actor_of(request))
        return Response(status=204)


class ImportStart(APIView):
    """Have a new tenant made of an archive."""

    @extend_schema(
        operation_id="imports_start",
        request=ImportStartSerializer,
        responses={202: OpenApiResponse(OperationSerializer, description="The new tenant’s; follow it at `Location`")},
        parameters=[IDEMPOTENCY_KEY, LOCATION],
    )
    def post(self, request: Request, import_id: UUID) -> Response:
        said, call = read_body(ImportStartSerializer, request), idempotent_call(request)
        return accepted(request, import_received(archive_id=import_id, actor=actor_of(request), call=call, **said))
