"""Webhooks and their deliveries over the API."""

from typing import Any
from uuid import UUID

from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import generics, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.web.calls import IF_MATCH, expected_version, read_body, read_choice
from events.webhooks.catalogue import offered
from events.webhooks.models import Delivery, Webhook
from events.webhooks.selectors import get_delivery, get_webhook, list_deliveries, list_webhooks
from events.webhooks.services import (
    WebhookWithSecret,
    change_webhook,
    delete_webhook,
    disable_webhook,
    enable_webhook,
    make_webhook,
    redeliver,
    rotate_secret,
    send_test,
)
from workspace.api.people import actor_of
from workspace.api.webhook_serializers import (
    DeliveryDetailSerializer,
    DeliverySerializer,
    NewWebhookSerializer,
    OfferedEventSerializer,
    WebhookChangeSerializer,
    WebhookSerializer,
    WebhookWithSecretSerializer,
)

MANAGE = "webhook.manage"
LOCATION = OpenApiParameter(
    "Location", OpenApiTypes.URI, OpenApiParameter.HEADER, response=[201, 202], description="It"
)


def _with_secret(request: Request, made: WebhookWithSecret, code: int) -> Response:
    body = {**WebhookSerializer(made.webhook).data, "secret": made.secret}
    location = request.build_absolute_uri(reverse("api_webhook", args=[made.webhook.pk]))
    return Response(body, status=code, headers={"Location": location, "Cache-Control": "no-store"})


def _in_line(request: Request, delivery: Delivery) -> Response:
    args = [delivery.webhook_id, delivery.pk]
    location = request.build_absolute_uri(reverse("api_webhook_delivery", args=args))
    return Response(DeliverySerializer(delivery).data, status=status.HTTP_202_ACCEPTED, headers={"Location": location})


class WebhookEventCollection(APIView):
    """The events that a webhook can ask for. A pattern takes all of its group, `plexica.*` takes everything."""

    requires = {"GET": MANAGE}

    @extend_schema(operation_id="webhook_events_list", responses=OfferedEventSerializer(many=True))
    def get(self, request: Request) -> Response:
        shown = [
            {"name": event.name, "label": event.label, "pattern": group.pattern, "group": group.label}
            for group in offered()
            for event in group.events
        ]
        return Response(OfferedEventSerializer(shown, many=True).data)


class WebhookCollection(generics.ListAPIView[Webhook]):
    """List webhooks, or make one."""

    requires = {"GET": MANAGE, "POST": MANAGE}
    serializer_class = WebhookSerializer
    queryset = Webhook.objects.none()

    def get_queryset(self) -> Any:
        return list_webhooks(query=self.request.query_params.get("q", ""))

    @extend_schema(
        operation_id="webhooks_list",
        parameters=[OpenApiParameter("q", OpenApiTypes.STR, description="Looks into address and description")],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="webhooks_create",
        request=NewWebhookSerializer,
        responses={201: OpenApiResponse(WebhookWithSecretSerializer, description="With its secret, this once")},
        parameters=[LOCATION],
    )
    def post(self, request: Request) -> Response:
        made = make_webhook(actor=actor_of(request), **read_body(NewWebhookSerializer, request))
        return _with_secret(request, made, status.HTTP_201_CREATED)


class WebhookItem(APIView):
    """Read, change or delete one webhook."""

    requires = {"GET": MANAGE, "PATCH": MANAGE, "DELETE": MANAGE}

    @extend_schema(operation_id="webhooks_read", responses=WebhookSerializer)
    def get(self, request: Request, webhook_id: UUID) -> Response:
        return Response(WebhookSerializer(get_webhook(webhook_id)).data)

    @extend_schema(
        operation_id="webhooks_update",
        request=WebhookChangeSerializer,
        responses=WebhookSerializer,
        parameters=[IF_MATCH],
    )
    def patch(self, request: Request, webhook_id: UUID) -> Response:
        said = read_body(WebhookChangeSerializer, request)
        changed = change_webhook(
            webhook_id=webhook_id, actor=actor_of(request), expected_version=expected_version(request), **said
        )
        return Response(WebhookSerializer(changed).data)

    @extend_schema(
        operation_id="webhooks_delete",
        request=None,
        responses={204: OpenApiResponse(description="Gone, with its deliveries")},
        parameters=[IF_MATCH],
    )
    def delete(self, request: Request, webhook_id: UUID) -> Response:
        delete_webhook(webhook_id=webhook_id, actor=actor_of(request), expected_version=expected_version(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class WebhookRotation(APIView):
    """Give a webhook a new secret; the one before signs as well for a while."""

    requires = {"POST": MANAGE}

    @extend_schema(
        operation_id="webhooks_rotate_secret",
        request=None,
        responses={200: OpenApiResponse(WebhookWithSecretSerializer, description="With its secret, this once")},
        parameters=[IF_MATCH],
    )
    def post(self, request: Request, webhook_id: UUID) -> Response:
        rotated = rotate_secret(
            webhook_id=webhook_id, actor=actor_of(request), expected_version=expected_version(request)
        )
        return _with_secret(request, rotated, status.HTTP_200_OK)


class WebhookEnabling(APIView):
    """Send again to a webhook that is disabled, first what waits."""

    requires = {"POST": MANAGE}

    @extend_schema(operation_id="webhooks_enable", request=None, responses=WebhookSerializer, parameters=[IF_MATCH])
    def post(self, request: Request, webhook_id: UUID) -> Response:
        expected = expected_version(request)
        enabled = enable_webhook(webhook_id=webhook_id, actor=actor_of(request), expected_version=expected)
        return Response(WebhookSerializer(enabled).data)


class WebhookDisabling(APIView):
    """Send nothing more to a webhook; what happens meanwhile is not kept for it."""

    requires = {"POST": MANAGE}

    @extend_schema(operation_id="webhooks_disable", request=None, responses=WebhookSerializer, parameters=[IF_MATCH])
    def post(self, request: Request, webhook_id: UUID) -> Response:
        expected = expected_version(request)
        disabled = disable_webhook(webhook_id=webhook_id, actor=actor_of(request), expected_version=expected)
        return Response(WebhookSerializer(disabled).data)


class WebhookTest(APIView):
    """Try a webhook's address with an event of its own, once."""

    requires = {"POST": MANAGE}

    @extend_schema(
        operation_id="webhooks_test",
        request=None,
        responses={202: OpenApiResponse(DeliverySerializer, description="In line; read it to see what came of it")},
        parameters=[LOCATION],
    )
    def post(self, request: Request, webhook_id: UUID) -> Response:
        return _in_line(request, send_test(webhook_id=webhook_id, actor=actor_of(request)))


class DeliveryCollection(generics.ListAPIView[Delivery]):
    """A webhook's deliveries, newest first."""

    requires = {"GET": MANAGE}
    serializer_class = DeliverySerializer
    queryset = Delivery.objects.none()

    def get_queryset(self) -> Any:
        state = read_choice(self.request, "status", list(Delivery.Status))
        event = self.request.query_params.get("event", "")
        return list_deliveries(self.kwargs["webhook_id"], status=state, event=event)

    @extend_schema(
        operation_id="webhook_deliveries_list",
        parameters=[
            OpenApiParameter("status", OpenApiTypes.STR, enum=list(Delivery.Status)),
            OpenApiParameter("event", OpenApiTypes.STR, description="An event’s whole name"),
        ],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class DeliveryItem(APIView):
    """One delivery with what was sent, and what came back, attempt by attempt."""

    requires = {"GET": MANAGE}

    @extend_schema(operation_id="webhook_deliveries_read", responses=DeliveryDetailSerializer)
    def get(self, request: Request, webhook_id: UUID, delivery_id: UUID) -> Response:
        return Response(DeliveryDetailSerializer(get_delivery(webhook_id, delivery_id)).data)


class Redelivery(APIView):
    """Send a delivery again as it was, under the same id."""

    requires = {"POST": MANAGE}

    @extend_schema(
        operation_id="webhook_deliveries_redeliver",
        request=None,
        responses={202: OpenApiResponse(DeliverySerializer, description="In line again")},
        parameters=[LOCATION],
    )
    def post(self, request: Request, webhook_id: UUID, delivery_id: UUID) -> Response:
        put = redeliver(webhook_id=webhook_id, delivery_id=delivery_id, actor=actor_of(request))
        return _in_line(request, put)
