"""What every adapter of the identity port must do. Keycloak is a real one."""

import secrets

import pytest
import requests

from accounts.identity.builtin.provider import BuiltinProvider
from accounts.identity.keycloak.provider import KeycloakProvider
from accounts.identity.models import Realm
from accounts.identity.port import SignInState
from accounts.identity.realms import current_realm
from accounts.identity.token_endpoint import refresh
from accounts.sessions.models import BrowserSession
from core.errors import Rejected
from core.tenancy import TenantRef, enter
from tests.support import people
from tests.support.authenticator import App, hidden, key_on
from tests.support.issuer import Issuer, claims_of
from tests.support.walk import Walk

PASSWORD = "seven plain words 7"
NOBODY = "01900000-0000-7000-8000-000000000000"
PROVIDERS = ["builtin", pytest.param("keycloak", marks=pytest.mark.live)]


@pytest.fixture(scope="module", params=PROVIDERS)
def provider(request):
    if request.param == "keycloak":
        request.getfixturevalue("keycloak")
        return KeycloakProvider()
    return BuiltinProvider()


def _without_realm(tenant) -> TenantRef:
    BuiltinProvider().delete_realm(tenant.ref)
    return tenant.ref


@pytest.fixture
def tenant(new_tenant, provider) -> TenantRef:
    """A fresh tenant without a realm."""
    return _without_realm(new_tenant())


@pytest.fixture(scope="module")
def lasting(django_db_setup, world, provider, django_db_blocker):
    """A tenant with a realm, for all tests that make people of their own in it."""
    with django_db_blocker.unblock():
        tenant = people.provision()
        try:
            ref = _without_realm(tenant)
            provider.make_realm(ref)
            yield ref
        finally:
            people.remove(tenant)


@pytest.fixture
def realm(lasting, committed) -> TenantRef:
    """The lasting tenant, in a test that writes for good."""
    return lasting


@pytest.fixture
def roles(realm) -> None:
    """The roles that somebody gets who signs in for the first time."""
    from accounts.people.services import make_builtin_roles

    with enter(realm):
        make_builtin_roles()


@pytest.fixture
def email() -> str:
    return f"one-{secrets.token_hex(4)}@port.example"


def issuer_of(ref) -> str:
    from accounts.identity.realms import current_realm

    with enter(ref):
        return current_realm().issuer


def test_a_realm_is_made_once_and_deleting_it_takes_everything(provider, tenant):
    assert not provider.realm_exists(tenant)

    first, second = provider.make_realm(tenant), provider.make_realm(tenant)
    secret = Issuer(tenant).secret
    before = provider.make_account(tenant, email="one@port.example", name="One")

    assert first == second == issuer_of(tenant)
    assert provider.realm_exists(tenant)
    with enter(tenant):
        assert Realm.objects.filter(is_current=True).count() == 1

    provider.delete_realm(tenant)
    provider.delete_realm(tenant)

    assert not provider.realm_exists(tenant)
    provider.make_realm(tenant)
    after = provider.make_account(tenant, email="one@port.example", name="One")
    assert after.created
    assert after.subject != before.subject
    assert Issuer(tenant).secret != secret


def test_accounts_are_counted_and_listed(provider, realm, email):
    before = provider.count_accounts(realm)

    account = provider.make_account(realm, email=email, name="One (IT) <ü>")
    provider.make_account(realm, email=email, name="One")

    assert provider.count_accounts(realm) == before + 1
    listed = provider.list_accounts(realm)
    assert len(listed) == before + 1
    assert [each.email for each in listed] == sorted(each.email for each in listed)
    assert provider.find_account(realm, account.subject) in listed
    assert provider.find_account(realm, account.subject).name == "One (IT) <ü>"


def test_an_account_is_made_once_and_found_by_its_address(provider, realm, email):
    first = provider.make_account(realm, email=email.upper(), name="One")
    second = provider.make_account(realm, email=f" {email} ", name="Another name")

    assert first.created
    assert not second.created
    assert first.subject == second.subject
    assert provider.find_account(realm, first.subject).email == email


def test_nobody_is_found_for_a_subject_that_is_not_there(provider, realm):
    assert provider.find_account(realm, NOBODY) is None


def test_making_an_account_again_changes_no_password(provider, realm, email, visitor, roles):
    provider.make_account(realm, email=email, name="One", password=PASSWORD)

    provider.make_account(realm, email=email, name="One", password="another password 7")

    assert visitor(realm).sign_in(email, PASSWORD).get("/profile/").status_code == 200


def test_a_link_lets_an_account_without_password_in_as_the_subject_that_was_told(
    provider, realm, email, visitor, roles
):
    from accounts.people.models import Person

    account = provider.make_account(realm, email=email, name="One")
    link = provider.make_password_link(realm, subject=account.subject)

    visitor(realm).post(link.partition(":8000")[2], {"password": PASSWORD, "password_again": PASSWORD})
    visitor(realm).sign_in(email, PASSWORD)

    assert link.startswith(f"http://{realm.slug}.localhost:8000/")
    with enter(realm):
        assert Person.objects.get(email=email).subject == account.subject


def test_a_password_that_was_set_replaces_the_one_before(provider, realm, email, visitor, roles):
    account = provider.make_account(realm, email=email, name="One", password="another password 7")

    provider.set_password(realm, subject=account.subject, password=PASSWORD)

    visitor(realm).sign_in(email, PASSWORD)
    with pytest.raises(AssertionError, match="refused"):
        visitor(realm).sign_in(email, "another password 7")


def test_a_disabled_account_signs_in_no_more_until_it_is_enabled(provider, realm, email, visitor, roles):
    account = provider.make_account(realm, email=email, name="One", password=PASSWORD)

    provider.set_account_active(realm, account.subject, False)
    provider.set_account_active(realm, account.subject, False)

    assert not provider.find_account(realm, account.subject).is_active
    with pytest.raises(AssertionError, match="refused"):
        visitor(realm).sign_in(email, PASSWORD)
    provider.set_account_active(realm, account.subject, True)
    visitor(realm).sign_in(email, PASSWORD)


def test_a_deleted_account_is_gone_and_its_address_free(provider, realm, email, visitor):
    account = provider.make_account(realm, email=email, name="One", password=PASSWORD)

    provider.delete_account(realm, account.subject)
    provider.delete_account(realm, account.subject)
    provider.set_account_active(realm, account.subject, False)

    assert provider.find_account(realm, account.subject) is None
    with pytest.raises(AssertionError, match="refused"):
        visitor(realm).sign_in(email, PASSWORD)
    assert provider.make_account(realm, email=email, name="One").created


def test_ended_sessions_ask_for_the_password_again(provider, realm, email, roles):
    account = provider.make_account(realm, email=email, name="One", password=PASSWORD)
    browser = Walk(realm)
    browser.sign_in(email, PASSWORD)
    assert browser.is_known_at_issuer()

    provider.end_sessions(realm, account.subject)
    provider.end_sessions(realm, account.subject)

    assert not browser.is_known_at_issuer()


def test_a_session_that_is_ended_asks_for_the_password_again_and_others_keep_their_tokens(
    provider, realm, email, roles
):
    account = provider.make_account(realm, email=email, name="One", password=PASSWORD)
    browsers = [Walk(realm), Walk(realm)]
    for browser in browsers:
        browser.sign_in(email, PASSWORD)
    with enter(realm):
        first, second = BrowserSession.objects.filter(subject=account.subject).order_by("started_at")

    provider.end_session(realm, account.subject, first.issuer_sid)
    provider.end_session(realm, account.subject, first.issuer_sid)

    assert not browsers[0].is_known_at_issuer()
    with enter(realm):
        assert refresh(current_realm(), second.refresh_token, subject=account.subject).access_token


def test_realms_do_not_know_each_others_accounts(provider, realm, email, world):
    one = provider.make_account(realm, email=email, name="One")

    two = BuiltinProvider().make_account(world.acme, email=email, name="One")
    BuiltinProvider().delete_account(world.acme, two.subject)

    assert two.created
    assert two.subject != one.subject


def test_a_disabled_realm_signs_nobody_in_and_an_enabled_one_does(provider, tenant, visitor):
    from accounts.people.services import make_builtin_roles

    provider.make_realm(tenant)
    with enter(tenant):
        make_builtin_roles()
    provider.make_account(tenant, email="one@port.example", name="One", password=PASSWORD)

    provider.disable_realm(tenant)
    provider.disable_realm(tenant)
    provider.enable_realm(tenant)
    provider.enable_realm(tenant)
    visitor(tenant).sign_in("one@port.example", PASSWORD)

    provider.disable_realm(tenant)
    assert provider.realm_exists(tenant)
    provider.delete_realm(tenant)
    assert not provider.realm_exists(tenant)


def test_a_program_gets_tokens_of_its_own_until_it_is_removed(provider, realm):
    client_id = f"api-{secrets.token_hex(4)}"
    client = provider.make_client(realm, client_id=client_id, name="Warehouse")

    claims = claims_of(_token(realm, client).json()["access_token"])

    assert claims["sub"] == client.subject
    assert claims["client_id"] == client_id
    assert claims["aud"] in ("plexica-api", ["plexica-api"])
    assert claims["exp"] - claims["iat"] == 300
    again = provider.make_client(realm, client_id=client_id, name="Warehouse")
    assert (again.client_id, again.subject) == (client.client_id, client.subject)
    assert _token(realm, client).status_code in (400, 401)
    assert _token(realm, again).status_code == 200

    provider.delete_client(realm, client_id)
    provider.delete_client(realm, client_id)

    assert _token(realm, again).status_code in (400, 401)
    assert client.secret not in repr(client)


def test_the_pages_client_is_no_program_that_can_be_removed_by_mistake(provider, realm):
    provider.delete_client(realm, "plexica-web")

    with enter(realm):
        assert Realm.objects.get(is_current=True).client_secret
    assert Walk(realm).start().status_code in (200, 302)


def test_the_issuer_publishes_itself_under_the_name_that_was_returned(provider, realm):
    issuer = issuer_of(realm)

    document = _ask(realm, "GET", f"{issuer}/.well-known/openid-configuration").json()

    assert document["issuer"] == issuer
    assert "S256" in document["code_challenge_methods_supported"]
    assert _ask(realm, "GET", document["jwks_uri"]).json()["keys"]


def _token(ref: TenantRef, client) -> requests.Response:
    document = _ask(ref, "GET", f"{issuer_of(ref)}/.well-known/openid-configuration").json()
    sent = {"grant_type": "client_credentials", "client_id": client.client_id, "client_secret": client.secret}
    return _ask(ref, "POST", document["token_endpoint"], data=sent)


def _ask(ref: TenantRef, method: str, url: str, **sent) -> requests.Response:
    from accounts.identity.realms import current_realm
    from accounts.identity.transport import session_for

    with enter(ref):
        answer: requests.Response = session_for(current_realm()).request(method, url, timeout=10, **sent)
    return answer


def test_a_second_factor_is_asked_of_everybody_and_can_be_lost(realm, roles, provider, email, visitor):
    """Who has none sets one up on the way in; it is asked for from then on; taken away, the password alone is enough."""
    account = provider.make_account(realm, email=email, name="One", password=PASSWORD)
    is_builtin = isinstance(provider, BuiltinProvider)
    app = App("")

    _require(realm, provider, True)
    try:
        if is_builtin:
            browser = visitor(realm)
            assert _refused_on_the_way_in(browser, email)
            _set_up_on_the_way_in(browser, app)
        else:
            with pytest.raises(AssertionError, match="more is asked"):
                visitor(realm).sign_in(email, PASSWORD)
            visitor(realm).sign_in(email, PASSWORD, app=app)
        assert app.key
        with pytest.raises(AssertionError):
            visitor(realm).sign_in(email, PASSWORD)
        visitor(realm).sign_in(email, PASSWORD, app=app)
    finally:
        _require(realm, provider, False)
    with pytest.raises(AssertionError):  # it is everybody's choice again, and theirs was made
        visitor(realm).sign_in(email, PASSWORD)
    assert provider.read_sign_in(realm, account.subject).has_second_factor

    provider.remove_second_factor(realm, account.subject)
    provider.remove_second_factor(realm, account.subject)

    assert not provider.read_sign_in(realm, account.subject).has_second_factor
    visitor(realm).sign_in(email, PASSWORD)


def _require(realm, provider, required: bool) -> None:
    from accounts.second_factors import require_two_factor
    from core.actors import SYSTEM

    with enter(realm):
        require_two_factor(required=required, actor=SYSTEM)
    provider.require_two_factor(realm, required)


def _refused_on_the_way_in(browser, email) -> bool:
    answer = browser.post("/op/sign-in/", {"email": email, "password": PASSWORD})
    return answer["Location"] == "/op/sign-in/set-up/"


def _set_up_on_the_way_in(browser, app) -> None:
    page = browser.get("/op/sign-in/set-up/")
    app.key = key_on(page)
    said = {"code": app.code(), "set_up": hidden(page, "set_up"), "tab": hidden(page, "tab")}
    assert browser.post("/op/sign-in/set-up/", said, page=page).status_code == 200


def test_how_nobody_signs_in_is_not_known(provider, realm):
    assert provider.read_sign_in(realm, NOBODY) is None


def test_a_locked_account_is_opened(realm, roles, provider, email, visitor, settings):
    settings.LOCKOUT_FAILURES = 3
    account = provider.make_account(realm, email=email, name="One", password=PASSWORD)
    for _ in range(3 if isinstance(provider, BuiltinProvider) else 10):  # as the realm's document says
        with pytest.raises(AssertionError, match="refused"):
            visitor(realm).sign_in(email, "not the password 7")
    with pytest.raises(AssertionError, match="refused"):
        visitor(realm).sign_in(email, PASSWORD)
    locked = provider.read_sign_in(realm, account.subject)

    provider.unlock_account(realm, account.subject)
    provider.unlock_account(realm, account.subject)

    assert locked.is_locked
    assert (locked.locked_until is not None) == isinstance(provider, BuiltinProvider)
    assert provider.read_sign_in(realm, account.subject) == SignInState(False, None, has_second_factor=False)
    visitor(realm).sign_in(email, PASSWORD)


def test_a_flow_that_was_changed_by_hand_is_said_to_be():
    from accounts.identity.keycloak.second_factors import _wanted

    own_form = {"providerId": "a form of their own", "level": 1, "requirement": "REQUIRED"}

    with pytest.raises(Rejected) as refusal:
        _wanted([own_form], True)

    assert "changed by hand" in refusal.value.facts["said"]
