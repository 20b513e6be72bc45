from typing import Any

import structlog
from django.db import models

from core.actors import Actor


def record(*, actor: Actor, action: str, target: models.Model | None = None, reason: str = "", **facts: Any) -> None:
    """Add an audit entry to the log of the current tenant, or of the platform, in the caller's transaction.

    `facts` are JSON values without personal data. The target is kept as label, id and name, so that the entry outlives it.
    """
    from core.audit.models import AuditEntry

    AuditEntry.objects.create(
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_name=actor.name[:200],
        action=action,
        target_label=target._meta.label_lower if target else "",
        target_id=target.pk if target else None,
        target_name=str(target)[:200] if target else "",
        reason=reason,
        facts=facts,
        request_id=str(structlog.contextvars.get_contextvars().get("request_id", "")),
    )
