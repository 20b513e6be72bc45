import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import pytest

from accounts.people.models import Person
from core.audit.models import AuditEntry
from core.tenancy import enter


@pytest.fixture
def person_of(acme, world):
    """A row of acme-corp's people: `person_of("owner")`."""

    def get(who: str) -> Person:
        with enter(acme):
            return Person.objects.get(email=world.person(who).email)

    return get


@pytest.fixture
def add_people(acme, owner):
    """Adds people to acme-corp: `add_people("Ada", "Bo", is_active=False)`."""
    from accounts.identity.models import Realm

    def add(*names: str, **fields: Any) -> list[Person]:
        with enter(acme):
            realm = Realm.objects.get(is_current=True)
            return Person.objects.bulk_create(
                Person(
                    realm=realm,
                    subject=str(uuid5(NAMESPACE_OID, name)),
                    email=f"{name.lower()}@made.example",
                    name=name,
                    **fields,
                )
                for name in names
            )

    return add


@pytest.fixture
def note_sign_in(acme, owner):
    """Writes a sign-in into acme-corp's audit log."""

    def note(person: Person, at: datetime, times: int = 1) -> None:
        with enter(acme):
            for _ in range(times):
                AuditEntry.objects.create(
                    occurred_at=at,
                    actor_kind="person",
                    actor_id=person.pk,
                    actor_name=person.name,
                    action="session.started",
                )

    return note


@pytest.fixture
def figures(owner) -> Callable[..., dict[str, str]]:
    """The dashboard's figures as the page shows them: label to value."""

    def read(days: int = 30) -> dict[str, str]:
        text = owner.get(f"/?days={days}").content.decode()
        return dict(re.findall(r"<dt>([^<]+)</dt>\s*<dd>([^<]+)</dd>", text))

    return read
