from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts.identity.realms import RealmRef
from accounts.people.models import Person, Role, RoleAssignment
from accounts.people.rights import renew_version
from accounts.principals import MAX_NAME, Principal, name_faults
from core import audit
from core.actors import SYSTEM, Actor
from core.errors import Invalid, NotFound
from core.time_zones import known_time_zones
from events import publish
from plexica_sdk.events import MemberAdded, MemberUpdated, SessionStarted

# what they hold stands in the code: accounts.permissions.held_by_builtin
BUILTIN_ROLES = {"admin": gettext_noop("Admin"), "user": gettext_noop("User"), "guest": gettext_noop("Guest")}


@transaction.atomic
def make_builtin_roles() -> None:
    """Make the roles that every tenant has. Safe to repeat."""
    renew_version()
    for name, label in BUILTIN_ROLES.items():
        Role.objects.get_or_create(name=name, defaults={"label": label, "is_builtin": True})


@transaction.atomic
def add_person(*, realm: RealmRef, subject: str, email: str, name: str, role: str, actor: Actor = SYSTEM) -> Person:
    """Mirror an account of the realm as a member with one role. Safe to repeat: a known person is returned as they are."""
    if known := Person.objects.filter(realm_id=realm.id, subject=subject).first():
        return known
    renew_version()  # before the row: whoever accepts an invitation as the same person has this first, too
    person, created = Person.objects.get_or_create(
        realm_id=realm.id,
        subject=subject,
        defaults={"email": email, "name": name[:120] or email, "realm_name": name[:120]},
    )
    if not created:
        return person
    RoleAssignment.objects.create(person=person, role=Role.objects.get(name=role))
    audit.record(actor=actor, action="member.added", target=person, role=role)
    publish(MemberAdded(person_id=person.pk), actor=actor)
    return person


@transaction.atomic
def record_sign_in(*, person: Person, email: str, name: str, at: datetime | None = None) -> None:
    """Note that a person signed in, and take over what the realm says of them now."""
    person.last_sign_in_at = at or timezone.now()
    person.save(update_fields=["last_sign_in_at"])
    audit.record(actor=person.actor, action="session.started", target=person)
    publish(SessionStarted(person_id=person.pk), actor=person.actor)
    now = Person.objects.select_for_update().get(pk=person.pk)
    if now.removed_at is None:  # in this very moment
        mirror_person(person=now, email=email, name=name)


@transaction.atomic
def mirror_person(*, person: Person, email: str, name: str) -> bool:
    """Take over the address, and the name if the realm has changed it since it was taken over last; say if anything was.

    So a name that somebody gave themselves here stays, until the realm calls them something else. What is empty stays.
    """
    before, known = (person.email, person.name), person.realm_name
    name = name[:MAX_NAME]
    person.email = email or person.email
    if name and known and name != known:
        person.name = name
    person.realm_name = name or known
    if (person.email, person.name) == before:
        if person.realm_name != known:
            person.save(update_fields=["realm_name"])
        return False
    person.save(update_fields=["email", "name", "realm_name"])
    audit.record(actor=SYSTEM, action="member.updated", target=person)
    publish(MemberUpdated(person_id=person.pk))
    return True


@transaction.atomic
def update_profile(
    *, person: Person, name: str | None = None, language: str | None = None, time_zone: str | None = None
) -> Person:
    """Change what a person decides about themselves; what is None stays.

    Raises Invalid, and NotFound for somebody who was removed meanwhile; nothing is written then.
    """
    changes = check_profile(name=name, language=language, time_zone=time_zone)
    if not Person.objects.select_for_update().filter(pk=person.pk, removed_at=None).exists():
        raise NotFound
    _write(person, changes)
    audit.record(actor=person.actor, action="member.updated", target=person)
    publish(MemberUpdated(person_id=person.pk), actor=person.actor)
    return person


def check_profile(
    *, name: str | None = None, language: str | None = None, time_zone: str | None = None
) -> dict[str, str]:
    """Return the cleaned values of a profile, but for those that are None. Raises Invalid."""
    errors: dict[str, list[str]] = {}
    if name is not None and (faults := name_faults(name)):
        errors["name"] = faults
    if language and language not in dict(settings.LANGUAGES):
        errors["language"] = [_("Choose one of the languages.")]
    if time_zone and time_zone not in known_time_zones():
        errors["time_zone"] = [_("Choose one of the time zones.")]
    if errors:
        raise Invalid(errors)
    given = {"name": name and name.strip(), "language": language, "time_zone": time_zone}
    return {field: value for field, value in given.items() if value is not None}


def _write(principal: Principal, changes: dict[str, Any]) -> None:
    for field, value in changes.items():
        setattr(principal, field, value)
    principal.save(update_fields=list(changes))
