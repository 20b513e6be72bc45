from typing import Any

from django.http import HttpRequest

from accounts.operators.models import Operator
from accounts.people.models import Person
from accounts.people.rights import can
from accounts.principals import Principal


class PermissionsShown:
    """What templates ask: `{% if perms_of.team.invite %}`. A step on the way is no permission and never true."""

    __iter__ = None  # templates would walk through __getitem__ for ever

    def __init__(self, person: Person | None, key: str = "") -> None:
        self._person = person
        self._key = key

    def __getitem__(self, name: str) -> "PermissionsShown":
        return PermissionsShown(self._person, f"{self._key}.{name}" if self._key else name)

    def __bool__(self) -> bool:
        return self._person is not None and can(self._person, self._key)


def person(request: HttpRequest) -> dict[str, Any]:
    """Context of every page: who is signed in, and what they may do."""
    user: object = getattr(request, "user", None)
    return {
        "person": user if isinstance(user, Principal) else None,
        "perms_of": PermissionsShown(user if isinstance(user, Person) else None),
        "may_change": isinstance(user, Operator) and user.is_super_admin,
    }
