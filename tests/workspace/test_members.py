"""A person's page, roles and their pages: what is shown to whom, and what a click does."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.identity.keycloak.servers import KeycloakServer
from accounts.identity.models import AttemptCounter, Realm
from accounts.people.models import Person, Role
from accounts.people.services import make_role, set_roles
from core.actors import SYSTEM
from core.audit.models import AuditEntry
from core.tenancy import enter


@pytest.fixture
def page_of(person_of):
    return lambda who: f"/team/{person_of(who).pk}/"


@pytest.fixture
def role(acme, owner):
    """A role of acme-corp's own."""
    with enter(acme):
        return make_role(label="Front desk", permissions=["team.view", "team.invite"], actor=SYSTEM)


@pytest.fixture
def manager(acme, member, person_of):
    """The member, who also manages team and roles."""
    with enter(acme):
        managers = make_role(label="Managers", permissions=["team.view", "team.manage", "role.manage"], actor=SYSTEM)
        set_roles(person_id=person_of("member").pk, role_ids=[managers.pk], actor=SYSTEM)
    return member


def roles_of(acme, who, person_of):
    with enter(acme):
        return sorted(person_of(who).roles.values_list("name", flat=True))


def role_ids(acme, *names):
    with enter(acme):
        return [str(pk) for pk in Role.objects.filter(name__in=names).values_list("pk", flat=True)]


def text_of(page):
    return " ".join(re.sub(r"<[^>]+>", " ", page.content.decode()).split())


# --- people ----------------------------------------------------------------------------------------------------------


def test_the_team_leads_to_its_people_and_is_narrowed_by_role_and_status(owner, page_of, acme, person_of):
    with enter(acme):
        Person.objects.filter(pk=person_of("guest").pk).update(is_active=False)

    text = owner.get("/team/").content.decode()
    admins, disabled = text_of(owner.get("/team/?role=admin")), text_of(owner.get("/team/?status=disabled"))

    assert f'href="{page_of("member")}"' in text
    assert "Mara Ellsworth mara" not in admins
    assert "Tomas Kadlec" not in admins
    assert "Mara Ellsworth" in admins
    assert "Greta Lindqvist" in disabled
    assert "Tomas Kadlec" not in disabled


@pytest.mark.parametrize("query", ["role=nobody", "status=nobody", "role=admin'--", "status=__class__"])
def test_a_filter_that_there_is_not_is_none(query, owner):
    assert "Tomas Kadlec" in owner.get(f"/team/?{query}").content.decode()


def test_the_rows_bring_the_filters_along(owner):
    fragment = owner.get("/team/?q=tomas", HTTP_HX_REQUEST="true", HTTP_HX_TARGET="rows").content.decode()

    assert 'id="filters"' in fragment
    assert 'hx-swap-oob="true"' in fragment


def test_a_person_s_page_says_what_they_may_do(member, owner, page_of):
    to_member, to_owner = (text_of(person.get(page_of("owner"))) for person in (member, owner))

    assert "Change the workspace’s settings" in to_member
    assert "Save roles" not in to_member
    assert "Remove…" not in to_member
    assert "Save roles" in to_owner
    assert "Remove…" not in to_owner  # not oneself


def test_roles_are_ticked_and_saved(owner, page_of, acme, person_of, role):
    path = page_of("guest")

    answer = owner.post(f"{path}roles/", {"roles": role_ids(acme, "user", "front-desk")}, page=owner.get(path))

    assert answer.status_code == 302
    assert roles_of(acme, "guest", person_of) == ["front-desk", "user"]
    assert "The roles of Greta Lindqvist are saved." in text_of(owner.get(path))


@pytest.mark.parametrize("wrong", ["not-an-id", "00000000-0000-7000-8000-000000000000", "' OR 1=1"])
def test_a_role_that_there_is_not_is_refused_on_the_page(wrong, owner, page_of, acme, person_of):
    answer = owner.post(f"{page_of('guest')}roles/", {"roles": [wrong]}, page=owner.get(page_of("guest")))

    assert answer.status_code == 422
    assert "data-px-errors" in answer.content.decode()
    assert roles_of(acme, "guest", person_of) == ["guest"]


def test_a_manager_is_offered_only_what_they_hold(manager, page_of):
    text = manager.get(page_of("guest")).content.decode()

    ticks = {name: "disabled" in attributes for name, attributes in re.findall(r'id="role-([\w-]+)"([^>]*)>', text)}
    assert ticks == {"admin": True, "guest": False, "managers": False, "user": False}
    assert "Save roles" not in manager.get(page_of("owner")).content.decode()


def test_what_is_not_offered_is_refused(manager, owner, page_of, acme, person_of):
    path = page_of("guest")
    page = manager.get(path)

    given = manager.post(f"{path}roles/", {"roles": role_ids(acme, "admin")}, page=page)
    asked = manager.get(f"{page_of('owner')}disable/")
    done = manager.post(f"{page_of('owner')}disable/", {}, page=page)

    assert (given.status_code, asked.status_code, done.status_code) == (403, 403, 403)
    assert roles_of(acme, "guest", person_of) == ["guest"]
    assert person_of("owner").is_active


def test_disabling_asks_first_and_enabling_too(owner, guest, page_of, person_of):
    path = page_of("guest")
    question = owner.get(f"{path}disable/")
    assert "Disable Greta Lindqvist?" in text_of(question)
    assert person_of("guest").is_active

    assert owner.post(f"{path}disable/", {}, page=question).status_code == 302
    assert not person_of("guest").is_active
    assert guest.get("/").status_code == 302  # signed out
    assert guest.api("GET", "/api/v1/me/").status_code == 401

    owner.post(f"{path}enable/", {}, page=owner.get(f"{path}enable/"))
    assert person_of("guest").is_active


def test_removing_asks_for_the_address_and_leaves_nobody(owner, page_of, person_of, acme, world):
    path = page_of("guest")
    person = person_of("guest")

    refused = owner.post(f"{path}remove/", {"confirm": "something else"}, page=owner.get(f"{path}remove/"))
    assert refused.status_code == 422
    assert person_of("guest").is_active

    done = owner.post(f"{path}remove/", {"confirm": world.person("guest").email}, page=owner.get(f"{path}remove/"))
    assert done["Location"] == "/team/"
    assert owner.get(path).status_code == 404
    assert "Greta" not in owner.get("/team/").content.decode().partition("<tbody>")[2]
    with enter(acme):
        assert AuditEntry.objects.filter(action="member.removed", target_id=person.pk).exists()


def test_who_left_is_called_a_former_member(owner, acme):
    with enter(acme):
        AuditEntry.objects.create(actor_kind="person", actor_id=None, actor_name="", action="role.made")

    assert "Former member" in text_of(owner.get("/"))


def test_the_last_admin_cannot_go(owner, page_of, acme, person_of):
    answer = owner.post(f"{page_of('owner')}roles/", {"roles": role_ids(acme, "user")}, page=owner.get("/team/"))

    assert answer.status_code == 409
    assert "last admin" in text_of(answer)
    assert roles_of(acme, "owner", person_of) == ["admin"]


def test_people_of_other_tenants_are_not_there(owner, globex, outsider):
    with enter(globex):
        stranger = Person.objects.get(name="Lea Novak").pk

    assert owner.get(f"/team/{stranger}/").status_code == 404
    assert owner.get(f"/team/{stranger}/remove/").status_code == 404
    assert outsider.get(f"/team/{stranger}/").status_code == 200


# --- roles -----------------------------------------------------------------------------------------------------------


def test_roles_are_listed_with_how_many_people_have_them(owner, role):
    text = text_of(owner.get("/roles/"))

    assert "Admin built in 7 of 7 1" in text
    assert "Front desk 2 of 7 0" in text


def test_a_role_is_made_changed_and_deleted_on_pages(owner, acme):
    made = owner.post("/roles/create/", {"label": "Porters", "permissions": ["team.view"]})
    assert made["Location"] == "/roles/"
    with enter(acme):
        role = Role.objects.get(name="porters")
    path = f"/roles/{role.pk}/"

    page = owner.get(path)
    assert re.search(r'id="may-team.view" value="team.view" checked', page.content.decode())
    saved = owner.post(path, {"label": "Night porters", "permissions": ["team.invite"], "version": "1"}, page=page)
    assert saved.status_code == 302
    with enter(acme):
        role.refresh_from_db()
    assert (role.label, role.permissions, role.version) == ("Night porters", ["team.invite"], 2)

    question = owner.get(f"{path}delete/")
    assert "0 people lose" in text_of(question)
    owner.post(f"{path}delete/", {"version": "2"}, page=question)
    with enter(acme):
        assert not Role.objects.filter(pk=role.pk).exists()


def test_the_second_tab_meets_a_change_and_loses_nothing(owner, acme, role):
    path = f"/roles/{role.pk}/"
    page = owner.get(path)
    owner.post(path, {"label": "First", "permissions": [], "version": "1"}, page=page)

    second = owner.post(path, {"label": "Second", "permissions": ["team.view"], "version": "1"}, page=page)

    assert second.status_code == 412
    with enter(acme):
        assert Role.objects.get(pk=role.pk).label == "First"


@pytest.mark.parametrize(
    "wrong", [{"label": ""}, {"label": "Admin"}, {"permissions": ["team.fly"]}, {"label": "x" * 81}], ids=str
)
def test_a_wrong_role_is_refused_and_what_was_typed_stays(wrong, owner, acme):
    page = owner.post("/roles/create/", {"label": "Typed with care", "permissions": ["team.view"], **wrong})

    assert page.status_code == 422
    assert "data-px-errors" in page.content.decode()
    if "label" not in wrong:
        assert "Typed with care" in page.content.decode()
    with enter(acme):
        assert Role.objects.count() == 3


def test_builtin_roles_can_be_looked_at_only(owner, acme):
    with enter(acme):
        path = f"/roles/{Role.objects.get(name='user').pk}/"

    text = owner.get(path).content.decode()

    assert "This role is built in" in text
    assert "Save role" not in text
    assert owner.get(f"{path}delete/").status_code == 409
    assert owner.post(path, {"label": "Mine", "permissions": []}, page=owner.get(path)).status_code == 409


def test_a_role_that_holds_more_can_be_looked_at_only(manager, acme):
    with enter(acme):
        strong = make_role(label="Strong", permissions=["settings.manage"], actor=SYSTEM)
    path = f"/roles/{strong.pk}/"

    text = manager.get(path).content.decode()

    assert "You can look at this role only" in text
    assert manager.get(f"{path}delete/").status_code == 403
    assert manager.post(path, {"label": "Weak"}, page=manager.get("/roles/")).status_code == 403
    with enter(acme):
        assert Role.objects.get(pk=strong.pk).label == "Strong"


def test_the_picker_marks_what_one_may_not_give(manager):
    text = manager.get("/roles/create/").content.decode()

    ticks = {key: "disabled" in rest for key, rest in re.findall(r'id="may-([\w.]+)"([^>]*)>', text)}
    assert {key for key, is_disabled in ticks.items() if not is_disabled} == {"team.view", "team.manage", "role.manage"}
    refused = manager.post("/roles/create/", {"label": "More", "permissions": ["settings.manage"]})
    assert refused.status_code == 403


def test_a_role_that_is_taken_away_is_gone_on_the_next_request(owner, manager, acme, person_of):
    assert manager.get("/roles/").status_code == 200

    owner.post(f"/team/{person_of('member').pk}/roles/", {"roles": role_ids(acme, "user")}, page=owner.get("/team/"))

    assert manager.get("/roles/").status_code == 403
    assert "/roles/" not in manager.get("/").content.decode()


# --- how somebody signs in ---------------------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(acme, owner, settings):
    """The realm is at a Keycloak that does not answer."""
    server = {"name": "nowhere", "url": "http://127.0.0.1:1", "provisioner_id": "x", "provisioner_secret": "x"}
    settings.KEYCLOAK_SERVERS = {"nowhere": KeycloakServer.model_validate(server)}
    with enter(acme):
        Realm.objects.filter(is_current=True).update(provider="keycloak", server="nowhere", admin_secret="x")


def test_how_somebody_signs_in_stands_on_their_page(owner, page_of, acme, person_of):
    page = page_of("member")
    before = text_of(owner.get(page))
    with enter(acme):
        subject, until = person_of("member").subject, timezone.now() + timedelta(minutes=5)
        AttemptCounter.objects.create(kind="password", name="x", subject=subject, attempts=10, locked_until=until)

    locked = text_of(owner.get(page))
    read = owner.api("GET", f"/api/v1/people/{person_of('member').pk}/sign-in/").json()

    assert "Not locked Second factor Off" in before
    assert "after too many failures Unlock…" in locked
    assert (read["is_locked"], read["has_second_factor"]) == (True, False)


def test_an_issuer_elsewhere_is_asked_once_the_page_is_there(owner, page_of, elsewhere):
    """It is the fragment that waits for it, and says so when nothing comes."""
    page = owner.get(page_of("member")).content.decode()
    fragment = owner.get(f"{page_of('member')}sign-in/", HTTP_HX_REQUEST="true", HTTP_HX_TARGET="sign_in")
    whole = owner.get(f"{page_of('member')}sign-in/")

    assert f'hx-get="{page_of("member")}sign-in/" hx-trigger="load"' in page
    assert "could not be asked" not in page
    assert "<html" not in fragment.content.decode()
    for answer in (fragment, whole):
        assert answer.status_code == 200
        assert "The identity server could not be asked." in text_of(answer)
        assert "Unlock…" in text_of(answer)
        assert 'hx-trigger="load"' not in answer.content.decode().partition('id="sign_in"')[2].partition(">")[0]


def test_programs_are_told_that_the_issuer_does_not_answer(owner, elsewhere, person_of):
    answer = owner.api("GET", f"/api/v1/people/{person_of('member').pk}/sign-in/")

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


def test_only_who_manages_the_team_sees_how_somebody_signs_in(member, page_of, person_of):
    assert 'id="sign_in"' not in member.get(page_of("owner")).content.decode()
    assert member.get(f"{page_of('owner')}sign-in/").status_code == 403
    assert member.api("GET", f"/api/v1/people/{person_of('owner').pk}/sign-in/").status_code == 403
