"""Makes, changes and deletes a tenant's own roles. Nobody puts into a role what they do not hold themselves."""

from collections.abc import Collection
from uuid import UUID

from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from accounts.people.errors import RoleBuiltin, RoleChanged
from accounts.people.models import Role
from accounts.people.rights import renew_version
from accounts.people.services.limits import refuse_beyond
from accounts.permissions import known_among
from core import audit
from core.actors import Actor
from core.errors import Invalid, NotFound
from events import publish
from plexica_sdk.events import RoleChanged as RoleChangedEvent
from plexica_sdk.events import RoleDeleted, RoleMade

MAX_LABEL = 80


@transaction.atomic
def make_role(*, label: str, permissions: Collection[str], actor: Actor) -> Role:
    """Make a role. Raises Invalid, or RightsExceeded for permissions that who makes it does not hold."""
    renew_version()
    label = _checked_label(label)
    keys = _checked_keys(permissions)
    refuse_beyond(actor, keys=keys)
    role = Role.objects.create(name=_free_name(label), label=label, permissions=keys)
    audit.record(actor=actor, action="role.made", target=role, permissions=keys)
    publish(RoleMade(role_id=role.pk), actor=actor)
    return role


@transaction.atomic
def change_role(
    *,
    role_id: UUID,
    actor: Actor,
    label: str | None = None,
    permissions: Collection[str] | None = None,
    expected_version: int | None = None,
) -> Role:
    """Rename a role or change what it holds; what is None stays. In force on the next request of everybody who has it.

    Safe to repeat: the same again changes nothing.

    Raises NotFound, RoleBuiltin, RoleChanged, Invalid, or RightsExceeded for a role that held or would hold more than who
    changes it.
    """
    renew_version()
    role = _own_role(role_id, expected_version)
    before, label_before = list(role.permissions), role.label
    refuse_beyond(actor, roles=[role])
    if label is not None:
        role.label = _checked_label(label, role)
    if permissions is not None:
        asleep = set(before) - known_among(before)  # of an app that is not installed at the moment
        role.permissions = sorted({*_checked_keys(permissions), *asleep})
        refuse_beyond(actor, keys=role.permissions)
    if (role.permissions, role.label) == (before, label_before):
        return role
    role.version += 1
    role.save(update_fields=["label", "permissions", "version"])
    added, removed = sorted({*role.permissions} - {*before}), sorted({*before} - {*role.permissions})
    audit.record(actor=actor, action="role.changed", target=role, added=added, removed=removed)
    publish(RoleChangedEvent(role_id=role.pk), actor=actor)
    return role


@transaction.atomic
def delete_role(*, role_id: UUID, actor: Actor, expected_version: int | None = None) -> int:
    """Delete a role and take it away from everybody who has it; return from how many.

    Raises NotFound, RoleBuiltin, RoleChanged, RightsExceeded.
    """
    renew_version()
    role = _own_role(role_id, expected_version)
    refuse_beyond(actor, roles=[role])
    people = role.people.count()
    audit.record(actor=actor, action="role.deleted", target=role, people=people)
    publish(RoleDeleted(role_id=role.pk), actor=actor)
    role.delete()
    return people


def _own_role(role_id: UUID, expected_version: int | None) -> Role:
    role = Role.objects.select_for_update().filter(pk=role_id).first()
    if role is None:
        raise NotFound
    if role.is_builtin:
        raise RoleBuiltin(name=role.shown_label)
    if expected_version is not None and role.version != expected_version:
        raise RoleChanged(name=role.label, version=role.version)
    return role


def _checked_label(label: str, role: Role | None = None) -> str:
    label = " ".join(label.split())
    if not label or len(label) > MAX_LABEL:
        raise Invalid({"label": [_("Enter a name of at most %(count)d characters.") % {"count": MAX_LABEL}]})
    others = Role.objects.exclude(pk=role.pk) if role else Role.objects.all()
    taken = {text.casefold() for other in others for text in (other.label, other.shown_label)}
    if label.casefold() in taken:
        raise Invalid({"label": [_("There is a role with this name already.")]})
    return label


def _checked_keys(permissions: Collection[str]) -> list[str]:
    unknown = sorted(set(permissions) - known_among(permissions))
    if unknown:
        raise Invalid({"permissions": [_("There is no permission %(key)s.") % {"key": key} for key in unknown]})
    return sorted(set(permissions))


def _free_name(label: str) -> str:
    """Return a name for programs that no role has: what is left of the label in ASCII, with a number if need be."""
    stem = slugify(label)[:40] or "role"
    taken = set(Role.objects.filter(name__startswith=stem).values_list("name", flat=True))
    return next(name for name in (stem, *(f"{stem}-{number}" for number in range(2, 10_000))) if name not in taken)
