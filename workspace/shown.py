"""Roles and permissions in the shape that templates take."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from accounts.people.models import Role
from accounts.permissions import Text, registered


@dataclass(frozen=True, slots=True)
class ShownPermission:
    """A permission as the picker shows it; one that is not `free` can be neither given nor taken by who looks."""

    key: str
    label: Text
    is_held: bool
    is_free: bool


@dataclass(frozen=True, slots=True)
class PermissionGroup:
    """The permissions of one group."""

    label: Text
    permissions: list[ShownPermission]


def permission_groups(
    held: Collection[str], *, free: Collection[str] = (), only_held: bool = False
) -> list[PermissionGroup]:
    """Return every permission, or those that are held, in groups as they were registered."""
    groups: dict[str, PermissionGroup] = {}
    for key, permission in registered().items():
        if only_held and key not in held:
            continue
        group = groups.setdefault(str(permission.group), PermissionGroup(permission.group, []))
        group.permissions.append(ShownPermission(key, permission.label, key in held, key in free))
    return list(groups.values())


def show_role(role: Role) -> dict[str, Any]:
    """Return a role of `accounts.people.selectors.list_roles` as lists and pages show it."""
    return {
        "id": role.pk,
        "label": role.shown_label,
        "name": role.name,
        "is_builtin": role.is_builtin,
        "permission_count": len(role.granted),
        "permission_total": len(registered()),
        "people_count": role.people_count,  # type: ignore[attr-defined]
        "url": reverse("role_detail", args=[role.pk]),
        "people_url": f"{reverse('team_list')}?role={role.name}",
    }
