"""An event on its way, as outbox, bus and consumers hand it on."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import UUID

SHARDS = 8  # a power of two; who changes it empties the bus first: a tenant's events must stay in one place


@dataclass(frozen=True, slots=True)
class Message:
    """A published event. `position` is its place in the outbox, and its name wherever it has to be told from others."""

    position: int
    occurred_at: datetime
    name: str
    version: int
    tenant_id: UUID | None
    actor_kind: str
    actor_id: UUID | None
    request_id: str
    payload: dict[str, Any]

    @property
    def shard(self) -> int:
        """Which part of the bus carries it: all of a tenant's events take the same."""
        return shard_of(self.tenant_id)

    def as_text(self) -> str:
        """Return it as JSON."""
        return json.dumps(
            [
                self.position,
                self.occurred_at.isoformat(),
                self.name,
                self.version,
                str(self.tenant_id) if self.tenant_id else None,
                self.actor_kind,
                str(self.actor_id) if self.actor_id else None,
                self.request_id,
                self.payload,
            ],
            separators=(",", ":"),
        )

    @classmethod
    def from_text(cls, text: str | bytes) -> Self:
        """Read what `as_text` wrote."""
        position, occurred_at, name, version, tenant_id, actor_kind, actor_id, request_id, payload = json.loads(text)
        return cls(
            position,
            datetime.fromisoformat(occurred_at),
            name,
            version,
            UUID(tenant_id) if tenant_id else None,
            actor_kind,
            UUID(actor_id) if actor_id else None,
            request_id,
            payload,
        )


def shard_of(tenant_id: UUID | None) -> int:
    """Return a tenant's part of the bus; events of no tenant take the first. SQL_SHARD says the same to PostgreSQL."""
    return tenant_id.int % SHARDS if tenant_id else 0


SQL_SHARD = f"coalesce(('x' || right(tenant_id::text, 4))::bit(16)::int & {SHARDS - 1}, 0)"
