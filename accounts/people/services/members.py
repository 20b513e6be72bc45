"""What is done to somebody of the team: roles given and taken away, disabled and enabled, removed.

What the realm has to be told follows the commit, as a task: until it was, the person is kept out here.
"""

from collections.abc import Collection
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.people.errors import OwnAccount
from accounts.people.models import Person, Role, RoleAssignment
from accounts.people.rights import renew_version
from accounts.people.services.limits import ADMIN, has_role, refuse_beyond, refuse_without_admin
from core import audit
from core.actors import Actor
from core.errors import Invalid, NotFound
from events import publish
from plexica_sdk.events import MemberDisabled, MemberEnabled, MemberRemoved, MemberRolesChanged


@transaction.atomic
def set_roles(*, person_id: UUID, role_ids: Collection[UUID], actor: Actor) -> Person:
    """Give a person these roles and take all others away; in force on their next request. Safe to repeat.

    Raises NotFound, Invalid for a role that is not there, RightsExceeded, LastAdmin; nothing is written then.
    """
    renew_version()
    person = _present(person_id)
    wanted = list(Role.objects.filter(pk__in=role_ids))
    if len(wanted) != len(set(role_ids)):
        raise Invalid({"roles": [_("One of these roles is not there any more.")]})
    held = list(Role.objects.filter(people=person))
    added = [role for role in wanted if role not in held]
    removed = [role for role in held if role not in wanted]
    if not added and not removed:
        return person
    refuse_beyond(actor, roles=[*added, *removed], person=person)
    RoleAssignment.objects.filter(person=person, role__in=removed).delete()
    RoleAssignment.objects.bulk_create(RoleAssignment(person=person, role=role) for role in added)
    if any(role.name == ADMIN for role in removed) and person.is_active:
        refuse_without_admin()
    names: dict[str, Any] = {
        "added": sorted(role.name for role in added),
        "removed": sorted(role.name for role in removed),
    }
    audit.record(actor=actor, action="member.roles_changed", target=person, **names)
    publish(MemberRolesChanged(person_id=person.pk), actor=actor)
    return person


@transaction.atomic
def change_member(
    *, person_id: UUID, actor: Actor, roles: Collection[str] | None = None, is_active: bool | None = None
) -> Person:
    """Set roles, by their names, and whether somebody may sign in; what is None stays. All of it or nothing.

    Raises what `set_roles`, `disable_person` and `enable_person` raise.
    """
    renew_version()
    person = _present(person_id)
    if roles is not None:
        ids = dict(Role.objects.filter(name__in=roles).values_list("name", "id"))
        if unknown := sorted(set(roles) - set(ids)):
            raise Invalid({"roles": [_("There is no role %(name)s.") % {"name": name} for name in unknown]})
        person = set_roles(person_id=person_id, role_ids=set(ids.values()), actor=actor)
    if is_active is not None:
        change = enable_person if is_active else disable_person
        person = change(person_id=person_id, actor=actor)
    return person


@transaction.atomic
def disable_person(*, person_id: UUID, actor: Actor) -> Person:
    """Keep somebody out from the commit on; everything of theirs stays. Safe to repeat.

    Raises NotFound, OwnAccount, RightsExceeded, LastAdmin.
    """
    person = _to_shut_out(person_id, actor)
    if not person.is_active:
        return person
    person.is_active = False
    person.save(update_fields=["is_active"])
    if has_role(person.pk, ADMIN):
        refuse_without_admin()
    _end_sessions(person, actor)
    audit.record(actor=actor, action="member.disabled", target=person)
    publish(MemberDisabled(person_id=person.pk), actor=actor)
    _tell_the_realm(person)
    return person


@transaction.atomic
def enable_person(*, person_id: UUID, actor: Actor) -> Person:
    """Let somebody who was disabled sign in again. Safe to repeat. Raises NotFound, RightsExceeded."""
    renew_version()
    person = _present(person_id)
    refuse_beyond(actor, person=person)
    if person.is_active:
        return person
    person.is_active = True
    person.save(update_fields=["is_active"])
    audit.record(actor=actor, action="member.enabled", target=person)
    publish(MemberEnabled(person_id=person.pk), actor=actor)
    _tell_the_realm(person)
    return person


@transaction.atomic
def remove_person(*, person_id: UUID, actor: Actor) -> None:
    """Take somebody out of the team for good. The row stays, without what says who it was.

    Roles are taken away and the account at the issuer is deleted. The audit log loses the name, too, a moment later.

    Raises NotFound, OwnAccount, RightsExceeded, LastAdmin.
    """
    person = _to_shut_out(person_id, actor)
    was_admin = has_role(person.pk, ADMIN)
    _end_sessions(person, actor)
    audit.record(actor=actor, action="member.removed", target=person)
    RoleAssignment.objects.filter(person=person).delete()
    person.is_active, person.removed_at = False, timezone.now()
    person.name = person.realm_name = person.email = person.language = person.time_zone = ""
    person.save()
    if was_admin:
        refuse_without_admin()
    publish(MemberRemoved(person_id=person.pk), actor=actor)
    _tell_the_realm(person)
    _forget_the_name()


def _present(person_id: UUID) -> Person:
    person = Person.objects.select_for_update().filter(pk=person_id, removed_at=None).first()
    if person is None:
        raise NotFound
    return person


def _to_shut_out(person_id: UUID, actor: Actor) -> Person:
    renew_version()
    person = _present(person_id)
    if person.pk == actor.id:
        raise OwnAccount
    refuse_beyond(actor, person=person)
    return person


def _end_sessions(person: Person, actor: Actor) -> None:
    """End them for good: somebody who is let in again later signs in anew."""
    from accounts.sessions.services import end_sessions_of  # it needs this package

    end_sessions_of(principal=person, actor=actor)


def _tell_the_realm(person: Person) -> None:
    from accounts.tasks import settle_account

    # they are kept out here whatever the realm says; an hourly job finds what it was not told
    transaction.on_commit(partial(settle_account.delay, str(person.pk)), robust=True)


def _forget_the_name() -> None:
    from accounts.tasks import forget_names

    transaction.on_commit(forget_names.delay, robust=True)  # a daily job finds it, too
