"""Operators over the API: any operator may look, super admins make and change them."""

from typing import Any
from uuid import UUID

from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.lockouts import unlock_operator
from accounts.operators.models import Operator
from accounts.operators.team import add_operator, change_operator, get_operator, list_operators
from accounts.principals import STATUSES
from accounts.second_factors import reset_operator
from core.web.calls import read_body, read_choice
from superadmin.api.calls import actor_of
from superadmin.api.serializers import NewOperatorSerializer, OperatorChangeSerializer, OperatorSerializer


class OperatorCollection(generics.ListAPIView[Operator]):
    """List operators, or make one."""

    serializer_class = OperatorSerializer
    queryset = Operator.objects.none()

    def get_queryset(self) -> Any:
        return list_operators(
            query=self.request.query_params.get("q", ""),
            role=read_choice(self.request, "role", Operator.Role.values),
            status=read_choice(self.request, "status", list(STATUSES)),
        )

    @extend_schema(
        operation_id="operators_list",
        parameters=[
            OpenApiParameter("q", OpenApiTypes.STR, description="Looks into name and e-mail address"),
            OpenApiParameter("role", OpenApiTypes.STR, enum=Operator.Role.values),
            OpenApiParameter("status", OpenApiTypes.STR, enum=list(STATUSES)),
        ],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="operators_create",
        request=NewOperatorSerializer,
        responses={201: OpenApiResponse(OperatorSerializer, description="Made; a mail brings a link for the password")},
        parameters=[
            OpenApiParameter("Location", OpenApiTypes.URI, OpenApiParameter.HEADER, response=[201], description="It")
        ],
    )
    def post(self, request: Request) -> Response:
        made = add_operator(actor=actor_of(request), **read_body(NewOperatorSerializer, request))
        location = request.build_absolute_uri(reverse("api_operator", args=[made.operator.pk]))
        return Response(OperatorSerializer(made.operator).data, status=201, headers={"Location": location})


class OperatorItem(APIView):
    """Read or change one operator."""

    @extend_schema(operation_id="operators_read", responses=OperatorSerializer)
    def get(self, request: Request, operator_id: UUID) -> Response:
        return Response(OperatorSerializer(get_operator(operator_id)).data)

    @extend_schema(operation_id="operators_update", request=OperatorChangeSerializer, responses=OperatorSerializer)
    def patch(self, request: Request, operator_id: UUID) -> Response:
        changes = read_body(OperatorChangeSerializer, request)
        changed = change_operator(operator_id=operator_id, actor=actor_of(request), **changes)
        return Response(OperatorSerializer(changed).data)


class OperatorUnlocking(APIView):
    """Let an operator try to sign in again whose account was locked after too many failures."""

    @extend_schema(
        operation_id="operators_unlock",
        request=None,
        responses={204: OpenApiResponse(description="They can try again at once; nobody needs to have been locked")},
    )
    def post(self, request: Request, operator_id: UUID) -> Response:
        unlock_operator(operator_id=operator_id, actor=actor_of(request))
        return Response(status=204)


class OperatorSecondFactorReset(APIView):
    """Take an operator's authenticator app and recovery codes away; never one's own."""

    @extend_schema(
        operation_id="operators_reset_second_factor",
        request=None,
        responses={204: OpenApiResponse(description="Sessions are over, and a mail tells them")},
    )
    def post(self, request: Request, operator_id: UUID) -> Response:
        reset_operator(operator_id=operator_id, actor=actor_of(request))
        return Response(status=204)
