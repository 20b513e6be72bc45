"""Who an account of the current realm belongs to: a person of the tenant, or on the platform an operator."""

from collections.abc import Iterator
from contextlib import contextmanager
from zoneinfo import ZoneInfo

from django.utils import timezone, translation

from accounts.identity.realms import current_realm, inside
from accounts.operators.models import Operator
from accounts.people.models import Person
from core.errors import NotFound
from core.tenancy import TenantRef, current
from tenants.preferences.selectors import get_preferences
from tenants.selectors import get_tenant


def owner_of(subject: str) -> Person | Operator | None:
    """Return whose account this is, or None if they never signed in and nobody made them."""
    model: type[Person | Operator] = Person if current() else Operator
    return model.objects.filter(realm_id=current_realm().id, subject=subject).first()


def find_by_email(email: str, *, slug: str | None) -> tuple[TenantRef | None, Person | Operator]:
    """Return whom a command means: somebody of a tenant's team, or without a slug an operator, and where they are.

    Raises NotFound.
    """
    ref = get_tenant(slug).ref if slug else None
    with inside(ref):
        found = (
            Person.objects.filter(email__iexact=email, removed_at=None).first()
            if ref
            else Operator.objects.filter(email__iexact=email).first()
        )
    if found is None:
        raise NotFound
    return ref, found


@contextmanager
def as_they_read(owner: Person | Operator | None) -> Iterator[None]:
    """Speak the owner's language, in their time zone; where they chose none, the workspace's."""
    preferences = get_preferences() if current() else None
    language = (owner.language if owner else "") or (preferences.language if preferences else "")
    zone = (owner.time_zone if owner else "") or (preferences.time_zone if preferences else "")
    with translation.override(language or "en"), timezone.override(ZoneInfo(zone or "UTC")):
        yield
