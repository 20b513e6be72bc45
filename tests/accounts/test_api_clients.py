"""API clients: programs with permissions of their own, at a tenant and on the platform, with tokens of the real issuer."""

import base64
from datetime import timedelta

import jwt
import pytest
from django.utils import timezone

from accounts.clients import pages
from accounts.clients.models import ApiClient
from accounts.clients.services import MadeClient, make_client, renew_secret, revoke_client
from accounts.identity.models import Application
from accounts.people.models import Invitation, Person
from accounts.tasks import forget_client
from core.actors import SYSTEM
from core.audit.models import AuditEntry
from core.errors import Forbidden, Invalid, Unavailable
from core.tenancy import enter, enter_platform
from tests.accounts.test_invitations import csrf
from tests.support.browser import Visitor


@pytest.fixture
def program(db, acme):
    """Makes a client of acme-corp: `program("team.view")` gives it and the token that its secret buys."""

    def make(*permissions, actor=SYSTEM, expires_at=None):
        with enter(acme):
            made = make_client(name="Warehouse", permissions=permissions, expires_at=expires_at, actor=actor)
        return made.client, token_for(Visitor(acme), made)

    return make


def buy(visitor, client_id, secret, **changes):
    credentials = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    data = {"grant_type": "client_credentials", **changes}
    return visitor.form("/op/token/", data, HTTP_AUTHORIZATION=f"Basic {credentials}")


def token_for(visitor, made):
    answer = buy(visitor, made.client.client_id, made.secret)
    assert answer.status_code == 200, answer.content
    return answer.json()["access_token"]


def test_a_program_gets_a_token_and_may_do_what_it_was_allowed_and_nothing_else(program, visitor, acme):
    client, token = program("team.invite")

    me = visitor(acme).api("GET", "/api/v1/me/", token=token)
    invitations = visitor(acme).api("GET", "/api/v1/invitations/", token=token)
    roles = visitor(acme).api("GET", "/api/v1/api-clients/", token=token)

    assert me.json()["id"] == str(client.pk)
    assert me.json()["permissions"] == ["team.invite"]
    assert (invitations.status_code, roles.status_code) == (200, 403)


def test_what_it_does_is_written_down_as_its_doing(program, visitor, acme, owner):
    with enter(acme):
        actor = Person.objects.get(email="owner@people.example").actor
    client, token = program("team.invite", "team.view", actor=actor)

    answer = visitor(acme).api(
        "POST", "/api/v1/invitations/", body={"email": "ada@new.example", "roles": ["user"]}, token=token
    )
    beyond = visitor(acme).api(
        "POST", "/api/v1/invitations/", body={"email": "bo@new.example", "roles": ["admin"]}, token=token
    )

    assert (answer.status_code, beyond.status_code) == (201, 403)
    assert answer.json()["invited_by"] == "Warehouse"
    with enter(acme):
        entry = AuditEntry.objects.get(action="invitation.sent")
        assert (entry.actor_kind, entry.actor_id, entry.actor_name) == ("client", client.pk, "Warehouse")
        assert Invitation.objects.count() == 1


def test_revoked_is_over_with_the_token_that_it_holds(program, visitor, acme):
    client, token = program("team.view")
    before = visitor(acme).api("GET", "/api/v1/me/", token=token)

    with enter(acme):
        revoke_client(client_id=client.pk, actor=SYSTEM)

    assert before.status_code == 200
    assert visitor(acme).api("GET", "/api/v1/me/", token=token).status_code == 401


def test_the_realm_forgets_a_revoked_client_and_gives_it_no_more_tokens(acme, visitor, db):
    with enter(acme):
        made = make_client(name="Warehouse", permissions=[], expires_at=None, actor=SYSTEM)
        forget_client(made.client.client_id)

    assert buy(visitor(acme), made.client.client_id, made.secret).status_code == 401


def test_it_ends_when_it_was_said_to(program, visitor, acme):
    client, token = program("team.view", expires_at=timezone.now() + timedelta(days=1))
    with enter(acme):
        ApiClient.objects.filter(pk=client.pk).update(expires_at=timezone.now())

    assert visitor(acme).api("GET", "/api/v1/me/", token=token).status_code == 401


def test_the_last_use_is_noted_once_a_minute(program, visitor, acme, time_machine_to):
    client, token = program("team.view")

    def used():
        visitor(acme).api("GET", "/api/v1/me/", token=token)
        with enter(acme):
            return ApiClient.objects.get(pk=client.pk).last_used_at

    first, second = used(), used()
    time_machine_to(seconds=61)
    third = used()

    assert first == second
    assert (third - first).total_seconds() >= 60


@pytest.mark.parametrize("secret", ["", "guessed", "x" * 64])
def test_a_wrong_secret_buys_nothing(secret, acme, visitor, db):
    with enter(acme):
        made = make_client(name="Warehouse", permissions=[], expires_at=None, actor=SYSTEM)

    assert buy(visitor(acme), made.client.client_id, secret).status_code == 401


def test_a_program_signs_nobody_in(acme, visitor, db):
    with enter(acme):
        made = make_client(name="Warehouse", permissions=[], expires_at=None, actor=SYSTEM)

    password = buy(visitor(acme), made.client.client_id, made.secret, grant_type="password", username="a", password="b")
    code = buy(visitor(acme), made.client.client_id, made.secret, grant_type="authorization_code", code="x")

    assert password.status_code in (400, 401)
    assert code.status_code in (400, 401)


def test_the_token_names_the_client_and_nobody_else(program):
    client, token = program("team.view")

    claims = jwt.decode(token, options={"verify_signature": False})

    assert (claims["client_id"], claims["sub"]) == (client.client_id, f"client:{client.client_id}")
    assert claims["aud"] == ["plexica-api"]


def test_only_a_hash_of_the_secret_is_kept(acme, db):
    with enter(acme):
        made = make_client(name="Warehouse", permissions=[], expires_at=None, actor=SYSTEM)

        row = Application.objects.get(client_id=made.client.client_id)
        assert made.secret not in str(vars(row)) + str(vars(made.client))
        assert made.secret not in repr(made)


def test_nobody_gives_a_program_what_they_lack(acme, db):
    with enter(acme):
        member = Person.objects.get(email="member@people.example").actor
        with pytest.raises(Forbidden):
            make_client(name="Warehouse", permissions=["team.manage"], expires_at=None, actor=member)

        assert not ApiClient.objects.exists()
        assert not Application.objects.filter(client_id__startswith="client-").exists()


@pytest.mark.parametrize(
    "said",
    [
        {"name": " "},
        {"name": "x" * 121},
        {"permissions": ["no.such"]},
        {"permissions": ["super_admin"]},
        {"expires_at": "past"},
    ],
)
def test_wrong_values_make_no_client(said, acme, db):
    if said.get("expires_at"):
        said = {"expires_at": timezone.now()}
    values = {"name": "Warehouse", "permissions": [], "expires_at": None, **said}

    with enter(acme), pytest.raises(Invalid):
        make_client(actor=SYSTEM, **values)

    with enter(acme):
        assert not Application.objects.filter(client_id__startswith="client-").exists()


# --- the platform's


@pytest.fixture
def machine(db, operator):
    """Makes a client of the platform: `machine("super_admin")` gives it and its token."""

    def make(*permissions):
        with enter_platform():
            made = make_client(name="Sign-up", permissions=permissions, expires_at=None, actor=operator)
        return made.client, token_for(Visitor(), made)

    return make


def test_a_machine_makes_a_tenant(machine, visitor):
    _, token = machine("super_admin")
    body = {"slug": "made-by-machine", "name": "Made", "admin_email": "a@made.example", "admin_name": "Ada"}

    first = visitor().api("POST", "/api/v1/tenants/", body=body, token=token, HTTP_IDEMPOTENCY_KEY="k")
    again = visitor().api("POST", "/api/v1/tenants/", body=body, token=token, HTTP_IDEMPOTENCY_KEY="k")

    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    entry = AuditEntry.objects.filter(action="tenant.requested").first()
    assert (entry.actor_kind, entry.actor_name) == ("client", "Sign-up")


def test_a_machine_without_that_may_look_and_change_nothing(machine, visitor, world):
    _, token = machine()
    body = {"slug": "made-by-machine", "name": "Made", "admin_email": "a@made.example", "admin_name": "Ada"}

    assert visitor().api("GET", "/api/v1/tenants/", token=token).status_code == 200
    assert visitor().api("POST", "/api/v1/tenants/", body=body, token=token).status_code == 403


# --- pages and API


def test_an_admin_makes_one_sees_the_secret_once_and_revokes_it(owner, acme, visitor):
    page = owner.post("/api-clients/create/", {"name": "Warehouse", "permissions": ["team.view"], "days": "30"})
    with enter(acme):
        client = ApiClient.objects.get()
    listed = owner.get("/api-clients/").content.decode()
    revoked = owner.post(f"/api-clients/{client.pk}/revoke/")

    text = page.content.decode()
    secret = text.partition('id="client-secret" value="')[2].partition('"')[0]
    assert page["Cache-Control"] == "no-store"
    assert buy(visitor(acme), client.client_id, secret).status_code in (200, 401)  # 401: forgotten by a worker
    assert len(secret) > 40
    assert client.client_id in listed
    assert secret not in listed
    assert revoked.status_code == 302
    with enter(acme):
        assert ApiClient.objects.get().state == "revoked"


def test_an_issuer_that_does_not_answer_hides_no_secret(owner, acme, monkeypatch):
    with enter(acme):
        kept = make_client(name="Warehouse", permissions=[], expires_at=None, actor=SYSTEM)
        hash_before = Application.objects.get(client_id=kept.client.client_id).client_secret

    def refuse(realm):
        raise Unavailable(part="issuer")

    page = owner.get("/api-clients/")
    monkeypatch.setattr(pages, "discover", refuse)
    made = owner.post("/api-clients/create/", {"name": "Shop", "permissions": [], "days": "30"}, page=page)
    renewed = owner.post(f"/api-clients/{kept.client.pk}/secret/", page=page)

    assert (made.status_code, renewed.status_code) == (503, 503)
    with enter(acme):
        assert [client.name for client in ApiClient.objects.all()] == ["Warehouse"]
        assert Application.objects.get(client_id=kept.client.client_id).client_secret == hash_before


def test_the_api_makes_lists_and_revokes_them(owner, acme):
    body = {"name": "Warehouse", "permissions": ["team.view"]}
    made = owner.api("POST", "/api/v1/api-clients/", body=body, **csrf(owner))
    one = made.json()

    listed = owner.api("GET", "/api/v1/api-clients/").json()["results"]
    read = owner.api("GET", f"/api/v1/api-clients/{one['id']}/")
    revoked = owner.api("DELETE", f"/api/v1/api-clients/{one['id']}/", **csrf(owner))

    assert made.status_code == 201
    assert one["secret"]
    assert made["Cache-Control"] == "no-store"
    assert [row["id"] for row in listed] == [one["id"]]
    assert "secret" not in read.json()
    assert revoked.json()["state"] == "revoked"


def test_a_new_secret_is_shown_once_and_the_old_one_buys_nothing(owner, acme, visitor):
    with enter(acme):
        made = make_client(name="Warehouse", permissions=["team.view"], expires_at=None, actor=SYSTEM)

    asked = owner.get(f"/api-clients/{made.client.pk}/secret/")
    page = owner.post(f"/api-clients/{made.client.pk}/secret/", page=asked)

    secret = page.content.decode().partition('id="client-secret" value="')[2].partition('"')[0]
    assert page["Cache-Control"] == "no-store"
    assert buy(visitor(acme), made.client.client_id, made.secret).status_code == 401
    token = token_for(visitor(acme), MadeClient(made.client, secret))
    assert visitor(acme).api("GET", "/api/v1/me/", token=token).json()["permissions"] == ["team.view"]
    with enter(acme):
        assert AuditEntry.objects.filter(action="api_client.secret_renewed", target_id=made.client.pk).count() == 1


def test_the_api_gives_a_new_secret(owner, acme, visitor):
    with enter(acme):
        made = make_client(name="Warehouse", permissions=["team.view"], expires_at=None, actor=SYSTEM)
        ApiClient.objects.filter(pk=made.client.pk).update(needs_secret=True)
    path = f"/api/v1/api-clients/{made.client.pk}/"
    before = owner.api("GET", path).json()["state"]

    renewed = owner.api("POST", f"{path}secret/", body={}, **csrf(owner))

    assert before == "secret_needed"
    assert (renewed.status_code, renewed.json()["state"]) == (200, "active")
    assert renewed["Cache-Control"] == "no-store"
    assert token_for(visitor(acme), MadeClient(made.client, renewed.json()["secret"]))


def test_nobody_gets_a_secret_for_permissions_that_they_lack(acme, db):
    with enter(acme):
        made = make_client(name="Warehouse", permissions=["team.manage"], expires_at=None, actor=SYSTEM)
        member = Person.objects.get(email="member@people.example").actor

        with pytest.raises(Forbidden):
            renew_secret(client_id=made.client.pk, actor=member)

        assert not AuditEntry.objects.filter(action="api_client.secret_renewed", target_id=made.client.pk).exists()
    assert buy(Visitor(acme), made.client.client_id, made.secret).status_code == 200


@pytest.mark.parametrize("end", ["revoked_at", "expires_at"])
def test_what_has_ended_gets_no_new_secret(end, owner, acme):
    with enter(acme):
        made = make_client(name="Warehouse", permissions=[], expires_at=None, actor=SYSTEM)
        ApiClient.objects.filter(pk=made.client.pk).update(**{end: timezone.now()})

    answer = owner.api("POST", f"/api/v1/api-clients/{made.client.pk}/secret/", body={}, **csrf(owner))

    assert (answer.status_code, answer.json()["code"]) == (409, "api_client_over")
    assert f"{made.client.pk}/secret/" not in owner.get("/api-clients/").content.decode()


@pytest.mark.parametrize("path", ["/api-clients/", "/api-clients/create/"])
def test_members_have_no_business_there(path, member):
    assert member.get(path).status_code == 403


def test_support_looks_at_the_platforms_clients_and_makes_none(support_at_console, operator_at_console):
    form = {"name": "Sign-up", "permissions": ["super_admin"], "days": ""}

    looked = support_at_console.get("/console/api-clients/")
    refused = support_at_console.post("/console/api-clients/create/", form, page=looked)
    made = operator_at_console.post("/console/api-clients/create/", form)

    assert looked.status_code == 200
    assert "/console/api-clients/create/" not in looked.content.decode()
    assert refused.status_code == 403
    assert made.status_code == 200
    assert ApiClient.objects.get().permissions == ["super_admin"]
