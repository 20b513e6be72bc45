"""Mirrors what the realm says of people: names, addresses, who is disabled and who is gone.

    realm ──names, addresses, disabled, gone──> people
    people ──disabled, enabled, removed──> realm          (`accounts.people.realm`, after each change here)

It never enables anybody: who was disabled here stays out, whatever the realm says, and the realm is told once more. And it
never empties a team: when more accounts are missing at once than `MANY_MISSING` allows, something is wrong with the realm
or the way to it, nobody is removed, and somebody has to look.
"""

from dataclasses import dataclass
from uuid import UUID

import structlog
from django.db import transaction

from accounts.identity import provider
from accounts.identity.port import Account
from accounts.identity.realms import current_realm
from accounts.people.errors import LastAdmin
from accounts.people.models import Person
from accounts.people.realm import settle_account
from accounts.people.services import disable_person, mirror_person, remove_person
from core.actors import SYSTEM
from core.errors import NotFound
from core.tenancy import current

FEW_MISSING, MANY_MISSING = 3, 0.2  # so many people, or this share of the team: whichever is more
log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Synced:
    """What a round through one tenant's people did."""

    people: int = 0
    updated: int = 0
    disabled: int = 0
    removed: int = 0
    told: int = 0  # accounts that were brought into line with the people
    kept: int = 0  # people whose account is gone and who stay: too many at once, or the last admin


def sync_people() -> Synced:
    """Bring the current tenant's people into line with their accounts, one by one. Safe to repeat. Raises Unavailable."""
    realm = current_realm()
    accounts = {account.subject: account for account in provider().list_accounts(current())}
    people = list(Person.objects.filter(realm_id=realm.id, removed_at=None))
    done = Synced(people=len(people))
    missing = [person for person in people if person.subject not in accounts]
    for person in people:
        if account := accounts.get(person.subject):
            _follow(person, account, done)
    if len(missing) > max(FEW_MISSING, MANY_MISSING * len(people)):
        log.error("too_many_accounts_missing", missing=len(missing), people=len(people))
        done.kept = len(missing)
    else:
        for person in missing:
            _remove(person, done)
    return done


def _follow(person: Person, account: Account, done: Synced) -> None:
    if mirror_account(person_id=person.pk, account=account):
        done.updated += 1
    if account.is_active == person.is_active:
        return
    if person.is_active:
        _disable(person, done)
    else:
        settle_account(person.pk)
        done.told += 1


def _disable(person: Person, done: Synced) -> None:
    account = provider().find_account(current(), person.subject)
    if account is None or account.is_active:  # changed while they were listed: the next round sees them as they are
        return
    try:
        disable_person(person_id=person.pk, actor=SYSTEM)
        done.disabled += 1
    except LastAdmin:
        log.warning("last_admin_is_disabled_in_the_realm", person=str(person.pk))
        done.kept += 1
    except NotFound:  # removed meanwhile
        pass


def _remove(person: Person, done: Synced) -> None:
    if provider().find_account(current(), person.subject):  # came while they were listed, or moved to another page
        return
    try:
        remove_person(person_id=person.pk, actor=SYSTEM)
        done.removed += 1
    except LastAdmin:
        log.warning("last_admin_is_gone_from_the_realm", person=str(person.pk))
        done.kept += 1
    except NotFound:
        pass


@transaction.atomic
def mirror_account(*, person_id: UUID, account: Account) -> bool:
    """Take over what the realm says of somebody; say if anything has changed."""
    person = Person.objects.select_for_update().filter(pk=person_id, removed_at=None).first()
    return person is not None and mirror_person(person=person, email=account.email, name=account.name)
