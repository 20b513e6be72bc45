from typing import Any
from uuid import UUID

from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.people.invitations.selectors import STATES, get_invitation, list_invitations
from accounts.people.invitations.services import invite, resend_invitation, revoke_invitation
from accounts.people.models import Invitation, Role
from core.web.calls import IDEMPOTENCY_KEY, idempotent_call, read_body, read_choice

INVITE = "team.invite"


class InvitationSerializer(serializers.ModelSerializer[Invitation]):
    """Somebody who was invited, and what became of it."""

    roles: serializers.SlugRelatedField[Role] = serializers.SlugRelatedField(
        slug_field="name", many=True, read_only=True
    )
    state = serializers.ChoiceField(choices=list(STATES), read_only=True)
    invited_by = serializers.CharField(source="invited_by_name", read_only=True)

    class Meta:
        model = Invitation
        fields = [
            "id",
            "email",
            "roles",
            "state",
            "invited_by",
            "created_at",
            "mailed_at",
            "expires_at",
            "accepted_at",
            "revoked_at",
        ]
        read_only_fields = fields


class InvitationRequestSerializer(serializers.Serializer[Any]):
    """Whom to invite, as what."""

    email = serializers.EmailField(max_length=254)
    roles = serializers.ListField(
        child=serializers.CharField(max_length=48), min_length=1, max_length=50, help_text="Names of roles"
    )


class InvitationCollection(generics.ListAPIView[Invitation]):
    """List invitations, or invite somebody."""

    requires = {"GET": INVITE, "POST": INVITE}
    serializer_class = InvitationSerializer
    queryset = Invitation.objects.none()

    def get_queryset(self) -> Any:
        state = read_choice(self.request, "state", list(STATES))
        return list_invitations(state=state, query=self.request.query_params.get("q", ""))

    @extend_schema(
        operation_id="invitations_list",
        parameters=[
            OpenApiParameter("state", OpenApiTypes.STR, enum=list(STATES)),
            OpenApiParameter("q", OpenApiTypes.STR, description="Looks into the address"),
        ],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="invitations_create",
        request=InvitationRequestSerializer,
        responses={201: OpenApiResponse(InvitationSerializer, description="Invited; the mail follows")},
        parameters=[
            IDEMPOTENCY_KEY,
            OpenApiParameter("Location", OpenApiTypes.URI, OpenApiParameter.HEADER, response=[201], description="It"),
        ],
    )
    def post(self, request: Request) -> Response:
        caller: Any = request.user
        said = read_body(InvitationRequestSerializer, request)
        invitation = invite(actor=caller.actor, call=idempotent_call(request), **said)
        location = request.build_absolute_uri(reverse("api_invitation", args=[invitation.pk]))
        return Response(InvitationSerializer(invitation).data, status=201, headers={"Location": location})


class InvitationItem(APIView):
    """Read or revoke one invitation."""

    requires = {"GET": INVITE, "DELETE": INVITE}

    @extend_schema(operation_id="invitations_read", responses=InvitationSerializer)
    def get(self, request: Request, invitation_id: UUID) -> Response:
        return Response(InvitationSerializer(get_invitation(invitation_id)).data)

    @extend_schema(
        operation_id="invitations_revoke",
        request=None,
        responses={200: OpenApiResponse(InvitationSerializer, description="Its link is dead from now on")},
    )
    def delete(self, request: Request, invitation_id: UUID) -> Response:
        caller: Any = request.user
        return Response(InvitationSerializer(revoke_invitation(invitation_id=invitation_id, actor=caller.actor)).data)


class InvitationResending(APIView):
    """Send another link in place of the one before."""

    requires = {"POST": INVITE}

    @extend_schema(operation_id="invitations_resend", request=None, responses=InvitationSerializer)
    def post(self, request: Request, invitation_id: UUID) -> Response:
        caller: Any = request.user
        return Response(InvitationSerializer(resend_invitation(invitation_id=invitation_id, actor=caller.actor)).data)
