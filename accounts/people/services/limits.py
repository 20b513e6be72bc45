"""How far somebody's changes of rights may go: never beyond what they hold, and never so far that no admin is left.

Ask these inside the transaction of the change, after `renew_version`: what they read then stays as it is until the commit.
"""

from collections.abc import Iterable
from uuid import UUID

from accounts.clients.models import ApiClient
from accounts.people.errors import LastAdmin, RightsExceeded
from accounts.people.models import Person, Role, RoleAssignment
from accounts.people.rights import read_rights
from accounts.permissions import known_among
from core.actors import Actor

ADMIN = "admin"


def missing_for(
    who: UUID | None, *, keys: Iterable[str] = (), roles: Iterable[Role] = (), person: Person | None = None
) -> list[str]:
    """Return what a person or API client lacks to give or take these keys and roles, or to deal with `person`.

    Who is disabled or revoked lacks all of it.

    The role admin is more than all that is registered today: only admins deal with it.
    """
    roles = list(roles)
    wanted = set(keys).union(*(role.granted for role in roles))
    touches_admin = any(role.name == ADMIN for role in roles)
    if person is not None:
        wanted |= read_rights(person.pk)
        touches_admin |= has_role(person.pk, ADMIN)
    return _lacking(wanted, touches_admin, *_held_by(who))


def roles_within(who: UUID, roles: Iterable[Role]) -> set[UUID]:
    """Return the ids of those roles that somebody may give and take: `missing_for` of each, asked once for all."""
    held = _held_by(who)
    return {role.pk for role in roles if not _lacking(role.granted, role.name == ADMIN, *held)}


def _held_by(who: UUID | None) -> tuple[frozenset[str], bool]:
    """Return the keys that a person or API client holds now, and whether it is an admin."""
    if who is None or not Person.objects.filter(pk=who, is_active=True).exists():
        return _held_by_client(who), False
    return read_rights(who), has_role(who, ADMIN)


def _lacking(wanted: Iterable[str], touches_admin: bool, own: frozenset[str], is_admin: bool) -> list[str]:
    missing = sorted(known_among(wanted) - own)
    return [*missing, ADMIN] if touches_admin and not is_admin else missing


def _held_by_client(who: UUID | None) -> frozenset[str]:
    client = ApiClient.objects.filter(pk=who).first() if who else None
    return client.granted if client and client.is_active else frozenset()


def refuse_beyond(
    actor: Actor, *, keys: Iterable[str] = (), roles: Iterable[Role] = (), person: Person | None = None
) -> None:
    """Refuse keys, roles and people that hold more than who acts. The platform itself and operators hold everything.

    Raises RightsExceeded.
    """
    if actor.kind in ("system", "operator"):
        return
    if missing := missing_for(actor.id, keys=keys, roles=roles, person=person):
        raise RightsExceeded(missing=", ".join(missing))


def has_role(person_id: UUID, name: str) -> bool:
    """Say whether a person has a role now."""
    return RoleAssignment.objects.filter(person_id=person_id, role__name=name).exists()


def refuse_without_admin() -> None:
    """Refuse if no active person is left with the role admin. Raises LastAdmin, which undoes the change."""
    if not Person.objects.filter(is_active=True, roles__name=ADMIN).exists():
        raise LastAdmin
