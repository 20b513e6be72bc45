from django.conf import settings
from django.utils import timezone

from events.webhooks.models import Delivery, Webhook
from events.webhooks.queue.services import put_in_line


def clear_old_deliveries() -> None:
    """Delete deliveries whose time in the log is over, and secrets that sign no more. Safe to repeat.

    A sender then looks at each webhook that is disabled or fails: what operators see of it follows from its tenant's rows.
    """
    now = timezone.now()
    Delivery.objects.filter(created_at__lt=now - settings.WEBHOOK_LOG_KEPT).delete()
    Webhook.objects.filter(previous_valid_until__lt=now).update(previous_secret="", previous_valid_until=None)
    odd = Webhook.objects.exclude(status=Webhook.Status.ACTIVE, failing_since=None)
    put_in_line(dict.fromkeys(odd.values_list("pk", flat=True), 0), due_at=now)
