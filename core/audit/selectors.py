from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from core.audit.models import AuditEntry


def list_entries(
    *, target_label: str, target_id: UUID, action: str = "", query: str = "", since: datetime | None = None
) -> QuerySet[AuditEntry]:
    """Return what was done to one thing, newest first; `query` looks into who did it and why."""
    entries = AuditEntry.objects.filter(target_label=target_label, target_id=target_id)
    if action:
        entries = entries.filter(action=action)
    if query:
        entries = entries.filter(Q(actor_name__icontains=query) | Q(reason__icontains=query))
    return entries.filter(occurred_at__gte=since) if since else entries


def list_actions(*, target_label: str, target_id: UUID) -> list[str]:
    """Return the different actions that were done to one thing."""
    entries = AuditEntry.objects.filter(target_label=target_label, target_id=target_id)
    return sorted(entries.order_by().values_list("action", flat=True).distinct())
