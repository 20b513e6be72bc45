"""Who does something: named in audit entries and events, checked by access rules."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, an operator, an API client or the system itself. `name` is kept in audit entries as it was then."""

    kind: Literal["operator", "person", "client", "system"]
    id: UUID | None
    name: str


SYSTEM = Actor(kind="system", id=None, name="Plexica")
