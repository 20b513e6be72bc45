"""Other tenants' objects by their ids, and fields that nobody may set: for every operation of the API's own document.

An endpoint with a path parameter needs an object in `objects`, an operation with a body one that it takes in BODIES. One that
has none fails here.
"""

import re
from typing import Any

import pytest
from django.db import connection

from accounts.people.models import Person, Role
from accounts.people.services import make_role
from accounts.sessions.models import BrowserSession
from core.actors import SYSTEM
from core.audit.models import AuditEntry
from core.tenancy import enter, enter_platform
from events.webhooks.models import Delivery
from tests.attacks.things import BODIES, filled, operations, things_of
from tests.support import openapi
from tests.support.browser import Visitor, settings_netloc
from tests.test_urls import TENANT, answered

# what a Keycloak keeps to itself
NOT_OURS = {"profile_two_factor_on"}
# nowhere in the document, and what an attacker would try first
TRIED = {
    "id",
    "pk",
    "tenant",
    "tenant_id",
    "schema",
    "role",
    "is_superuser",
    "is_staff",
    "password",
    "subject",
    "realm",
}


@pytest.fixture
def objects(b):
    """Something of tenant B's for every path of a tenant's API that names something: table and id."""
    return things_of(b)


def named(*, platform: bool) -> list[Any]:
    """Return the operations on one thing as parameters of a test."""
    return [
        pytest.param(method, path, id=f"{method} {path}")
        for method, path, _ in operations(platform=platform)
        if "{" in path
    ]


def row_of(ref, model, pk) -> Any:
    """Return the row, and how often something was done to it: what is done at the issuer shows in the audit log alone."""
    with enter(ref), connection.cursor() as cursor:
        cursor.execute(f"SELECT to_jsonb(t)::text FROM {model._meta.db_table} t WHERE id = %s", [pk])
        row = cursor.fetchone()
        return row and (*row, AuditEntry.objects.filter(target_id=pk).count())


# --- insecure direct object references -------------------------------------------------------------------------------


def test_every_endpoint_that_names_something_has_an_object_of_another_tenant(objects):
    assert {path for _, path, _ in operations(platform=False) if "{" in path} == set(objects)


@pytest.mark.parametrize(("method", "path"), named(platform=False))
def test_what_another_tenant_has_is_not_there(method, path, objects, a, b):
    """Asked for by A's admin, with a token and with a session of A's realm, at A and at B; then by B's own admin."""
    model, pk = objects[path]
    body, ids = BODIES.get((method, path)), {}
    if model is Delivery:
        with enter(b.ref):
            ids = {"webhook_id": Delivery.objects.get(pk=pk).webhook_id}
    address = filled(path, pk, **ids)
    browser = a.browser("admin")
    mine, theirs = a.tokens(browser)["access_token"], b.tokens(b.browser("admin"))["access_token"]
    moved = Visitor(b.ref, cookies=browser.pages.cookies)
    before = row_of(b.ref, model, pk)

    by_token = a.api(mine, method.upper(), address, body=body)
    by_session = call(browser.pages, method, address, {} if method == "post" and body is None else body)
    there = b.api(mine, method.upper(), address, body=body)
    there_by_session = moved.api(method.upper(), address, body=body)
    untouched = row_of(b.ref, model, pk)
    by_its_owner = b.api(theirs, method.upper(), address, body=body)
    if model is BrowserSession:
        b.forget("admin")  # the built-in issuer does not tell their sessions apart, and ends all

    for refusal in (by_token, by_session):
        assert (refusal.status_code, refusal.json()["code"]) == (404, "not_found")
    assert (there.status_code, there_by_session.status_code) == (401, 401)
    assert before is not None
    assert untouched == before
    assert by_its_owner.status_code in (200, 202, 204), by_its_owner.content
    if method == "get":
        assert str(pk) in by_its_owner.content.decode()
    else:
        assert row_of(b.ref, model, pk) != before  # what was tried does something, where it may


@pytest.mark.parametrize(("method", "path"), named(platform=True))
def test_a_tenants_admin_reaches_nothing_of_the_platform(method, path, a):
    browser, before = a.browser("admin"), snapshot(None)
    address, body = filled(path, a.ref.slug if "{slug}" in path else a.ref.id), BODIES.get((method, path))

    by_token = Visitor().api(method.upper(), address, body=body, token=a.tokens(browser)["access_token"])
    by_session = Visitor(cookies=browser.pages.cookies).api(method.upper(), address, body=body)

    assert (by_token.status_code, by_token.json()["code"]) == (401, "token_refused")
    assert by_session.status_code == 401
    assert snapshot(None) == before


# --- mass assignment -------------------------------------------------------------------------------------------------


def with_body(*, platform: bool) -> list[Any]:
    """Return the operations that take fields as parameters of a test; an archive is taken as it is."""
    found = [
        (method, path)
        for method, path, said in operations(platform=platform)
        if "application/json" in said.get("requestBody", {}).get("content", {})
    ]
    return [pytest.param(method, path, id=f"{method} {path}") for method, path in found]


def fields_of(method: str, path: str, *, platform: bool) -> tuple[set[str], set[str]]:
    """Return the fields that an operation takes, and all others that the document or an attacker knows of."""
    document = openapi.document(platform=platform)
    schemas = document["components"]["schemas"]
    body = document["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"]
    taken = set(schemas[body["$ref"].rpartition("/")[2]].get("properties", {}))
    known = {name for schema in schemas.values() for name in schema.get("properties", {})}
    return taken, (known | TRIED) - taken


def snapshot(ref) -> list[Any]:
    """Return all rows that a request could change: a tenant's, or the platform's."""
    of_a_tenant = (
        "people_person", "people_role", "people_roleassignment", "people_permissionsversion", "identity_account",
        "people_invitation", "clients_apiclient", "webhooks_webhook",
        "preferences_preferences", "audit_entry",
    )  # fmt: skip
    of_the_platform = (
        "tenants_tenant",
        "tenants_operation",
        "operators_operator",
        "clients_apiclient",
        "archives_archive",
        "audit_entry",
    )
    with enter(ref) if ref else enter_platform(), connection.cursor() as cursor:
        rows = []
        for table in of_a_tenant if ref else of_the_platform:
            cursor.execute(f"SELECT to_jsonb(t)::text FROM {table} t ORDER BY 1")
            rows.append((table, cursor.fetchall()))
        return rows


def call(visitor, method, path, body):
    home = visitor.get("/console/tenants/" if visitor.host == settings_netloc() else "/").content.decode()
    token = home.split('name="csrf-token" content="')[1].split('"')[0]
    sent = {"HTTP_X_CSRFTOKEN": token, "HTTP_ORIGIN": f"http://{visitor.host}"}
    return visitor.api(method.upper(), path, body=body, **sent)


@pytest.mark.parametrize("platform", [True, False], ids=["platform", "tenant"])
def test_every_operation_with_a_body_is_tried_with_one(platform):
    tried = {(param.values[0], param.values[1]) for param in with_body(platform=platform)}

    assert tried <= set(BODIES), "add a body that it takes"


@pytest.mark.parametrize(("method", "path"), with_body(platform=False))
def test_no_field_of_a_tenants_api_can_be_set_but_those_it_takes(method, path, owner, acme, world):
    refuses_all_others(method, path, owner, acme, own_thing(path, acme, world))


@pytest.mark.parametrize(("method", "path"), with_body(platform=True))
def test_no_field_of_the_platforms_api_can_be_set_but_those_it_takes(method, path, operator_at_console, acme):
    refuses_all_others(method, path, operator_at_console, None, acme.slug if "{slug}" in path else acme.id)


def own_thing(path, acme, world):
    """An id of acme-corp's own thing of the kind that the path names."""
    with enter(acme):
        if "people" in path:
            return Person.objects.get(email=world.person("guest").email).pk
        return make_role(label="Ours", permissions=[], actor=SYSTEM).pk


def refuses_all_others(method, path, visitor, ref, thing):
    taken, others = fields_of(method, path, platform=ref is None)
    body = BODIES[method, path]
    before = snapshot(ref)

    answer = call(visitor, method, filled(path, thing), {**dict.fromkeys(others, True), **body})

    assert set(body) <= taken
    assert answer.status_code == 422, answer.content
    assert set(answer.json()["errors"]) == others
    assert snapshot(ref) == before


@pytest.mark.parametrize(
    ("path", "takes"),
    [
        ("/profile/", {"name": "Same", "language": "", "time_zone": "", "theme": "light"}),
        ("/roles/create/", {"label": "Porters", "permissions": ["team.view"]}),
        ("/team/{guest}/roles/", {}),
        ("/settings/security/", {}),
    ],
)
def test_forms_take_their_own_fields_and_leave_all_others(path, takes, owner, acme, world):
    """A page's form may be sent with anything: what it does not show is left aside."""
    with enter(acme):
        owner_row, guest = (Person.objects.get(email=world.person(who).email) for who in ("owner", "guest"))
    others = {"id": str(guest.pk), "email": "evil@x.example", "subject": "x", "is_active": "", "removed_at": "2026-01-01",
              "is_builtin": "on", "name": "admin", "version": "77", "realm": "x", "permissions_version": "x"}  # fmt: skip
    page = owner.get("/profile/")

    answer = owner.post(filled(path, guest.pk), {**others, **takes}, page=page)

    assert answer.status_code == 302, answer.content
    with enter(acme):
        for row in (owner_row, guest):
            now = Person.objects.get(pk=row.pk)
            kept = ("email", "subject", "is_active", "removed_at", "realm_id")
            assert [getattr(now, name) for name in kept] == [getattr(row, name) for name in kept]
        made = Role.objects.filter(label="Porters").first()
        assert made is None or (made.is_builtin, made.name, made.version) == (False, "porters", 1)
        assert Role.objects.filter(is_builtin=True).count() == 3


# --- every address ---------------------------------------------------------------------------------------------------


def test_every_address_knows_people_of_its_realm_from_strangers(a, b):
    """The table of `tests/test_urls.py`, with sessions and tokens of this issuer: a stranger of B, a user, an admin."""
    people = {role: (a.browser(role), a.tokens(a.browser(role))["access_token"]) for role in ("user", "admin")}
    stranger, strangers_token = b.browser("admin"), b.tokens(b.browser("admin"))["access_token"]
    with enter(a.ref):
        ids = {"person": a.people["user"].person_id, "role": Role.objects.get(name="user").pk}
    said, expected = {}, {}
    for name, (template, to_strangers, _, *at_builtin) in TENANT.items():
        to_people = [404, 404] if name in NOT_OURS and not a.is_builtin else at_builtin
        path = re.sub(r"{(\w+)}", lambda found: str(ids[found.group(1)]), template)
        by = {"a session": Visitor(a.ref, cookies=stranger.pages.cookies), "nothing": Visitor(a.ref)}
        said[name] = [answered(visitor, path) for visitor in by.values()]
        said[name] += [answered(Visitor(a.ref), path, HTTP_AUTHORIZATION=f"Bearer {strangers_token}")]
        said[name] += [answered(people[role][0].pages, path) for role in ("user", "admin")]
        expected[name] = [to_strangers, to_strangers, to_strangers, *to_people]
        if name.startswith("api_"):
            tokens = [f"Bearer {people[role][1]}" for role in ("user", "admin")]
            said[name] += [answered(Visitor(a.ref), path, HTTP_AUTHORIZATION=token) for token in tokens]
            expected[name] += to_people

    assert said == expected
