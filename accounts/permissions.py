"""Every permission that there is: registered in code by apps, named by a key, shown under a label in a group.

An app lists its permissions in a module and names the list in `settings.PERMISSIONS`. What a role holds are keys; a key
that no code registers any more counts for nothing.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.conf import settings
from django.utils.functional import Promise
from django.utils.module_loading import import_string

Text = str | Promise
Rule = Callable[[Any, Any], bool]
KEY = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
MAX_KEY = 120


@dataclass(frozen=True, slots=True)
class Permission:
    """Something that a person may do.

    `rule(person, thing)` narrows it: of those who hold the permission, who may do it to this thing. `builtin_roles` are
    those that hold it besides `admin`, who holds everything.
    """

    key: str
    label: Text
    group: Text
    builtin_roles: tuple[str, ...] = ()
    rule: Rule | None = None

    def __post_init__(self) -> None:
        if not KEY.fullmatch(self.key) or len(self.key) > MAX_KEY:
            raise ValueError(f"{self.key!r} is no key of a permission: write it like team.invite")


class UnknownPermission(LookupError):
    """A guard or a page asks for a permission that no app registers: a typing mistake."""


@cache
def registered() -> Mapping[str, Permission]:
    """Return every permission by its key, in the order of `settings.PERMISSIONS`."""
    found: dict[str, Permission] = {}
    for path in settings.PERMISSIONS:
        for permission in import_string(path):
            if permission.key in found:
                raise ValueError(f"{permission.key} is registered twice, the second time by {path}")
            found[permission.key] = permission
    return found


def get_permission(key: str) -> Permission:
    """Return a registered permission. Raises UnknownPermission."""
    try:
        return registered()[key]
    except KeyError:
        raise UnknownPermission(f"no app registers the permission {key!r}") from None


@cache
def fingerprint() -> str:
    """Return what tells this code's permissions from another release's: cached sets of both stand side by side."""
    said = repr([(permission.key, permission.builtin_roles) for permission in registered().values()])
    return hashlib.sha256(said.encode()).hexdigest()[:12]


@cache
def held_by_builtin(role: str) -> frozenset[str]:
    """Return what a built-in role may do: it stands in the code, so a new release's permissions reach every tenant."""
    return frozenset(
        key for key, permission in registered().items() if role == "admin" or role in permission.builtin_roles
    )


def known_among(keys: Iterable[str]) -> frozenset[str]:
    """Return those keys that are registered."""
    return frozenset(key for key in keys if key in registered())


def forget() -> None:
    """Read `settings.PERMISSIONS` anew at the next question."""
    for remembered in (registered, fingerprint, held_by_builtin):
        remembered.cache_clear()
