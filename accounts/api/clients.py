"""API clients over the API, at a tenant's address and at the platform's."""

from typing import Any
from uuid import UUID

from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.clients.models import STATES, ApiClient
from accounts.clients.selectors import get_client, list_clients
from accounts.clients.services import make_client, renew_secret, revoke_client
from core.web.calls import read_body

MANAGE = "api_client.manage"


class ApiClientSerializer(serializers.ModelSerializer[ApiClient]):
    """A program that may call the API."""

    state = serializers.ChoiceField(choices=list(STATES), read_only=True)
    created_by = serializers.CharField(source="created_by_name", read_only=True)

    class Meta:
        model = ApiClient
        fields = [
            "id",
            "client_id",
            "name",
            "permissions",
            "state",
            "expires_at",
            "last_used_at",
            "created_at",
            "created_by",
            "revoked_at",
        ]
        read_only_fields = fields


class MadeApiClientSerializer(ApiClientSerializer):
    """A client with its new secret, which nobody can read again."""

    secret = serializers.CharField(read_only=True)

    class Meta(ApiClientSerializer.Meta):
        fields = [*ApiClientSerializer.Meta.fields, "secret"]
        read_only_fields = fields


class ApiClientRequestSerializer(serializers.Serializer[Any]):
    """What a new client needs."""

    name = serializers.CharField(max_length=120)
    permissions = serializers.ListField(
        child=serializers.CharField(max_length=120),
        max_length=200,
        help_text="Keys of permissions that you hold yourself; of clients of the platform `super_admin`, or none to look",
    )
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)


class ApiClientCollection(generics.ListAPIView[ApiClient]):
    """List API clients, or make one."""

    requires = {"GET": MANAGE, "POST": MANAGE}
    serializer_class = ApiClientSerializer
    queryset = ApiClient.objects.none()

    def get_queryset(self) -> Any:
        return list_clients(query=self.request.query_params.get("q", ""))

    @extend_schema(
        operation_id="api_clients_list",
        parameters=[OpenApiParameter("q", OpenApiTypes.STR, description="Looks into the name")],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="api_clients_create",
        request=ApiClientRequestSerializer,
        responses={201: OpenApiResponse(MadeApiClientSerializer, description="With its secret, this once")},
        parameters=[
            OpenApiParameter("Location", OpenApiTypes.URI, OpenApiParameter.HEADER, response=[201], description="It")
        ],
    )
    def post(self, request: Request) -> Response:
        caller: Any = request.user
        made = make_client(actor=caller.actor, **read_body(ApiClientRequestSerializer, request))
        location = request.build_absolute_uri(reverse("api_client", args=[made.client.pk]))
        body = {**ApiClientSerializer(made.client).data, "secret": made.secret}
        return Response(body, status=201, headers={"Location": location, "Cache-Control": "no-store"})


class ApiClientItem(APIView):
    """Read or revoke one API client."""

    requires = {"GET": MANAGE, "DELETE": MANAGE}

    @extend_schema(operation_id="api_clients_read", responses=ApiClientSerializer)
    def get(self, request: Request, client_id: UUID) -> Response:
        return Response(ApiClientSerializer(get_client(client_id)).data)

    @extend_schema(
        operation_id="api_clients_revoke",
        request=None,
        responses={200: OpenApiResponse(ApiClientSerializer, description="Its tokens are worth nothing from now on")},
    )
    def delete(self, request: Request, client_id: UUID) -> Response:
        caller: Any = request.user
        return Response(ApiClientSerializer(revoke_client(client_id=client_id, actor=caller.actor)).data)


class ApiClientSecret(APIView):
    """Give one API client another secret."""

    requires = {"POST": MANAGE}

    @extend_schema(
        operation_id="api_clients_renew_secret",
        request=None,
        responses={200: OpenApiResponse(MadeApiClientSerializer, description="With its new secret, this once")},
    )
    def post(self, request: Request, client_id: UUID) -> Response:
        caller: Any = request.user
        made = renew_secret(client_id=client_id, actor=caller.actor)
        body = {**ApiClientSerializer(made.client).data, "secret": made.secret}
        return Response(body, headers={"Cache-Control": "no-store"})
