"""Roles and people are changed: by whom, how far, and what it leaves behind."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

import pytest
from django.db import connections

from accounts.identity import provider
from accounts.people import rights
from accounts.people.errors import LastAdmin, OwnAccount, RightsExceeded, RoleBuiltin, RoleChanged
from accounts.people.forgetting import forget_names
from accounts.people.models import Person, Role, RoleAssignment
from accounts.people.realm import settle_account
from accounts.people.selectors import list_people
from accounts.people.services import (
    add_person,
    change_member,
    change_role,
    delete_role,
    disable_person,
    enable_person,
    make_role,
    remove_person,
    set_roles,
)
from core.actors import SYSTEM, Actor
from core.audit.models import AuditEntry
from core.errors import Invalid, NotFound
from core.tenancy import enter, enter_platform
from events.outbox.models import OutboxMessage
from tests.support.sessions import find_as_request


@pytest.fixture
def who(db, acme, world):
    """A person of acme-corp as they are now, inside acme-corp: `who("owner")`."""
    with enter(acme):
        yield lambda name: Person.objects.get(email=world.person(name).email)


@pytest.fixture
def role_of():
    """A role's id by its name."""
    return lambda name: Role.objects.get(name=name).pk


@pytest.fixture
def manager(who):
    """The member, who may also manage the team and roles, as an actor."""
    role = make_role(label="Managers", permissions=["team.view", "team.manage", "role.manage"], actor=SYSTEM)
    set_roles(person_id=who("member").pk, role_ids=[role.pk], actor=SYSTEM)
    return who("member").actor


def state():
    """All that a refused change must leave as it was."""
    return (
        sorted(Role.objects.values_list("name", "label", "permissions", "version")),
        sorted(RoleAssignment.objects.values_list("person_id", "role__name")),
        sorted(Person.objects.values_list("id", "name", "is_active", "removed_at")),
        AuditEntry.objects.count(),
    )


@pytest.fixture
def untouched(who):
    """What there was at the beginning is there at the end."""
    before: list = []
    yield lambda: before.append(state())
    assert before == [state()]


def last_entry():
    entry = AuditEntry.objects.order_by("-id").first()
    return entry.action, entry.actor_name, entry.facts


# --- roles -----------------------------------------------------------------------------------------------------------


def test_a_role_is_made_changed_and_deleted(who, role_of):
    admin = who("owner").actor

    role = make_role(label="  Front   desk ", permissions=["team.view", "team.invite"], actor=admin)
    assert (role.name, role.label, role.version) == ("front-desk", "Front desk", 1)
    assert last_entry() == ("role.made", admin.name, {"permissions": ["team.invite", "team.view"]})

    set_roles(person_id=who("guest").pk, role_ids=[role.pk], actor=admin)
    changed = change_role(role_id=role.pk, permissions=["team.view"], actor=admin, expected_version=1)
    assert (changed.version, changed.name) == (2, "front-desk")
    assert last_entry() == ("role.changed", admin.name, {"added": [], "removed": ["team.invite"]})
    assert rights.read_rights(who("guest").pk) == {"team.view"}

    assert delete_role(role_id=role.pk, actor=admin, expected_version=2) == 1
    assert last_entry() == ("role.deleted", admin.name, {"people": 1})
    assert rights.read_rights(who("guest").pk) == frozenset()


def test_each_change_is_told(who):
    role = make_role(label="Told", permissions=[], actor=SYSTEM)
    guest = who("guest").pk
    set_roles(person_id=guest, role_ids=[role.pk], actor=SYSTEM)
    change_role(role_id=role.pk, label="Retold", actor=SYSTEM)
    disable_person(person_id=guest, actor=SYSTEM)
    enable_person(person_id=guest, actor=SYSTEM)
    remove_person(person_id=guest, actor=SYSTEM)
    delete_role(role_id=role.pk, actor=SYSTEM)

    with enter_platform():
        told = list(OutboxMessage.objects.exclude(name="plexica.session.ended").order_by("-id")[:7])[::-1]
    names = [message.name.removeprefix("plexica.") for message in told]
    assert names == [
        "role.made", "member.roles_changed", "role.changed", "member.disabled", "member.enabled", "member.removed",
        "role.deleted",
    ]  # fmt: skip
    payloads = [{"role_id": str(role.pk)}, {"person_id": str(guest)}]
    assert all(message.payload in payloads for message in told)


@pytest.mark.parametrize("label", ["", "   ", "x" * 81, "Admin", "admin", "AMMINISTRATORE", "Taken", " tAKEN "])
def test_a_role_needs_a_name_of_its_own(label, who, untouched):
    from django.utils import translation

    make_role(label="Taken", permissions=[], actor=SYSTEM)
    untouched()
    with translation.override("it"), pytest.raises(Invalid) as refusal:
        make_role(label=label, permissions=[], actor=SYSTEM)

    assert set(refusal.value.facts["errors"]) == {"label"}


def test_roles_with_names_that_look_alike_to_programs_are_told_apart(who):
    names = [make_role(label=label, permissions=[], actor=SYSTEM).name for label in ("Büro", "Buro", "経理", "営業")]

    assert names == ["buro", "buro-2", "role", "role-2"]


def test_a_permission_that_there_is_not_is_refused(who, untouched):
    untouched()
    with pytest.raises(Invalid) as refusal:
        make_role(label="Wrong", permissions=["team.view", "team.fly", "x"], actor=SYSTEM)

    assert len(refusal.value.facts["errors"]["permissions"]) == 2


def test_what_an_app_that_is_away_had_registered_stays_in_the_role(who):
    role = Role.objects.create(name="old", label="Old", permissions=["gone.plugin.see", "team.view"])

    change_role(role_id=role.pk, permissions=["team.invite"], actor=SYSTEM)

    assert Role.objects.get(pk=role.pk).permissions == ["gone.plugin.see", "team.invite"]


@pytest.mark.parametrize("name", ["admin", "user", "guest"])
def test_builtin_roles_stay_as_they_are(name, who, role_of, untouched):
    untouched()
    for change in (
        partial(change_role, label="Mine"),
        partial(change_role, permissions=[]),
        delete_role,
    ):
        with pytest.raises(RoleBuiltin):
            change(role_id=role_of(name), actor=SYSTEM)


def test_the_second_of_two_tabs_is_told(who, untouched):
    role = make_role(label="Tabs", permissions=["team.view"], actor=SYSTEM)
    change_role(role_id=role.pk, permissions=["team.invite"], actor=SYSTEM, expected_version=1)
    untouched()
    for second in (partial(change_role, permissions=[]), delete_role):
        with pytest.raises(RoleChanged) as refusal:
            second(role_id=role.pk, actor=SYSTEM, expected_version=1)

    assert refusal.value.facts == {"name": "Tabs", "version": 2}


def test_a_role_that_is_not_there_cannot_be_changed(who, globex):
    with enter(globex):
        theirs = make_role(label="Theirs", permissions=[], actor=SYSTEM).pk

    for change in (change_role, delete_role):
        with pytest.raises(NotFound):
            change(role_id=theirs, actor=SYSTEM)


# --- nobody gives rights that they do not have -----------------------------------------------------------------------


def test_nobody_puts_more_into_a_role_than_they_hold(manager, who, untouched):
    own = make_role(label="Own", permissions=["team.view"], actor=manager)
    untouched()
    for change in (
        partial(make_role, label="More", permissions=["settings.manage"]),
        partial(change_role, role_id=own.pk, permissions=["team.view", "settings.manage"]),
    ):
        with pytest.raises(RightsExceeded) as refusal:
            change(actor=manager)
        assert refusal.value.facts == {"missing": "settings.manage"}


def test_nobody_gains_by_editing_a_role_they_have(manager, who, role_of, untouched):
    untouched()
    with pytest.raises(RightsExceeded):
        change_role(role_id=role_of("managers"), permissions=["team.manage", "api_client.manage"], actor=manager)


def test_nobody_changes_or_deletes_a_role_that_holds_more(manager, who, untouched):
    strong = make_role(label="Strong", permissions=["settings.manage"], actor=SYSTEM)
    untouched()
    for change in (partial(change_role, permissions=[]), partial(change_role, label="Weak"), delete_role):
        with pytest.raises(RightsExceeded):
            change(role_id=strong.pk, actor=manager)


@pytest.mark.parametrize("target", ["guest", "member"])
def test_nobody_gives_a_role_that_holds_more_not_even_to_themselves(target, manager, who, role_of, untouched):
    make_role(label="Strong", permissions=["settings.manage"], actor=SYSTEM)
    held = list(RoleAssignment.objects.filter(person=who(target)).values_list("role_id", flat=True))
    untouched()
    for name in ("admin", "strong"):
        with pytest.raises(RightsExceeded):
            set_roles(person_id=who(target).pk, role_ids=[*held, role_of(name)], actor=manager)


def test_all_permissions_together_are_not_the_role_admin(who, role_of, untouched):
    from accounts.permissions import registered

    everything = make_role(label="Everything", permissions=list(registered()), actor=SYSTEM)
    set_roles(person_id=who("member").pk, role_ids=[everything.pk], actor=SYSTEM)
    actor = who("member").actor
    untouched()
    for change in (
        partial(set_roles, person_id=who("guest").pk, role_ids=[role_of("admin")]),
        partial(set_roles, person_id=who("owner").pk, role_ids=[]),
        partial(disable_person, person_id=who("owner").pk),
        partial(remove_person, person_id=who("owner").pk),
    ):
        with pytest.raises(RightsExceeded) as refusal:
            change(actor=actor)
        assert refusal.value.facts == {"missing": "admin"}


@pytest.mark.parametrize("change", [disable_person, remove_person, enable_person])
def test_nobody_shuts_out_or_lets_in_who_holds_more(change, manager, who, untouched):
    untouched()
    with pytest.raises(RightsExceeded):
        change(person_id=who("owner").pk, actor=manager)


def test_who_was_disabled_a_moment_ago_does_nothing_more(manager, who, role_of, untouched):
    disable_person(person_id=who("member").pk, actor=SYSTEM)
    untouched()
    for change in (
        partial(set_roles, person_id=who("guest").pk, role_ids=[role_of("managers")]),
        partial(make_role, label="Late", permissions=["team.view"]),
    ):
        with pytest.raises(RightsExceeded):
            change(actor=manager)


def test_a_manager_manages_those_who_hold_less(manager, who, role_of):
    set_roles(person_id=who("guest").pk, role_ids=[role_of("guest"), role_of("user")], actor=manager)
    disable_person(person_id=who("guest").pk, actor=manager)
    enable_person(person_id=who("guest").pk, actor=manager)

    assert rights.read_rights(who("guest").pk) == {"team.view"}
    assert who("guest").is_active


# --- people ----------------------------------------------------------------------------------------------------------


def test_several_roles_are_given_and_taken_away(who, role_of):
    admin = who("owner").actor

    set_roles(person_id=who("guest").pk, role_ids=[role_of("user"), role_of("admin")], actor=admin)

    assert sorted(who("guest").roles.values_list("name", flat=True)) == ["admin", "user"]
    assert last_entry() == ("member.roles_changed", admin.name, {"added": ["admin", "user"], "removed": ["guest"]})


def test_giving_what_somebody_has_already_is_no_change(who, role_of, untouched):
    untouched()
    set_roles(person_id=who("guest").pk, role_ids=[role_of("guest")], actor=who("owner").actor)


def test_a_role_that_was_deleted_meanwhile_cannot_be_given(who, role_of, untouched):
    from core.ids import uuid7

    untouched()
    with pytest.raises(Invalid):
        set_roles(person_id=who("guest").pk, role_ids=[role_of("user"), uuid7()], actor=SYSTEM)
    with pytest.raises(Invalid):
        change_member(person_id=who("guest").pk, roles=["user", "nobody"], actor=SYSTEM)


def test_a_change_of_both_is_all_or_nothing(who, untouched):
    untouched()
    with pytest.raises(OwnAccount):
        change_member(person_id=who("owner").pk, roles=["admin", "user"], is_active=False, actor=who("owner").actor)


@pytest.mark.parametrize("actor_is_system", [True, False])
def test_the_last_admin_stays(actor_is_system, who, role_of, untouched):
    actor = SYSTEM if actor_is_system else who("owner").actor
    untouched()
    with pytest.raises(LastAdmin):
        set_roles(person_id=who("owner").pk, role_ids=[role_of("user")], actor=actor)
    for change in (disable_person, remove_person):
        with pytest.raises(LastAdmin if actor_is_system else OwnAccount):
            change(person_id=who("owner").pk, actor=actor)


def test_a_disabled_admin_is_no_admin_who_is_left(who, role_of):
    set_roles(person_id=who("member").pk, role_ids=[role_of("admin")], actor=SYSTEM)
    disable_person(person_id=who("member").pk, actor=SYSTEM)

    with pytest.raises(LastAdmin):
        disable_person(person_id=who("owner").pk, actor=SYSTEM)

    set_roles(person_id=who("member").pk, role_ids=[], actor=SYSTEM)  # they were none who counted


@pytest.mark.parametrize("change", ["demote", "disable", "remove"])
def test_two_admins_cannot_shut_each_other_out_at_once(change, new_tenant):
    tenant = new_tenant()
    with enter(tenant.ref):
        realm = Person.objects.get().realm
        second = Person.objects.create(realm=realm, subject="second", email="s@x.example", name="Second")
        admin = Role.objects.get(name="admin")
        RoleAssignment.objects.create(person=second, role=admin)
        people = list(Person.objects.all())
    both_ready = Barrier(2)

    def shut_out(actor: Actor, person_id) -> object:
        try:
            with enter(tenant.ref):
                both_ready.wait(10)
                if change == "demote":
                    set_roles(person_id=person_id, role_ids=[], actor=actor)
                else:
                    {"disable": disable_person, "remove": remove_person}[change](person_id=person_id, actor=actor)
                return "done"
        except (LastAdmin, RightsExceeded) as refusal:
            return type(refusal)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(shut_out, one.actor, other.pk) for one, other in (people, people[::-1])]
        outcomes = [answer.result(30) for answer in asked]

    assert sorted(map(str, outcomes))[1] == "done"
    assert outcomes.count("done") == 1
    with enter(tenant.ref):
        assert Person.objects.filter(is_active=True, roles__name="admin").count() == 1


def test_who_is_disabled_is_out_at_once_and_comes_back_as_they_were(who):
    member = who("member")

    disable_person(person_id=member.pk, actor=SYSTEM)
    assert find_as_request(member.pk) is None

    enable_person(person_id=member.pk, actor=SYSTEM)
    assert find_as_request(member.pk) is not None
    assert rights.read_rights(member.pk) == {"team.view"}


def test_the_realm_is_told(new_tenant):
    from accounts.identity.models import Account

    tenant = new_tenant()
    with enter(tenant.ref):
        account = provider().make_account(tenant.ref, email="left@x.example", name="Left", password="plain words 7")
        from accounts.identity.realms import current_realm

        person = add_person(
            realm=current_realm(), subject=account.subject, email="left@x.example", name="Left", role="user"
        )
        disable_person(person_id=person.pk, actor=SYSTEM)
        settle_account(person.pk)
        assert not Account.objects.get(pk=account.subject).is_active

        enable_person(person_id=person.pk, actor=SYSTEM)
        settle_account(person.pk)
        assert Account.objects.get(pk=account.subject).is_active

        remove_person(person_id=person.pk, actor=SYSTEM)
        settle_account(person.pk)
        settle_account(person.pk)  # safe to repeat
        assert not Account.objects.filter(pk=account.subject).exists()


def test_who_was_removed_is_nobody_and_what_they_did_stays(new_tenant):
    tenant = new_tenant()
    with enter(tenant.ref):
        realm = Person.objects.get().realm
        person = Person.objects.create(
            realm=realm, subject="s-1", email="leaving@x.example", name="Leaving Soon", language="it"
        )
        admin = Person.objects.exclude(pk=person.pk).get()
        make_role(label="By them", permissions=[], actor=SYSTEM)
        AuditEntry.objects.create(
            actor_kind="person", actor_id=person.pk, actor_name=person.name, action="member.updated",
            target_label="people.person", target_id=admin.pk, target_name=admin.name,
        )  # fmt: skip
        remove_person(person_id=person.pk, actor=admin.actor)

        row = Person.objects.get(pk=person.pk)
        assert (row.name, row.email, row.language, row.is_active) == ("", "", "", False)
        assert row.removed_at is not None
        assert not list_people().filter(pk=person.pk).exists()
        for change in (enable_person, disable_person, remove_person):
            with pytest.raises(NotFound):
                change(person_id=person.pk, actor=SYSTEM)

    assert forget_names(tenant.ref) == 2
    assert forget_names(tenant.ref) == 0
    with enter(tenant.ref):
        entries = AuditEntry.objects.filter(actor_id=person.pk) | AuditEntry.objects.filter(target_id=person.pk)
        assert {(e.actor_id == person.pk and e.actor_name) or "" for e in entries} == {""}
        assert [(e.actor_name, e.target_name) for e in entries.order_by("id")] == [("", admin.name), (admin.name, "")]


def test_a_removed_person_does_not_join_anew_with_the_old_account(who):
    from accounts.identity.realms import current_realm

    guest = who("guest")
    remove_person(person_id=guest.pk, actor=SYSTEM)

    found = add_person(realm=current_realm(), subject=guest.subject, email="x@x.example", name="X", role="user")

    assert found.pk == guest.pk
    assert not found.is_active
    assert not RoleAssignment.objects.filter(person=found).exists()
