"""Accounts for people whose rows came without: a tenant was restored whose realm was at a Keycloak."""

from django.db import transaction

from accounts.identity import provider
from accounts.identity.realms import inside
from accounts.people.models import Person
from core.tenancy import TenantRef


def make_missing_accounts(ref: TenantRef) -> list[str]:
    """Make an account for everybody in the current realm who has none; return their subjects. Safe to repeat."""
    with inside(ref), transaction.atomic():
        people = list(Person.objects.filter(realm__is_current=True, removed_at=None))
    if not people:
        return []
    known = {account.subject for account in provider().list_accounts(ref)}
    made = []
    for person in people:
        if person.subject in known:
            continue
        account = provider().make_account(ref, email=person.email, name=person.name)
        if not person.is_active:
            provider().set_account_active(ref, account.subject, False)
        with inside(ref), transaction.atomic():
            Person.objects.filter(pk=person.pk).update(subject=account.subject)
        made += [account.subject] if person.is_active else []
    return made
