"""Keeps people and their accounts at the realm's issuer in step."""

from uuid import UUID

from accounts.identity import provider
from accounts.identity.realms import current_realm
from accounts.people.models import Person
from core.tenancy import current


def settle_account(person_id: UUID) -> None:
    """Disable, enable or delete a person's account at the issuer, as the person is here. Safe to repeat.

    An account of a realm that the tenant has left is let alone. Raises Unavailable.
    """
    person = Person.objects.get(pk=person_id)
    if person.realm_id != current_realm().id:
        return
    if person.removed_at is not None:
        provider().delete_account(current(), person.subject)
    else:
        provider().set_account_active(current(), person.subject, person.is_active)
