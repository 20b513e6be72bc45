"""A tenant's realm moves between the built-in issuer and Keycloaks: people stay who they are, and passwords come along."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.clients.models import ApiClient
from accounts.clients.services import make_client, renew_secret
from accounts.identity import models, provider
from accounts.identity.builtin import authenticators
from accounts.identity.keycloak.provider import KeycloakProvider
from accounts.identity.models import Realm
from accounts.people.models import Person
from core.actors import SYSTEM
from core.audit.models import AuditEntry
from core.tenancy import enter
from tenants.models import Tenant
from tests.attacks.site import Site
from tests.support import keycloak as keycloak_pages
from tests.support import people
from tests.support.authenticator import App
from tests.support.browser import Visitor

pytestmark = pytest.mark.live
PASSWORD = "seven plain words 7"
CODES = "codes@people.example"


@pytest.fixture
def staffed(new_tenant):
    """A tenant at the built-in issuer: an admin, somebody who is disabled, somebody who never set a password, and somebody
    with a second factor.
    """
    tenant = new_tenant()
    with enter(tenant.ref):
        admin = Person.objects.get()
    provider().set_password(tenant.ref, subject=admin.subject, password=PASSWORD)
    for name, password in (("off", PASSWORD), ("new", None), ("codes", PASSWORD)):
        account = provider().make_account(
            tenant.ref, email=f"{name}@people.example", name=name.title(), password=password
        )
        if name == "off":
            provider().set_account_active(tenant.ref, account.subject, False)
    with enter(tenant.ref):
        tenant.app = App(authenticators.new_secret())
        authenticators.set_up(models.Account.objects.get(email=CODES), secret=tenant.app.key, step=1)
    return tenant


def move(tenant, to: str) -> dict[str, list[str]]:
    out = StringIO()
    call_command("move_realm", tenant.slug, "--to", to, "--json", stdout=out)
    return json.loads(out.getvalue())


def facts_of(tenant):
    """Everything that must stay as it is."""
    with enter(tenant.ref):
        return {
            "people": list(Person.objects.order_by("pk").values("id", "subject", "email", "name", "created_at")),
            "roles": sorted(Person.objects.values_list("pk", "roles__name")),
            "history": AuditEntry.objects.filter(action="member.added").count(),
        }


def test_to_keycloak_with_passwords_and_back_with_invitations(staffed, keycloak, visitor, mailoutbox):
    tenant = staffed
    visitor(tenant.ref).sign_in(tenant.admin_email, PASSWORD)
    with enter(tenant.ref):
        program = make_client(name="Warehouse", permissions=["team.view"], expires_at=None, actor=SYSTEM)
    before = facts_of(tenant)
    signed_in = visitor(tenant.ref).sign_in(tenant.admin_email, PASSWORD)

    there = move(tenant, "keycloak")

    assert there["issuer"] == f"{keycloak.url}/realms/{tenant.slug}"
    assert set(there["kept"]) == {tenant.admin_email, "off@people.example", CODES}
    assert (there["codes_kept"], there["codes_anew"]) == ([CODES], [])
    assert there["invited"] == ["new@people.example"]
    assert facts_of(tenant) == before
    assert there["programs"] == [program.client.client_id]
    renew_what_needs_a_secret(tenant, program.client)
    assert Tenant.objects.get(pk=tenant.pk).identity_server == "keycloak"
    assert signed_in.get("/profile/").status_code == 302  # everybody signs in anew
    visitor(tenant.ref).sign_in(tenant.admin_email, PASSWORD)
    with pytest.raises(AssertionError, match="refused"):
        visitor(tenant.ref).sign_in("off@people.example", PASSWORD)
    with pytest.raises(AssertionError, match="refused"):
        _at_issuer(visitor(tenant.ref), CODES)
    assert "/oidc/callback/" in _at_issuer(visitor(tenant.ref), CODES, tenant.app)
    with enter(tenant.ref):
        assert Person.objects.count() == 1
        assert not models.Account.objects.exists()
        assert not models.SigningKey.objects.exists()
        assert not models.Authenticator.objects.exists()
        assert not models.RecoveryCode.objects.exists()
        assert list(Realm.objects.order_by("created_at").values_list("provider", "is_current")) == [
            ("builtin", False),
            ("keycloak", True),
        ]

    again = move(tenant, "keycloak")

    assert (again["kept"], again["invited"]) == ([], [])
    before = facts_of(tenant)

    back = move(tenant, "builtin")

    assert back["kept"] == []
    assert set(back["invited"]) == {tenant.admin_email, "new@people.example", CODES}
    assert (back["codes_kept"], back["codes_anew"]) == ([], [CODES])
    with enter(tenant.ref):  # they set another app up on the way in
        assert set(models.Account.objects.filter(two_factor=True).values_list("email", flat=True)) == {CODES}
    assert facts_of(tenant) == before
    renew_what_needs_a_secret(tenant, program.client)
    assert not _at_keycloak(keycloak, tenant)
    assert Tenant.objects.get(pk=tenant.pk).identity_server == ""
    with pytest.raises(AssertionError, match="refused"):
        visitor(tenant.ref).sign_in(tenant.admin_email, PASSWORD)
    with enter(tenant.ref):
        subject = Person.objects.get().subject
    link = provider().make_password_link(tenant.ref, subject=subject)
    visitor(tenant.ref).post(link.partition(":8000")[2], {"password": PASSWORD, "password_again": PASSWORD})
    visitor(tenant.ref).sign_in(tenant.admin_email, PASSWORD)
    assert AuditEntry.objects.filter(action="tenant.realm_moved", target_id=tenant.pk).count() == 2


def renew_what_needs_a_secret(tenant, client):
    """A program says that it needs another secret, gets one at the new realm, and calls with it."""
    with enter(tenant.ref):
        assert ApiClient.objects.get(pk=client.pk).state == "secret_needed"
        made = renew_secret(client_id=client.pk, actor=SYSTEM)
        assert made.client.state == "active"
    given = Site(tenant, staff=()).token(
        grant_type="client_credentials", client_id=made.client.client_id, client_secret=made.secret
    )
    called = Visitor(tenant.ref).api("GET", "/api/v1/me/", token=given.json()["access_token"])
    assert (called.status_code, called.json()["permissions"]) == (200, ["team.view"])


def test_a_move_that_was_cut_off_is_begun_anew(staffed, keycloak, visitor, monkeypatch):
    from accounts.identity import moving

    def cut_off(*args, **kwargs):
        raise KeyboardInterrupt

    tenant = staffed
    monkeypatch.setattr(moving, "_place", cut_off)
    monkeypatch.setattr(moving.Person.objects, "filter", cut_off)
    with pytest.raises(KeyboardInterrupt):
        move(tenant, "keycloak")
    monkeypatch.undo()
    visitor(tenant.ref).sign_in(tenant.admin_email, PASSWORD)  # still at the old realm
    assert _at_keycloak(keycloak, tenant)

    moved = move(tenant, "keycloak")

    assert tenant.admin_email in moved["kept"]
    visitor(tenant.ref).sign_in(tenant.admin_email, PASSWORD)


def test_between_keycloaks(settings, staffed, keycloak, second_keycloak):
    settings.KEYCLOAK_SERVERS = {"keycloak": keycloak, "keycloak-2": second_keycloak}
    tenant = staffed
    move(tenant, "keycloak")
    before = facts_of(tenant)

    moved = move(tenant, "keycloak-2")

    assert moved["issuer"] == f"{second_keycloak.url}/realms/{tenant.slug}"
    assert tenant.admin_email in moved["invited"]
    assert (moved["codes_kept"], moved["codes_anew"]) == ([], [CODES])
    api = KeycloakProvider().api(tenant.ref)
    (user,) = api.call("GET", f"/{api.realm}/users", params={"email": CODES, "exact": "true"}).json()
    assert user["requiredActions"] == ["CONFIGURE_TOTP"]
    assert facts_of(tenant) == before
    assert not _at_keycloak(keycloak, tenant)
    assert _at_keycloak(second_keycloak, tenant)


def test_nobody_moves_to_a_server_that_the_settings_do_not_name(staffed):
    with pytest.raises(CommandError, match="Choose one of: builtin"):
        move(staffed, "atlantis")


def test_a_tenant_restored_from_another_platform_gets_accounts_for_its_people(staffed, keycloak, visitor):
    tenant = staffed
    move(tenant, "keycloak")
    with enter(tenant.ref):
        subject = Person.objects.get().subject
    identity = KeycloakProvider()
    identity.api(tenant.ref).call("DELETE", f"/{tenant.slug}")
    with enter(tenant.ref):  # as an archive's rows are: the secrets stayed behind
        Realm.objects.filter(is_current=True).update(client_secret="", admin_secret="", server="")

    people.step_named("realm").run(tenant, {})

    with enter(tenant.ref):
        person = Person.objects.get()
    assert person.subject != subject
    assert provider().find_account(tenant.ref, person.subject).email == person.email


def _at_issuer(visitor, email, app=None) -> str:
    """Sign in at the Keycloak and return where it sends the browser, without coming in: nobody becomes a person."""
    begun = visitor.get("/oidc/authenticate/?next=/")
    return keycloak_pages.sign_in_at(begun["Location"], email, PASSWORD, app=app)


def _at_keycloak(server, tenant) -> bool:
    from accounts.identity.keycloak.client import realm_is_there

    return realm_is_there(server, tenant.slug)
