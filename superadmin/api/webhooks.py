from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from events.webhooks.queue.models import QueuedWebhook
from events.webhooks.queue.selectors import list_webhooks_by_tenant
from tenants.models import Tenant


class WebhooksStatusSerializer(serializers.Serializer[Any]):
    """How the sending of all tenants' webhooks goes."""

    waiting = serializers.IntegerField(help_text="Deliveries that wait to be sent or tried again")
    oldest_s = serializers.FloatField(help_text="Age of the oldest of them")
    overdue_s = serializers.FloatField(help_text="For how long a webhook has been due that no sender has taken")
    under_way = serializers.IntegerField(help_text="Webhooks that a sender is at")
    held = serializers.IntegerField(help_text="Deliveries of disabled webhooks and stopped tenants")
    failing = serializers.IntegerField(help_text="Webhooks whose last attempt failed")
    disabled = serializers.IntegerField(help_text="Webhooks to which nothing is sent")
    attempts = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="Calls of receivers since the platform began, by result: delivered, http_4xx, timeout, ...",
    )


class TenantWebhooksSerializer(serializers.Serializer[Any]):
    """What one tenant's webhooks have waiting, and how they are."""

    tenant = serializers.SerializerMethodField(help_text="The tenant's slug")
    tenant_id = serializers.UUIDField()
    waiting = serializers.IntegerField(source="waiting_now", help_text="Deliveries")
    oldest_at = serializers.DateTimeField(allow_null=True, help_text="When the oldest of them began to wait")
    held = serializers.IntegerField(help_text="Deliveries of disabled webhooks, or all if the tenant is stopped")
    failing = serializers.IntegerField(help_text="Webhooks whose last attempt failed")
    disabled = serializers.IntegerField(help_text="Webhooks to which nothing is sent")

    def get_tenant(self, row: dict[str, Any]) -> str:
        slugs: dict[UUID, str] = self.context["slugs"]
        return slugs.get(row["tenant_id"], "")


class WebhooksByTenant(generics.ListAPIView[QueuedWebhook]):
    """Tenants whose webhooks have something waiting, fail or are disabled; those with most disabled and failing first."""

    serializer_class = TenantWebhooksSerializer
    queryset = QueuedWebhook.objects.none()

    @extend_schema(operation_id="events_webhooks_list")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        page = list(self.paginate_queryset(list_webhooks_by_tenant()) or [])
        ids = [row["tenant_id"] for row in page]
        slugs = dict(Tenant.objects.filter(pk__in=ids).values_list("pk", "slug"))
        return self.get_paginated_response(TenantWebhooksSerializer(page, many=True, context={"slugs": slugs}).data)
