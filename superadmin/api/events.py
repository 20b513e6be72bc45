from collections.abc import Collection
from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.web.calls import read_body, read_choice
from events.answers import dismiss_failed_events, replay_events, retry_failed_events
from events.outbox.models import FailedMessage
from events.selectors import events_status, get_failed_event, list_failed_events
from events.webhooks.queue.selectors import webhooks_status
from superadmin.api.calls import actor_of
from superadmin.api.serializers import OptionalReasonSerializer
from superadmin.api.webhooks import WebhooksStatusSerializer
from tenants.models import Tenant
from tenants.selectors import get_tenant

AT_ONCE = 200


class SubscriberStatusSerializer(serializers.Serializer[Any]):
    """How far a subscriber is."""

    name = serializers.CharField()
    is_known = serializers.BooleanField(help_text="Some code subscribes under this name")
    is_consumed = serializers.BooleanField(help_text="Somebody consumes for it")
    waiting = serializers.IntegerField(allow_null=True, help_text="Events on the bus; null if that does not answer")
    lag_s = serializers.FloatField(help_text="Age of the oldest of them")
    parked = serializers.IntegerField(help_text="Events that wait in one tenant")
    parked_tenants = serializers.IntegerField()
    parked_since = serializers.DateTimeField(allow_null=True)
    failed = serializers.IntegerField(help_text="Events that wait for an operator")


class EventsStatusSerializer(serializers.Serializer[Any]):
    """How the delivery of events goes."""

    unsent = serializers.IntegerField(help_text="Committed events that are not on the bus yet")
    unsent_s = serializers.FloatField(help_text="Age of the oldest of them")
    oldest_s = serializers.FloatField(help_text="Age of the oldest event that some subscriber has not taken")
    shards = serializers.IntegerField()
    relayed_shards = serializers.IntegerField(help_text="Shards that a relay serves")
    bus_answers = serializers.BooleanField()
    parked = serializers.IntegerField()
    failed = serializers.IntegerField()
    subscribers = SubscriberStatusSerializer(many=True)
    webhooks = serializers.SerializerMethodField()

    @extend_schema_field(WebhooksStatusSerializer)
    def get_webhooks(self, status: Any) -> dict[str, Any]:
        return WebhooksStatusSerializer(webhooks_status()).data


class FailedEventSerializer(serializers.ModelSerializer[FailedMessage]):
    """An event that a subscriber could not handle."""

    tenant = serializers.SerializerMethodField(help_text="The tenant's slug")
    event = serializers.CharField(source="name")
    version = serializers.IntegerField(source="content.version")
    occurred_at = serializers.DateTimeField(source="content.occurred_at")
    payload = serializers.SerializerMethodField()

    class Meta:
        model = FailedMessage
        fields = [
            "id",
            "subscriber",
            "tenant",
            "tenant_id",
            "event",
            "version",
            "position",
            "occurred_at",
            "payload",
            "attempts",
            "error",
            "status",
            "failed_at",
            "answered_at",
        ]
        read_only_fields = fields

    def get_tenant(self, failed: FailedMessage) -> str:
        slugs: dict[UUID, str] = self.context["slugs"]
        return slugs.get(failed.tenant_id, "")

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_payload(self, failed: FailedMessage) -> dict[str, Any]:
        return failed.content.payload


class FailedEventsAnswerSerializer(OptionalReasonSerializer):
    """Which failed events are answered, and how."""

    answer = serializers.ChoiceField(["retry", "dismiss"])
    ids = serializers.ListField(child=serializers.UUIDField(), min_length=1, max_length=AT_ONCE)


class AnsweredSerializer(serializers.Serializer[Any]):
    """What became of it."""

    answered = serializers.IntegerField(help_text="So many events; those that were answered before are not among them")


class ReplaySerializer(OptionalReasonSerializer):
    """Whose past is handled again, and since when."""

    subscriber = serializers.CharField()
    tenant = serializers.CharField(help_text="A tenant's slug or id")
    since = serializers.DateTimeField()


class ReplayedSerializer(serializers.Serializer[Any]):
    """What will be handled again."""

    events = serializers.IntegerField()


def _slugs(failed: Collection[FailedMessage]) -> dict[UUID, str]:
    return dict(Tenant.objects.filter(pk__in={one.tenant_id for one in failed}).values_list("pk", "slug"))


def _shown(failed: FailedMessage) -> Response:
    return Response(FailedEventSerializer(failed, context={"slugs": _slugs([failed])}).data)


class EventsStatus(APIView):
    """What waits in the outbox and on the bus, who relays, and how far each subscriber is."""

    @extend_schema(operation_id="events_status", responses=EventsStatusSerializer)
    def get(self, request: Request) -> Response:
        return Response(EventsStatusSerializer(events_status()).data)


class FailedEventCollection(generics.ListAPIView[FailedMessage]):
    """Events that subscribers could not handle, newest first; those that were answered, too."""

    serializer_class = FailedEventSerializer
    queryset = FailedMessage.objects.none()

    def get_queryset(self) -> Any:
        asked = self.request.query_params
        return list_failed_events(
            subscriber=asked.get("subscriber", ""),
            tenant_id=get_tenant(asked["tenant"]).pk if asked.get("tenant") else None,
            status=read_choice(self.request, "status", FailedMessage.Status.values),
            query=asked.get("event", ""),
        )

    @extend_schema(
        operation_id="failed_events_list",
        parameters=[
            OpenApiParameter("subscriber", OpenApiTypes.STR),
            OpenApiParameter("tenant", OpenApiTypes.STR, description="A tenant's slug or id"),
            OpenApiParameter("status", OpenApiTypes.STR, enum=FailedMessage.Status.values),
            OpenApiParameter("event", OpenApiTypes.STR, description="A part of the event's name"),
        ],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        page = self.paginate_queryset(self.get_queryset()) or []
        serializer = FailedEventSerializer(page, many=True, context={"slugs": _slugs(page)})
        return self.get_paginated_response(serializer.data)


class FailedEventItem(APIView):
    """Read an event that failed, with its payload and what went wrong."""

    @extend_schema(operation_id="failed_events_read", responses=FailedEventSerializer)
    def get(self, request: Request, failed_id: UUID) -> Response:
        return _shown(get_failed_event(failed_id))


class FailedEventRetry(APIView):
    """Let a failed event be handled again."""

    @extend_schema(
        operation_id="failed_events_retry", request=OptionalReasonSerializer, responses=FailedEventSerializer
    )
    def post(self, request: Request, failed_id: UUID) -> Response:
        said = read_body(OptionalReasonSerializer, request)
        retry_failed_events(ids=[get_failed_event(failed_id).pk], actor=actor_of(request), **said)
        return _shown(get_failed_event(failed_id))


class FailedEventDismissal(APIView):
    """Say that nothing has to be done any more about a failed event."""

    @extend_schema(
        operation_id="failed_events_dismiss", request=OptionalReasonSerializer, responses=FailedEventSerializer
    )
    def post(self, request: Request, failed_id: UUID) -> Response:
        said = read_body(OptionalReasonSerializer, request)
        dismiss_failed_events(ids=[get_failed_event(failed_id).pk], actor=actor_of(request), **said)
        return _shown(get_failed_event(failed_id))


class FailedEventsAnswers(APIView):
    """Retry or dismiss many failed events, each tenant's in order."""

    @extend_schema(
        operation_id="failed_events_answer", request=FailedEventsAnswerSerializer, responses=AnsweredSerializer
    )
    def post(self, request: Request) -> Response:
        said = read_body(FailedEventsAnswerSerializer, request)
        service = retry_failed_events if said.pop("answer") == "retry" else dismiss_failed_events
        return Response({"answered": service(actor=actor_of(request), **said)})


class Replays(APIView):
    """Let a subscriber handle again what happened in one tenant since a moment, in order; newer events wait behind it."""

    @extend_schema(
        operation_id="events_replay",
        request=ReplaySerializer,
        responses={202: OpenApiResponse(ReplayedSerializer, description="So many events stand in line")},
    )
    def post(self, request: Request) -> Response:
        said = read_body(ReplaySerializer, request)
        tenant = get_tenant(said.pop("tenant"))
        replayed = replay_events(tenant=tenant.ref, actor=actor_of(request), **said)
        return Response({"events": replayed.events}, status=202)
