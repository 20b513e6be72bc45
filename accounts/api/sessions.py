from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.permissions import SIGNED_IN
from accounts.principals import Principal
from accounts.sessions.devices import describe_device
from accounts.sessions.models import BrowserSession
from accounts.sessions.selectors import list_sessions
from accounts.sessions.services import end_session, end_sessions_of
from core.errors import NotFound


def caller_of(request: Request) -> Principal:
    """Return the person or operator who calls. Raises NotFound for an API client, which has no browser."""
    if not isinstance(request.user, Principal):
        raise NotFound
    return request.user


class SessionSerializer(serializers.ModelSerializer[BrowserSession]):
    """A browser that somebody is signed in with."""

    device = serializers.SerializerMethodField(help_text="The browser in words, as it says of itself")
    methods = serializers.SerializerMethodField(help_text="How the issuer says they signed in, after RFC 8176")
    is_current = serializers.SerializerMethodField(help_text="Whether this session makes the call")

    class Meta:
        model = BrowserSession
        fields = ["id", "device", "user_agent", "methods", "address", "started_at", "last_seen_at", "is_current"]
        read_only_fields = fields

    def get_device(self, session: BrowserSession) -> str:
        return describe_device(session.user_agent).words

    @extend_schema_field({"type": "array", "items": {"type": "string"}})
    def get_methods(self, session: BrowserSession) -> list[str]:
        return session.methods.split()

    def get_is_current(self, session: BrowserSession) -> bool:
        asking = caller_of(self.context["request"]).session
        return asking is not None and asking.id == session.pk


class SessionCollection(generics.ListAPIView[BrowserSession]):
    """The caller's own browser sessions."""

    requires = {"GET": SIGNED_IN, "DELETE": SIGNED_IN}
    serializer_class = SessionSerializer
    queryset = BrowserSession.objects.none()

    def get_queryset(self) -> Any:
        return list_sessions(caller_of(self.request))

    @extend_schema(operation_id="sessions_list")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="sessions_end_all",
        request=None,
        responses={204: OpenApiResponse(description="Ended, but for the session that makes the call")},
    )
    def delete(self, request: Request) -> Response:
        user = caller_of(request)
        end_sessions_of(principal=user, except_key=user.own_session_id)
        return Response(status=status.HTTP_204_NO_CONTENT)


class SessionItem(APIView):
    """One of the caller's own browser sessions."""

    requires = {"DELETE": SIGNED_IN}

    @extend_schema(
        operation_id="sessions_end",
        request=None,
        parameters=[OpenApiParameter("session_id", OpenApiTypes.UUID, OpenApiParameter.PATH)],
        responses={204: OpenApiResponse(description="Ended: that browser has to sign in again")},
    )
    def delete(self, request: Request, session_id: UUID) -> Response:
        user = caller_of(request)
        own = user.session is not None and user.session.id == session_id
        if not end_session(principal=user, session_id=session_id, how="signed_out" if own else "ended"):
            raise NotFound
        return Response(status=status.HTTP_204_NO_CONTENT)
