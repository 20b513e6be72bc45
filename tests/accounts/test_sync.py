"""People follow their accounts in the realm: names, addresses, disabled, gone."""

import json
from dataclasses import replace
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.identity import provider
from accounts.identity.builtin.provider import BuiltinProvider
from accounts.identity.models import Account
from accounts.identity.realms import current_realm
from accounts.people.models import Person
from accounts.people.services import add_person, disable_person, update_profile
from accounts.people.sync import Synced, sync_people
from core.actors import SYSTEM
from core.audit.models import AuditEntry
from core.tenancy import enter, enter_platform
from events.outbox.models import OutboxMessage

PASSWORD = "plain words for tests 7"


@pytest.fixture
def tenant(new_tenant):
    """A tenant whose people have accounts, entered: the first admin and five more."""
    ref = new_tenant().ref
    with enter(ref):
        for number in range(5):
            email = f"p{number}@x.example"
            account = provider().make_account(ref, email=email, name=f"Person {number}", password=PASSWORD)
            add_person(
                realm=current_realm(), subject=account.subject, email=email, name=f"Person {number}", role="user"
            )
        yield ref


def account_of(person):
    return Account.objects.filter(pk=person.subject)


def person(number):
    return Person.objects.get(email=f"p{number}@x.example")


def test_nothing_to_do_is_nothing_done(tenant):
    sync_people()
    entries = AuditEntry.objects.count()

    assert sync_people() == Synced(people=6)
    assert AuditEntry.objects.count() == entries


def test_names_and_addresses_follow_the_realm(tenant):
    who = person(1)
    account_of(who).update(name="Married Name", email="new@x.example")

    assert sync_people() == Synced(people=6, updated=1)

    who.refresh_from_db()
    assert (who.name, who.email) == ("Married Name", "new@x.example")
    assert AuditEntry.objects.filter(action="member.updated", target_id=who.pk, actor_kind="system").count() == 1


def test_a_name_that_somebody_gave_themselves_stays_until_the_realm_says_another(tenant):
    who = person(1)
    update_profile(person=who, name="Nickname", language="", time_zone="")
    sync_people()
    assert Person.objects.get(pk=who.pk).name == "Nickname"

    account_of(who).update(name="Official Name")
    sync_people()

    assert Person.objects.get(pk=who.pk).name == "Official Name"


def test_a_sign_in_takes_over_what_the_realm_says_now_and_says_so_once(tenant, visitor, committed):
    who = person(3)
    sync_people()
    account_of(who).update(name="Married Name", email="new@x.example")
    noted = AuditEntry.objects.filter(action="member.updated", target_id=who.pk)
    told = OutboxMessage.objects.filter(name="plexica.member.updated", payload__person_id=str(who.pk))

    with enter_platform():
        visitor(tenant).sign_in("new@x.example", PASSWORD)

    who.refresh_from_db()
    assert (who.name, who.email) == ("Married Name", "new@x.example")
    assert noted.count() == 1
    with enter_platform():
        visitor(tenant).sign_in("new@x.example", PASSWORD)
        assert told.count() == 1
    assert noted.count() == 1


def test_who_is_disabled_in_the_realm_is_disabled_here(tenant):
    who = person(2)
    account_of(who).update(is_active=False)

    assert sync_people() == Synced(people=6, disabled=1)

    assert not Person.objects.get(pk=who.pk).is_active
    assert sync_people() == Synced(people=6)


def test_who_was_disabled_here_is_never_enabled_by_the_realm(tenant):
    who = person(2)
    disable_person(person_id=who.pk, actor=SYSTEM)  # and the message to the realm was lost

    assert sync_people() == Synced(people=6, told=1)

    assert not Person.objects.get(pk=who.pk).is_active
    assert not account_of(who).get().is_active


def test_who_is_gone_from_the_realm_is_removed_here(tenant):
    who = person(3)
    provider().delete_account(tenant, who.subject)

    assert sync_people() == Synced(people=6, removed=1)

    who.refresh_from_db()
    assert (who.name, who.email, who.is_active) == ("", "", False)


def test_who_was_not_listed_and_is_in_the_realm_stays(tenant, monkeypatch):
    who, listed = person(3), BuiltinProvider.list_accounts
    monkeypatch.setattr(
        BuiltinProvider, "list_accounts", lambda *words: [one for one in listed(*words) if one.subject != who.subject]
    )

    assert sync_people() == Synced(people=6)

    assert Person.objects.get(pk=who.pk).is_active


def test_who_was_listed_as_disabled_and_is_not_stays_enabled(tenant, monkeypatch):
    who, listed = person(3), BuiltinProvider.list_accounts
    monkeypatch.setattr(
        BuiltinProvider,
        "list_accounts",
        lambda *words: [replace(one, is_active=one.subject != who.subject) for one in listed(*words)],
    )

    assert sync_people() == Synced(people=6)

    assert Person.objects.get(pk=who.pk).is_active


def test_an_empty_realm_removes_nobody(tenant):
    for who in Person.objects.all():
        provider().delete_account(tenant, who.subject)

    assert sync_people() == Synced(people=6, kept=6)

    assert Person.objects.filter(removed_at=None, is_active=True).count() == 6


@pytest.mark.parametrize("how", ["disabled", "gone"])
def test_the_last_admin_stays_whatever_the_realm_says(how, tenant):
    admin = Person.objects.get(roles__name="admin")
    if how == "gone":
        provider().delete_account(tenant, admin.subject)
    else:
        account_of(admin).update(is_active=False)

    assert sync_people() == Synced(people=6, kept=1)

    assert Person.objects.get(pk=admin.pk).is_active


def test_people_of_a_realm_that_the_tenant_left_are_let_alone(tenant):
    from accounts.identity.models import Realm

    old = Realm.objects.create(provider="builtin", client_id="old", client_secret="", is_current=False)
    Person.objects.create(realm=old, subject="old", email="old@x.example", name="Old")

    assert sync_people() == Synced(people=6)


def test_the_command_says_what_it_did(tenant):
    said = StringIO()

    with enter_platform():
        call_command("sync_people", tenant.slug, "--json", stdout=said)

    assert json.loads(said.getvalue())["people"] == 6


def test_the_command_fails_when_somebody_has_to_look(tenant):
    account_of(Person.objects.get(roles__name="admin")).update(is_active=False)

    with enter_platform(), pytest.raises(CommandError, match="look at the realm"):
        call_command("sync_people", tenant.slug, stdout=StringIO())


def test_the_job_goes_through_every_tenant(tenant):
    from accounts.tasks import sync_people as job

    who = person(2)
    account_of(who).update(is_active=False)

    with enter_platform():
        job()

    assert not Person.objects.get(pk=who.pk).is_active
