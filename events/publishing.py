import json
from typing import Any

import structlog
from django.db import DEFAULT_DB_ALIAS, connections
from django.utils import timezone

from core.actors import SYSTEM, Actor
from core.tenancy import current
from plexica_sdk.events import Event

# no RETURNING: it needs SELECT, which a tenant's role does not have here; the row-level policy checks the tenant's id
_INSERT = """
    INSERT INTO public.events_outbox (occurred_at, name, version, tenant_id, actor_kind, actor_id, request_id, payload)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""


def publish(event: Event, *, actor: Actor = SYSTEM) -> None:
    """Write `event` to the outbox, in the same transaction as the change it tells of.

    The tenant is the current one; on the platform it is the event's own `tenant_id`, if it has one.
    """
    ref = current()
    tenant_id = ref.id if ref else getattr(event, "tenant_id", None)
    values = (
        timezone.now().isoformat(),
        event.name,
        event.version,
        tenant_id,
        actor.kind,
        actor.id,
        structlog.contextvars.get_contextvars().get("request_id", ""),
        json.dumps(event.payload()),
    )
    wrapper: Any = connections[DEFAULT_DB_ALIAS]
    wrapper.execute_plainly(_INSERT, [None if value is None else str(value) for value in values])
