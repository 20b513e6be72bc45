from uuid import UUID

from django.db.models import QuerySet

from core.errors import NotFound
from events.webhooks.models import Delivery, Webhook


def list_webhooks(*, query: str = "") -> QuerySet[Webhook]:
    """Return the tenant's webhooks, newest first; `query` looks into address and description."""
    found = Webhook.objects.order_by("-created_at", "-id")
    return found.filter(url__icontains=query) | found.filter(description__icontains=query) if query else found


def get_webhook(webhook_id: UUID) -> Webhook:
    """Return a webhook. Raises NotFound."""
    found = Webhook.objects.filter(pk=webhook_id).first()
    if found is None:
        raise NotFound
    return found


def list_deliveries(webhook_id: UUID, *, status: str = "", event: str = "") -> QuerySet[Delivery]:
    """Return a webhook's deliveries, newest first, with their attempts. Raises NotFound."""
    get_webhook(webhook_id)
    found = Delivery.objects.filter(webhook_id=webhook_id).prefetch_related("attempts").order_by("-created_at", "-id")
    if event:
        found = found.filter(event=event)
    return found.filter(status=status) if status else found


def get_delivery(webhook_id: UUID, delivery_id: UUID) -> Delivery:
    """Return one of a webhook's deliveries with its attempts. Raises NotFound."""
    found = list_deliveries(webhook_id).filter(pk=delivery_id).first()
    if found is None:
        raise NotFound
    return found
