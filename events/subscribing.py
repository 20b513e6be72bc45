"""Who wants which events. Rooms list modules of handlers in `settings.EVENT_HANDLERS`.

    @on_event(MemberAdded, name="accounts.greet")
    def greet(event: MemberAdded, ctx: EventContext) -> None:
        ...

A handler runs inside the tenant, in one transaction with the note that it has handled the event: what it writes there
happens once. What it does elsewhere may happen again, and has to bear it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from functools import cache
from importlib import import_module
from typing import Any
from uuid import UUID

from django.conf import settings

from core.tenancy import TenantRef
from events.messages import Message
from plexica_sdk.events import Event

TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class EventContext:
    """Where an event comes from. `attempt` counts from 1; a first attempt may follow one whose process died."""

    tenant: TenantRef
    position: int
    occurred_at: datetime
    actor_kind: str
    actor_id: UUID | None
    request_id: str
    attempt: int


Handler = Callable[[Any, EventContext], None]


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A handler with what it wants: names of events, or patterns such as `plexica.member.*`."""

    name: str
    wants: tuple[str, ...]
    handler: Handler
    timeout_s: float

    def takes(self, name: str) -> bool:
        """Say whether an event of this name is wanted."""
        return any(fnmatchcase(name, wanted) for wanted in self.wants)

    def handle(self, message: Message, tenant: TenantRef, *, attempt: int) -> None:
        """Call the handler. Raises whatever it raises."""
        event = Event.read(message.name, message.version, message.payload)
        context = EventContext(
            tenant=tenant,
            position=message.position,
            occurred_at=message.occurred_at,
            actor_kind=message.actor_kind,
            actor_id=message.actor_id,
            request_id=message.request_id,
            attempt=attempt,
        )
        self.handler(event, context)


_registered: dict[str, Subscriber] = {}


def on_event(*wanted: type[Event] | str, name: str, timeout_s: float = TIMEOUT_S) -> Callable[[Handler], Handler]:
    """Subscribe a handler to events or patterns of names, under a name that stays: what it has handled is kept under it."""
    names = tuple(one if isinstance(one, str) else one.name for one in wanted)

    def subscribe(handler: Handler) -> Handler:
        if name in _registered:
            raise ValueError(f"two handlers are called {name}")
        _registered[name] = Subscriber(name, names, handler, timeout_s)
        return handler

    return subscribe


@cache
def _load() -> None:
    for path in settings.EVENT_HANDLERS:
        import_module(path)


def subscribers() -> dict[str, Subscriber]:
    """Return all subscribers by name."""
    _load()
    return dict(_registered)
