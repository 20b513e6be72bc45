"""People, roles and permissions by the API. Each answer is compared with the API's document."""

import pytest

from accounts.people.models import Person, Role
from accounts.people.services import make_role
from core.actors import SYSTEM
from core.tenancy import enter


@pytest.fixture
def call(owner):
    """Calls the API as the owner, with the CSRF token of their session."""
    return caller(owner)


def caller(visitor):
    page = visitor.get("/").content.decode()
    token = page.split('name="csrf-token" content="')[1].split('"')[0]
    sent = {"HTTP_X_CSRFTOKEN": token, "HTTP_ORIGIN": f"http://{visitor.host}"}
    return lambda method, path, body=None, **headers: visitor.api(method, path, body=body, **sent, **headers)


@pytest.fixture
def role(acme, owner):
    with enter(acme):
        return make_role(label="Front desk", permissions=["team.view"], actor=SYSTEM)


def test_people_are_listed_searched_filtered_ordered_and_paged(call):
    def names(query):
        return [person["name"] for person in call("GET", f"/api/v1/people/{query}").json()["results"]]

    assert names("") == ["Greta Lindqvist", "Mara Ellsworth", "Tomas Kadlec"]
    assert names("?ordering=-name") == ["Tomas Kadlec", "Mara Ellsworth", "Greta Lindqvist"]
    assert names("?q=KADLEC") == ["Tomas Kadlec"]
    assert names("?role=admin") == ["Mara Ellsworth"]
    assert names("?status=disabled") == []
    assert names("?page_size=1&page=2") == ["Mara Ellsworth"]
    assert call("GET", "/api/v1/people/?ordering=password").status_code == 422
    assert call("GET", "/api/v1/people/?status=x").status_code == 422


def test_a_person_s_roles_and_state_are_changed(call, person_of):
    path = f"/api/v1/people/{person_of('guest').pk}/"

    changed = call("PATCH", path, {"roles": ["user", "guest"], "is_active": False})

    assert changed.status_code == 200
    assert sorted(changed.json()["roles"]) == ["guest", "user"]
    assert changed.json()["is_active"] is False
    assert call("GET", path).json() == changed.json()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"roles": ["nobody"]}, 422, "invalid"),
        ({"name": "Other"}, 422, "invalid"),
        ({"email": "x@x.example"}, 422, "invalid"),
        ({"is_active": "perhaps"}, 422, "invalid"),
        ({"roles": "admin"}, 422, "invalid"),
    ],
)
def test_a_wrong_change_of_a_person_is_refused(body, status, code, call, person_of):
    answer = call("PATCH", f"/api/v1/people/{person_of('guest').pk}/", body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert person_of("guest").name == "Greta Lindqvist"


def test_a_person_is_removed(call, person_of, acme):
    person = person_of("guest")

    assert call("DELETE", f"/api/v1/people/{person.pk}/").status_code == 204

    assert call("GET", f"/api/v1/people/{person.pk}/").status_code == 404
    with enter(acme):
        assert Person.objects.get(pk=person.pk).name == ""


def test_oneself_and_the_last_admin_stay(call, person_of):
    path = f"/api/v1/people/{person_of('owner').pk}/"

    assert call("DELETE", path).json()["code"] == "own_account"
    assert call("PATCH", path, {"is_active": False}).json()["code"] == "own_account"
    assert call("PATCH", path, {"roles": ["user"]}).json()["code"] == "last_admin"
    assert person_of("owner").is_active


def test_roles_are_made_read_changed_and_deleted(call, acme):
    made = call("POST", "/api/v1/roles/", {"label": "Porters", "permissions": ["team.view"]})
    assert made.status_code == 201
    path = f"/api/v1/roles/{made.json()['id']}/"

    changed = call("PATCH", path, {"permissions": []}, HTTP_IF_MATCH="1")
    stale = call("PATCH", path, {"label": "Late"}, HTTP_IF_MATCH='"1"')
    gone = call("DELETE", path, HTTP_IF_MATCH='W/"2"')

    assert (changed.status_code, changed.json()["version"], changed.json()["permissions"]) == (200, 2, [])
    assert (stale.status_code, stale.json()["code"]) == (412, "role_changed")
    assert gone.status_code == 204
    assert call("GET", path).status_code == 404


def test_what_a_role_says_of_itself_is_not_to_be_sent(call, acme):
    for more in ({"id": "x"}, {"name": "admin"}, {"is_builtin": True}, {"version": 9}, {"people_count": 3}):
        answer = call("POST", "/api/v1/roles/", {"label": "Sly", "permissions": [], **more})
        assert (answer.status_code, list(answer.json()["errors"])) == (422, list(more))
    with enter(acme):
        assert Role.objects.count() == 3


def test_builtin_roles_are_read_only(call, acme):
    with enter(acme):
        path = f"/api/v1/roles/{Role.objects.get(name='user').pk}/"

    assert call("PATCH", path, {"label": "Mine"}).json()["code"] == "role_builtin"
    assert call("DELETE", path).json()["code"] == "role_builtin"


def test_permissions_are_listed_with_label_and_group(call):
    listed = call("GET", "/api/v1/permissions/").json()

    assert {"key": "team.invite", "label": "Invite people", "group": "Team"} in listed
    assert len(listed) == 7


def test_a_member_reads_and_changes_nothing(member, person_of, role):
    ask = caller(member)

    for path in ("people/", f"people/{person_of('owner').pk}/", "roles/", f"roles/{role.pk}/", "permissions/"):
        assert ask("GET", f"/api/v1/{path}").status_code == 200
    for method, path, body in (
        ("PATCH", f"people/{person_of('guest').pk}/", {"roles": []}),
        ("DELETE", f"people/{person_of('guest').pk}/", None),
        ("POST", "roles/", {"label": "X", "permissions": []}),
        ("PATCH", f"roles/{role.pk}/", {"label": "X"}),
        ("DELETE", f"roles/{role.pk}/", None),
    ):
        refused = ask(method, f"/api/v1/{path}", body)
        assert (refused.status_code, refused.json()["code"]) == (403, "permission_missing"), (method, path)
