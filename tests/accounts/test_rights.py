"""What a person may do, how it is asked, and how soon a change counts."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.cache import cache
from django.db import connection, connections, transaction
from django.http import HttpResponse
from django.template import Context, Template
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from accounts import permissions as registry
from accounts.access import PermissionMissing, SuperAdminRequired, requires, super_admin_required
from accounts.operators.models import Operator
from accounts.page import person as page_context
from accounts.people import rights
from accounts.people.models import PermissionsVersion, Person, Role, RoleAssignment
from accounts.people.selectors import find_bearer
from accounts.permissions import Permission, UnknownPermission, get_permission, registered
from core.tenancy import enter
from tests.support.sessions import find_as_request

EVERYTHING = {
    "team.view",
    "team.invite",
    "team.manage",
    "role.manage",
    "api_client.manage",
    "settings.manage",
    "webhook.manage",
}


@pytest.fixture
def signed(acme, world):
    """Somebody of acme-corp as a request finds them: `signed("owner")`."""

    def read(who):
        return find_as_request(Person.objects.get(email=world.person(who).email).pk)

    return read


@pytest.fixture
def give_role(acme):
    """Gives a person a role of their own with these permissions, as a change does: with another version."""

    def give(person, *keys, name="extra"):
        with transaction.atomic():
            rights.renew_version()
            role, _ = Role.objects.update_or_create(name=name, defaults={"label": name, "permissions": list(keys)})
            RoleAssignment.objects.get_or_create(person=person, role=role)

    return give


@pytest.fixture
def plugin_permissions(settings):
    """Registers two more permissions, the second with a rule: only for things that are one's own."""
    settings.PERMISSIONS = [*settings.PERMISSIONS, "tests.accounts.test_rights.MORE"]
    registry.forget()
    yield
    settings.PERMISSIONS = settings.PERMISSIONS[:-1]
    registry.forget()


MORE = [
    Permission("shop.order.view", "See orders", "Shop", builtin_roles=("user", "guest")),
    Permission("shop.order.cancel", "Cancel orders", "Shop", rule=lambda person, thing: thing == str(person.pk)),
]


# --- registering -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["team", "Team.view", "team.", ".view", "team view", "team.vi-ew", "a." + "b" * 120])
def test_a_key_is_lower_case_words_with_dots(key):
    with pytest.raises(ValueError, match="is no key"):
        Permission(key, "Label", "Group")


def test_a_key_is_registered_once(settings):
    settings.PERMISSIONS = [*settings.PERMISSIONS, *settings.PERMISSIONS]
    registry.forget()

    with pytest.raises(ValueError, match=r"team\.view is registered twice"):
        registered()

    registry.forget()


def test_every_permission_has_its_label_and_group():
    assert set(registered()) == EVERYTHING
    assert all(str(permission.label) and str(permission.group) for permission in registered().values())


def test_an_unknown_key_is_a_mistake_and_not_a_no(db, acme, signed):
    with enter(acme), pytest.raises(UnknownPermission):
        rights.can(signed("owner"), "team.veiw")
    with pytest.raises(UnknownPermission):
        get_permission("team.veiw")


# --- what roles hold -------------------------------------------------------------------------------------------------


def test_builtin_roles_hold_what_the_code_says(db, acme, signed):
    with enter(acme):
        held = {who: rights.rights_of(signed(who)) for who in ("owner", "member", "guest")}

    assert held == {"owner": EVERYTHING, "member": {"team.view"}, "guest": set()}


def test_what_a_row_of_a_builtin_role_says_counts_for_nothing(db, acme, signed):
    with enter(acme):
        Role.objects.filter(name="guest").update(permissions=["settings.manage"])

        assert rights.rights_of(signed("guest")) == frozenset()


def test_a_new_releases_permissions_reach_every_tenant_at_once(db, acme, signed, plugin_permissions):
    with enter(acme):
        assert rights.can(signed("guest"), "shop.order.view")
        assert rights.can(signed("owner"), "shop.order.cancel")
        assert not rights.can(signed("member"), "shop.order.cancel")


def test_several_roles_add_up_and_keys_of_no_app_count_for_nothing(db, acme, signed, give_role):
    with enter(acme):
        give_role(signed("guest"), "team.view", "gone.with.plugin", name="first")
        give_role(signed("guest"), "team.invite", name="second")

        assert rights.rights_of(signed("guest")) == {"team.view", "team.invite"}


def test_a_person_without_a_role_may_do_nothing(db, acme, signed):
    with enter(acme):
        RoleAssignment.objects.filter(person=signed("owner")).delete()

        assert rights.read_rights(signed("owner").pk) == frozenset()


# --- how it is kept --------------------------------------------------------------------------------------------------


def test_the_version_comes_along_with_who_is_signed_in(db, acme, world, signed):
    with enter(acme):
        before = signed("owner")
        bearer = find_bearer(realm_id=before.realm_id, subject=before.subject)
        with transaction.atomic():
            rights.renew_version()
        after = signed("owner")

    assert before.permissions_version == bearer.permissions_version
    assert before.permissions_version not in ("", after.permissions_version)


def test_asking_costs_one_query_then_redis_then_nothing(db, acme, signed):
    with enter(acme):
        person = signed("member")
        with CaptureQueriesContext(connection) as cold:
            rights.rights_of(person)
        rights.forget()  # as another process
        with CaptureQueriesContext(connection) as shared:
            rights.rights_of(person)
        cache.clear()
        with CaptureQueriesContext(connection) as warm:
            rights.rights_of(person)

    assert (len(cold), len(shared), len(warm)) == (1, 0, 0)


def test_without_redis_the_database_answers(db, acme, signed, monkeypatch):
    monkeypatch.setattr(cache, "get", lambda *args: None)  # what django-redis says when Valkey is away
    monkeypatch.setattr(cache, "set", lambda *args: None)
    with enter(acme):
        assert rights.rights_of(signed("member")) == {"team.view"}


def test_a_change_counts_for_whoever_asks_next_and_nothing_is_thrown_away(db, acme, signed, give_role):
    with enter(acme):
        before = signed("guest")
        assert rights.rights_of(before) == frozenset()
        give_role(before, "team.view")

        assert rights.rights_of(signed("guest")) == {"team.view"}


def test_what_was_rolled_back_is_never_found_again(db, acme, signed, give_role):
    class Undone(Exception):
        pass

    with enter(acme):
        with pytest.raises(Undone), transaction.atomic():
            give_role(signed("guest"), "team.view")
            assert rights.rights_of(signed("guest")) == {"team.view"}  # kept in memory and in Redis
            raise Undone
        assert rights.rights_of(signed("guest")) == frozenset()
        give_role(signed("guest"), "team.invite")
        assert rights.rights_of(signed("guest")) == {"team.invite"}


def test_the_same_person_in_a_copy_of_the_tenant_is_somebody_else(db, acme, globex, signed):
    with enter(acme):
        person = signed("owner")
        rights.rights_of(person)
    stranger = Person(pk=person.pk)
    stranger.permissions_version = person.permissions_version

    with enter(globex):
        assert rights.rights_of(stranger) == frozenset()


def test_memory_is_bounded(db, acme, signed, monkeypatch):
    monkeypatch.setattr(rights, "MAX_ENTRIES", 2)
    with enter(acme):
        for who in ("owner", "member", "guest"):
            rights.rights_of(signed(who))

    assert len(rights._kept) == 2


def test_a_change_outside_of_a_transaction_is_refused(committed, acme):
    with enter(acme), pytest.raises(RuntimeError, match="one transaction"):
        rights.renew_version()


def test_changes_of_one_tenant_wait_for_each_other(new_tenant):
    ref = new_tenant().ref
    order: list[str] = []
    has_begun, may_end = threading.Event(), threading.Event()

    def first() -> None:
        with enter(ref), transaction.atomic():
            rights.renew_version()
            has_begun.set()
            may_end.wait(10)
            order.append("first")
        connections.close_all()

    def second() -> None:
        has_begun.wait(10)
        with enter(ref), transaction.atomic():
            threading.Timer(0.3, may_end.set).start()
            rights.renew_version()
            order.append("second")
        connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(first), pool.submit(second)]:
            done.result(20)

    assert order == ["first", "second"]
    with enter(ref):
        assert PermissionsVersion.objects.count() == 1


# --- how it is asked -------------------------------------------------------------------------------------------------


def asked_by(user):
    from functools import partial

    from accounts.access import may

    request = RequestFactory().get("/anything/")
    request.user = user
    request.can = partial(may, request)
    return request


def test_a_guard_lets_in_who_holds_the_permission_and_names_it_to_others(db, acme, signed):
    view = requires("team.invite")(lambda request: HttpResponse("in"))
    with enter(acme):
        assert view(asked_by(signed("owner"))).content == b"in"
        with pytest.raises(PermissionMissing) as refusal:
            view(asked_by(signed("member")))

    assert refusal.value.facts == {"permission": "team.invite"}
    assert "team.invite" in str(refusal.value)


def test_a_guard_sends_who_is_not_signed_in_to_sign_in(db, acme):
    from django.contrib.auth.models import AnonymousUser

    with enter(acme):
        answer = requires("team.invite")(lambda request: HttpResponse("in"))(asked_by(AnonymousUser()))

    assert answer.status_code == 302
    assert "/oidc/authenticate/?next=%2Fanything%2F" in answer["Location"]


def test_operators_who_may_only_look_change_nothing(db):
    view = super_admin_required(lambda request: HttpResponse("in"))

    assert view(asked_by(Operator(role="super_admin"))).content == b"in"
    with pytest.raises(SuperAdminRequired):
        view(asked_by(Operator(role="support")))


def test_an_operator_holds_no_permission_of_a_tenant(db):
    assert not asked_by(Operator(role="super_admin")).can("team.view")


def test_a_rule_narrows_a_permission_to_some_things(db, acme, signed, give_role, plugin_permissions):
    with enter(acme):
        give_role(signed("guest"), "shop.order.cancel")
        request = asked_by(signed("guest"))

        assert request.can("shop.order.cancel")
        assert request.can("shop.order.cancel", str(request.user.pk))
        assert not request.can("shop.order.cancel", "somebody else's")
        assert not asked_by(signed("member")).can("shop.order.cancel", str(request.user.pk))


def test_nobody_deals_with_people_or_roles_that_hold_more_than_they_do(db, acme, signed, give_role):
    with enter(acme):
        give_role(signed("member"), "team.manage", "role.manage")
        request = asked_by(signed("member"))
        strong = Role.objects.create(name="strong", label="Strong", permissions=["settings.manage"])
        weak = Role.objects.create(name="weak", label="Weak", permissions=["team.view"])

        assert request.can("team.manage", signed("guest"))
        assert not request.can("team.manage", signed("owner"))
        assert request.can("role.manage", weak)
        assert not request.can("role.manage", strong)
        assert not request.can("role.manage", Role.objects.get(name="admin"))


def test_templates_ask_by_the_key(db, acme, signed, plugin_permissions):
    template = Template(
        "{% if perms_of.team.invite %}invite {% endif %}{% if perms_of.team.view %}view {% endif %}"
        "{% if perms_of.shop.order.view %}orders{% endif %}"
    )
    with enter(acme):
        said = {who: template.render(Context(page_context(asked_by(signed(who))))) for who in ("owner", "member")}
        nobody = template.render(Context(page_context(RequestFactory().get("/"))))

    assert said == {"owner": "invite view orders", "member": "view orders"}
    assert nobody == ""


# --- pages and API ---------------------------------------------------------------------------------------------------


def test_a_guest_sees_no_people_anywhere(guest):
    pages = [guest.get(path).content.decode() for path in ("/", "/search/?q=kadlec", "/search/?q=t", "/profile/")]

    assert not [page for page in pages if "/team/" in page or "Kadlec" in page]
    assert guest.get("/team/").status_code == 403
    assert "team.view" in guest.get("/team/").content.decode()


def test_the_api_says_what_one_may_do(guest, owner):
    assert guest.api("GET", "/api/v1/me/").json()["permissions"] == []
    assert owner.api("GET", "/api/v1/me/").json()["permissions"] == sorted(EVERYTHING)


def test_support_sees_the_console_without_its_buttons(support_at_console, operator_at_console):
    for path in ("/console/tenants/", "/console/tenants/acme-corp/", "/console/search/?q="):
        text, whole = (person.get(path).content.decode() for person in (support_at_console, operator_at_console))

        for address in ("/create/", "/suspend/", "/delete/", "/bulk/", "/export/", "/rename/", "/first-admin-link/"):
            assert address not in text.replace('action="/console/tenants/bulk/"', ""), (path, address)
        assert "/create/" in whole or "/suspend/" in whole


def test_support_changes_nothing_by_the_api(support_at_console, operator, acme):
    from tenants.models import Tenant

    page = support_at_console.get("/console/tenants/")
    token = page.content.decode().split('name="csrf-token" content="')[1].split('"')[0]
    sent = {"HTTP_X_CSRFTOKEN": token, "HTTP_ORIGIN": f"http://{support_at_console.host}"}

    answer = support_at_console.api("POST", "/api/v1/tenants/acme-corp/suspend/", body={"reason": "x"}, **sent)

    assert answer.status_code == 403
    assert answer.json()["code"] == "super_admin_required"
    assert Tenant.objects.get(pk=acme.id).status == "active"
