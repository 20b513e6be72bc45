"""A tenant whose realm is at a real Keycloak: made by provisioning, signed in through its page, its tokens at our API."""

import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest
import requests
from django.db import connections
from django.test import override_settings

from accounts.identity import provider
from accounts.identity.keycloak.client import Api, RealmMissing
from accounts.identity.keycloak.provider import KeycloakProvider
from accounts.identity.models import Realm
from accounts.people.models import Person
from accounts.sessions.models import BrowserSession
from core.audit.models import AuditEntry
from core.errors import Rejected
from core.tenancy import enter
from tests.support import people
from tests.support.browser import Visitor
from tests.support.issuer import claims_of, pkce, query_of
from tests.support.keycloak import cookies_of
from tests.support.walk import Walk

pytestmark = pytest.mark.live
PASSWORD = "seven plain words 7"
ME = "/api/v1/me/"


@pytest.fixture(scope="module")
def made(django_db_setup, world, keycloak, django_db_blocker):
    """A tenant as provisioning makes it where Keycloak issues identities; its first admin has a password."""
    with django_db_blocker.unblock():
        with override_settings(IDENTITY_PROVIDER="keycloak"):
            tenant = people.provision(name="Umbra & Söhne")
        with enter(tenant.ref):
            subject = Person.objects.get().subject
        provider().set_password(tenant.ref, subject=subject, password=PASSWORD)
        tenant.refresh_from_db()
        yield tenant
        people.remove(tenant)


@pytest.fixture
def tenant(made, committed):
    return made


@pytest.fixture
def realm(tenant):
    with enter(tenant.ref):
        return Realm.objects.get(is_current=True)


@pytest.fixture
def admin(tenant) -> Api:
    """The realm's own admin client."""
    return KeycloakProvider().api(tenant.ref)


class Spoken:
    """OpenID Connect by hand with the realm."""

    def __init__(self, tenant, realm) -> None:
        self.realm, self.tenant, self.walk = realm, tenant, Walk(tenant.ref)
        self.at = f"{realm.issuer}/protocol/openid-connect"
        self.callback = f"http://{tenant.slug}.localhost:8000/oidc/callback/"

    def authorize(self, **changes: str | None) -> requests.Response:
        self.verifier, challenge = pkce()
        asked: dict[str, str | None] = {
            "response_type": "code", "client_id": "plexica-web", "redirect_uri": self.callback, "scope": "openid email profile",
            "state": "a-state", "nonce": "a-nonce", "code_challenge": challenge, "code_challenge_method": "S256",
        }  # fmt: skip
        sent = {name: value for name, value in (asked | changes).items() if value is not None}
        address = requests.Request("GET", f"{self.at}/auth", params=sent).prepare().url
        return self.walk.ask_issuer(str(address))

    def token(self, **sent: str) -> requests.Response:
        secret = {"client_id": "plexica-web", "client_secret": self.realm.client_secret}
        return requests.post(f"{self.at}/token", data=secret | sent, timeout=60)

    def tokens(self) -> dict[str, str]:
        code = query_of(self.authorize().headers)["code"]
        answer = self.token(
            grant_type="authorization_code", code=code, code_verifier=self.verifier, redirect_uri=self.callback
        )
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def spoken(tenant, realm):
    """The first admin's browser, signed in at the realm."""
    spoken = Spoken(tenant, realm)
    spoken.walk.sign_in(tenant.admin_email, PASSWORD)
    return spoken


@pytest.fixture
def tokens(spoken):
    return spoken.tokens()


def issuer_of(tenant) -> str:
    with enter(tenant.ref):
        return Realm.objects.get(is_current=True).issuer


# --- the realm ------------------------------------------------------------------------------------------


def test_provisioning_made_the_realm_and_wrote_down_where(tenant, realm, keycloak):
    assert tenant.status == "active"
    assert tenant.identity_server == realm.server == keycloak.name
    assert realm.provider == "keycloak"
    assert realm.issuer == f"{keycloak.url}/realms/{tenant.slug}"
    assert provider().realm_exists(tenant.ref)
    assert provider().count_accounts(tenant.ref) == 1


def test_secrets_of_the_realm_are_encrypted_at_rest(tenant, realm, committed):
    from django.db import connection

    with enter(tenant.ref), connection.cursor() as cursor:
        cursor.execute("SELECT client_secret, admin_secret FROM identity_realm WHERE is_current")
        row = cursor.fetchone()

    assert realm.client_secret not in row
    assert realm.admin_secret not in row


def test_the_realm_is_as_it_was_asked_for(tenant, admin):
    found = admin.call("GET", f"/{tenant.slug}").json()

    assert found["displayName"] == tenant.name
    assert found["bruteForceProtected"]
    assert not found["registrationAllowed"]
    assert "length(12)" in found["passwordPolicy"]
    assert found["loginTheme"] == "plexica"
    assert found["accessTokenLifespan"] == 300
    assert found["revokeRefreshToken"]
    assert set(found["supportedLocales"]) == {"en", "it"}
    assert {"admin", "user", "guest"} <= {role["name"] for role in admin.call("GET", f"/{tenant.slug}/roles").json()}


def test_the_pages_client_takes_one_callback_and_one_way_back(tenant, admin):
    web = admin.call("GET", f"/{tenant.slug}/clients", params={"clientId": "plexica-web"}).json()[0]

    assert web["redirectUris"] == [f"http://{tenant.slug}.localhost:8000/oidc/callback/"]
    assert web["attributes"]["post.logout.redirect.uris"] == f"http://{tenant.slug}.localhost:8000/"
    assert web["attributes"]["pkce.code.challenge.method"] == "S256"
    assert web["attributes"]["backchannel.logout.url"].startswith(f"http://{tenant.slug}.localhost:8000/")
    assert not web["fullScopeAllowed"]


def test_no_client_of_the_realm_takes_a_password(tenant, admin, realm):
    clients = admin.call("GET", f"/{tenant.slug}/clients").json()

    assert [client["clientId"] for client in clients if client["directAccessGrantsEnabled"]] == []
    for client_id in ("admin-cli", "plexica-cli", "plexica-web"):
        answer = requests.post(
            f"{realm.issuer}/protocol/openid-connect/token",
            data={
                "grant_type": "password", "client_id": client_id, "client_secret": realm.client_secret,
                "username": tenant.admin_email, "password": PASSWORD,
            },
            timeout=60,
        )  # fmt: skip
        assert answer.status_code in (400, 401)


def test_the_provisioner_can_look_into_no_realm_that_it_made(tenant, keycloak):
    from accounts.identity.keycloak.client import provisioner

    for path in (f"/{tenant.slug}/users", f"/{tenant.slug}/clients", "/master/users", "/master/clients"):
        with pytest.raises(Rejected) as refusal:
            provisioner(keycloak).call("GET", path)
        assert refusal.value.facts["status"] == 403
    claims = claims_of(provisioner(keycloak).token(fresh=True))
    assert claims["realm_access"]["roles"] == ["create-realm"]
    assert "resource_access" not in claims


def test_one_realms_admin_client_reaches_no_other_realm(tenant, admin):
    with pytest.raises(Rejected) as refusal:
        admin.call("GET", "/master/users")

    assert refusal.value.facts["status"] == 403


# --- signing in -----------------------------------------------------------------------------------------


def test_somebody_signs_in_through_keycloaks_page_and_lands_where_they_wanted(tenant, visitor):
    somebody = visitor(tenant.ref)

    somebody.sign_in(tenant.admin_email, PASSWORD, start="/team/?sort=-name")

    assert somebody.get("/team/").status_code == 200
    with enter(tenant.ref):
        assert Person.objects.get(email=tenant.admin_email).last_sign_in_at


def test_a_wrong_password_signs_nobody_in(tenant, visitor):
    with pytest.raises(AssertionError, match="refused"):
        visitor(tenant.ref).sign_in(tenant.admin_email, "not the password 7")


def test_a_new_account_becomes_a_guest_at_its_first_sign_in(tenant, visitor):
    email = f"new-{secrets.token_hex(3)}@people.example"
    account = provider().make_account(tenant.ref, email=email, name="Nora New", password=PASSWORD)

    visitor(tenant.ref).sign_in(email, PASSWORD)

    with enter(tenant.ref):
        person = Person.objects.get(email=email)
        assert (person.subject, person.name) == (account.subject, "Nora New")
        assert [role.name for role in person.roles.all()] == ["guest"]


def test_a_persons_page_shows_what_keycloak_says_of_their_sign_in(tenant, visitor):
    email, admin = "asked-about@kc.example", visitor(tenant.ref)
    account = provider().make_account(tenant.ref, email=email, name="Asked about", password=PASSWORD)
    visitor(tenant.ref).sign_in(email, PASSWORD)
    admin.sign_in(tenant.admin_email, PASSWORD)
    with enter(tenant.ref):
        path = f"/team/{Person.objects.get(subject=account.subject).pk}/"

    page = admin.get(path).content.decode()
    asked = admin.get(f"{path}sign-in/", HTTP_HX_REQUEST="true", HTTP_HX_TARGET="sign_in").content.decode()

    assert f'hx-get="{path}sign-in/"' in page
    assert "Not locked" not in page
    assert "Not locked" in asked
    assert "<dd>Off</dd>" in asked


def test_signing_out_ends_the_session_at_keycloak_too(tenant, spoken):
    assert spoken.walk.is_known_at_issuer()

    answer = spoken.walk.pages.post("/oidc/sign-out/", page=spoken.walk.pages.get("/profile/"))
    spoken.walk.ask_issuer(answer["Location"])

    assert answer["Location"].startswith(f"{spoken.realm.issuer}/protocol/openid-connect/logout")
    assert not spoken.walk.is_known_at_issuer()
    assert spoken.walk.pages.get("/profile/").status_code == 302


def test_pages_may_send_their_forms_to_keycloak(tenant, visitor, keycloak):
    policy = visitor(tenant.ref).get("/")["Content-Security-Policy"]

    assert keycloak.outer_url in next(part for part in policy.split(";") if "form-action" in part)


# --- tokens at the API ----------------------------------------------------------------------------------


def test_an_access_token_speaks_for_its_person(tokens, tenant, visitor):
    answer = visitor(tenant.ref).api("GET", ME, token=tokens["access_token"])

    assert answer.status_code == 200
    assert answer.json()["email"] == tenant.admin_email


def test_a_token_says_nothing_of_the_persons_mail_and_roles(tokens):
    claims = claims_of(tokens["access_token"])

    assert claims["typ"] == "Bearer"
    assert claims["azp"] == "plexica-web"
    assert claims["aud"] == "plexica-api"
    assert claims["exp"] - claims["iat"] == 300
    assert "realm_access" not in claims
    assert jwt.get_unverified_header(tokens["access_token"])["alg"] == "RS256"


def test_a_sign_in_takes_over_name_and_address_from_the_realm(tenant, admin, visitor):
    email = f"old-{secrets.token_hex(3)}@people.example"
    account = provider().make_account(tenant.ref, email=email, name="Nora New", password=PASSWORD)
    visitor(tenant.ref).sign_in(email, PASSWORD)
    changes = {"firstName": "Nora Married", "email": f"new.{email}", "username": f"new.{email}"}
    admin.call("PUT", f"/{tenant.slug}/users/{account.subject}", json=changes)

    visitor(tenant.ref).sign_in(f"new.{email}", PASSWORD)

    with enter(tenant.ref):
        person = Person.objects.get(subject=account.subject)
        assert (person.name, person.email) == ("Nora Married", f"new.{email}")
        assert AuditEntry.objects.filter(action="member.updated", target_id=person.pk).count() == 1


@pytest.fixture
def reachable(tenant, admin):
    """Leads the calls that Keycloak makes to the tenant's address here, as a proxy in front of us would.

    Nobody listens at that address in tests, and Java resolves no *.localhost.
    """
    heard = []

    class Proxy(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            answer = Visitor(tenant.ref).form(self.path, dict(parse_qsl(body)))
            heard.append((self.path, answer.status_code))
            connections.close_all()
            self.send_response(answer.status_code)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    (web,) = admin.call("GET", f"/{tenant.slug}/clients", params={"clientId": "plexica-web"}).json()
    before = web["attributes"]["backchannel.logout.url"]

    def lead(address):
        attributes = {**web["attributes"], "backchannel.logout.url": address}
        admin.call("PUT", f"/{tenant.slug}/clients/{web['id']}", json={**web, "attributes": attributes})

    lead(f"http://127.0.0.1:{server.server_port}{urlsplit(before).path}")
    yield heard
    lead(before)
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("ended_by", ["its session", "all sessions", "signing out there"])
def test_a_session_that_ends_at_keycloak_is_over_here(ended_by, tenant, admin, reachable):
    email = f"out-{secrets.token_hex(3)}@people.example"
    account = provider().make_account(tenant.ref, email=email, name="Olga Out", password=PASSWORD)
    browser, other = Walk(tenant.ref).sign_in(email, PASSWORD), Walk(tenant.ref).sign_in(email, PASSWORD)
    with enter(tenant.ref):
        rows = BrowserSession.objects.filter(subject=account.subject).order_by("started_at")
        sid, id_token = rows[0].issuer_sid, rows[0].id_token
    assert browser.pages.get("/profile/").status_code == 200

    if ended_by == "its session":
        admin.call("DELETE", f"/{tenant.slug}/sessions/{sid}")
    elif ended_by == "all sessions":
        admin.call("POST", f"/{tenant.slug}/users/{account.subject}/logout")
    else:
        end = f"{issuer_of(tenant)}/protocol/openid-connect/logout"
        requests.get(end, params={"id_token_hint": id_token}, cookies=cookies_of(browser.issuer), timeout=60)

    assert reachable
    assert set(reachable) == {("/oidc/backchannel-logout/", 200)}
    assert browser.pages.get("/profile/").status_code == 302
    assert other.pages.get("/profile/").status_code == (302 if ended_by == "all sessions" else 200)
    with enter(tenant.ref):
        person = Person.objects.get(subject=account.subject)
        ended = AuditEntry.objects.filter(action="session.ended", target_id=person.pk)
        assert {entry.facts["how"] for entry in ended} == {"back_channel"}


# --- disabled and gone ----------------------------------------------------------------------------------


def test_a_disabled_realm_gives_nothing_and_ends_what_it_gave(tenant, realm, spoken, tokens, admin):
    KeycloakProvider().disable_realm(tenant.ref)

    try:
        assert not KeycloakProvider().api(tenant.ref).call("GET", f"/{tenant.slug}").json()["enabled"]
        assert spoken.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"]).status_code >= 400
        assert spoken.walk.start().status_code >= 400
        assert provider().count_accounts(tenant.ref) >= 1  # the administration goes on
    finally:
        KeycloakProvider().enable_realm(tenant.ref)
    assert spoken.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"]).status_code >= 400
    spoken.walk.sign_in(tenant.admin_email, PASSWORD)
    with enter(tenant.ref):
        assert Realm.objects.get(is_current=True).admin_token == ""


def test_what_opened_a_disabled_realm_opens_it_once(tenant, admin, committed):
    KeycloakProvider().disable_realm(tenant.ref)
    with enter(tenant.ref):
        token = Realm.objects.get(is_current=True).admin_token
    KeycloakProvider().enable_realm(tenant.ref)

    answer = requests.get(
        f"{admin.server.url}/admin/realms/{tenant.slug}", headers={"Authorization": f"Bearer {token}"}, timeout=60
    )

    assert answer.status_code == 401


def test_a_realm_of_somebody_else_is_a_leftover_and_never_adopted_silently(keycloak, new_tenant):
    from accounts.identity.keycloak.client import provisioner

    tenant = new_tenant()
    from accounts.identity.builtin.provider import BuiltinProvider

    BuiltinProvider().delete_realm(tenant.ref)
    foreign = Api(keycloak, tenant.slug, "plexica-admin", "s")
    document = {
        "realm": tenant.slug, "enabled": True, "sslRequired": "none",
        "clients": [{"clientId": "plexica-admin", "secret": "s", "serviceAccountsEnabled": True}],
        "users": [{
            "username": "service-account-plexica-admin", "enabled": True, "serviceAccountClientId": "plexica-admin",
            "clientRoles": {"realm-management": ["realm-admin"]},
        }],
    }  # fmt: skip
    provisioner(keycloak).call("POST", "", json=document)
    try:
        with override_settings(IDENTITY_PROVIDER="keycloak"):
            step = people.step_named("realm")
            assert [leftover.name for leftover in step.find_leftovers(tenant)] == [tenant.slug]
            with pytest.raises(Rejected, match=""):
                step.run(tenant, {})
        assert foreign.call("GET", f"/{tenant.slug}/users/count").json() == 0
    finally:
        foreign.call("DELETE", f"/{tenant.slug}")


def test_a_realm_that_vanished_is_named(tenant, admin, new_tenant):
    with override_settings(IDENTITY_PROVIDER="keycloak"):
        other = new_tenant()
    KeycloakProvider().api(other.ref).call("DELETE", f"/{other.slug}")
    KeycloakProvider().api(other.ref).forget()

    with pytest.raises(RealmMissing) as refusal:
        provider().list_accounts(other.ref)

    assert refusal.value.facts["realm"] == other.slug
    assert not provider().realm_exists(other.ref)
