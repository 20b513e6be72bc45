from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import generics, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.people.models import Role
from accounts.people.selectors import get_role, list_roles
from accounts.people.services import change_role, delete_role, make_role
from accounts.permissions import registered
from core.web.calls import IF_MATCH, expected_version, read_body
from workspace.api.people import actor_of
from workspace.api.serializers import NewRoleSerializer, PermissionSerializer, RoleChangeSerializer, RoleSerializer


class RoleCollection(generics.ListAPIView[Role]):
    """List the roles, or make one of permissions that one holds oneself."""

    requires = {"GET": "team.view", "POST": "role.manage"}
    serializer_class = RoleSerializer
    queryset = Role.objects.none()

    def get_queryset(self) -> Any:
        return list_roles()

    @extend_schema(operation_id="roles_list")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(operation_id="roles_create", request=NewRoleSerializer, responses={201: RoleSerializer})
    def post(self, request: Request) -> Response:
        role = make_role(actor=actor_of(request), **read_body(NewRoleSerializer, request))
        return Response(RoleSerializer(get_role(role.pk)).data, status=status.HTTP_201_CREATED)


class RoleItem(APIView):
    """Read, change or delete one role; built-in ones can only be read."""

    requires = {"GET": "team.view", "PATCH": "role.manage", "DELETE": "role.manage"}

    @extend_schema(operation_id="roles_read", responses=RoleSerializer)
    def get(self, request: Request, role_id: UUID) -> Response:
        return Response(RoleSerializer(get_role(role_id)).data)

    @extend_schema(
        operation_id="roles_update", request=RoleChangeSerializer, responses=RoleSerializer, parameters=[IF_MATCH]
    )
    def patch(self, request: Request, role_id: UUID) -> Response:
        said = read_body(RoleChangeSerializer, request)
        change_role(role_id=role_id, actor=actor_of(request), expected_version=expected_version(request), **said)
        return Response(RoleSerializer(get_role(role_id)).data)

    @extend_schema(
        operation_id="roles_delete",
        request=None,
        responses={204: OpenApiResponse(description="Gone, and taken away from everybody who had it")},
        parameters=[IF_MATCH],
    )
    def delete(self, request: Request, role_id: UUID) -> Response:
        delete_role(role_id=role_id, actor=actor_of(request), expected_version=expected_version(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class PermissionCollection(APIView):
    """Everything that a role can allow, in the order of their groups."""

    requires = {"GET": "team.view"}

    @extend_schema(operation_id="permissions_list", responses=PermissionSerializer(many=True))
    def get(self, request: Request) -> Response:
        shown = [{"key": key, "label": str(one.label), "group": str(one.group)} for key, one in registered().items()]
        return Response(PermissionSerializer(shown, many=True).data)
