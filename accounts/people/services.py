from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts.identity.realms import RealmRef
from accounts.people.models import Person, Role, RoleAssignment
from accounts.principals import Principal
from core import audit
from core.actors import SYSTEM, Actor
from core.errors import Invalid
from core.time_zones import known_time_zones
from events import publish
from plexica_sdk.events import MemberAdded, MemberUpdated, SessionStarted

BUILTIN_ROLES = {
    "admin": (gettext_noop("Admin"), ["team.view", "settings.manage"]),
    "user": (gettext_noop("User"), ["team.view"]),
    "guest": (gettext_noop("Guest"), []),
}


@transaction.atomic
def make_builtin_roles() -> None:
    """Make the roles that every tenant has. Safe to repeat."""
    for name, (label, permissions) in BUILTIN_ROLES.items():
        Role.objects.get_or_create(name=name, defaults={"label": label, "permissions": permissions, "is_builtin": True})


@transaction.atomic
def add_person(*, realm: RealmRef, subject: str, email: str, name: str, role: str, actor: Actor = SYSTEM) -> Person:
    """Mirror an account of the realm as a member with one role. Safe to repeat: a known person is returned as they are."""
    person, created = Person.objects.get_or_create(
        realm_id=realm.id, subject=subject, defaults={"email": email, "name": name[:120] or email}
    )
    if not created:
        return person
    RoleAssignment.objects.create(person=person, role=Role.objects.get(name=role))
    audit.record(actor=actor, action="member.added", target=person, role=role)
    publish(MemberAdded(person_id=person.pk), actor=actor)
    return person


@transaction.atomic
def record_sign_in(*, person: Person, email: str, at: datetime | None = None) -> None:
    """Note that a person signed in, and what the realm says of them now."""
    person.last_sign_in_at = at or timezone.now()
    person.email = email or person.email
    person.save(update_fields=["last_sign_in_at", "email"])
    audit.record(actor=person.actor, action="session.started", target=person)
    publish(SessionStarted(person_id=person.pk), actor=person.actor)


@transaction.atomic
def update_profile(*, person: Person, name: str, language: str, time_zone: str) -> Person:
    """Change what a person decides about themselves. Raises Invalid; nothing is written then."""
    changes = check_profile(name=name, language=language, time_zone=time_zone)
    _write(person, changes)
    audit.record(actor=person.actor, action="member.updated", target=person)
    publish(MemberUpdated(person_id=person.pk), actor=person.actor)
    return person


def check_profile(*, name: str, language: str, time_zone: str) -> dict[str, str]:
    """Return the cleaned values of a profile. Raises Invalid."""
    errors: dict[str, list[str]] = {}
    if not name.strip() or len(name) > 120:
        errors["name"] = [_("Enter a name of at most 120 characters.")]
    if language and language not in dict(settings.LANGUAGES):
        errors["language"] = [_("Choose one of the languages.")]
    if time_zone and time_zone not in known_time_zones():
        errors["time_zone"] = [_("Choose one of the time zones.")]
    if errors:
        raise Invalid(errors)
    return {"name": name.strip(), "language": language, "time_zone": time_zone}


def _write(principal: Principal, changes: dict[str, Any]) -> None:
    for field, value in changes.items():
        setattr(principal, field, value)
    principal.save(update_fields=list(changes))
