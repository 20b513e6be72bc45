"""Programs: device codes and API clients of one tenant at another, and yes said by the wrong person."""

import pytest

from accounts.clients.services import make_client, revoke_client
from accounts.identity import provider
from core.actors import SYSTEM
from core.tenancy import enter
from tests.attacks.site import Site


@pytest.fixture
def patient(time_machine_to):
    """Polls no sooner than a polite program does: by the built-in issuer's clock. A Keycloak has its own."""

    def wait(site: Site) -> None:
        if site.is_builtin:
            time_machine_to(seconds=6)

    return wait


def buy(site, client_id, secret):
    return site.token(grant_type="client_credentials", client_id=client_id, client_secret=secret)


def test_somebody_says_yes_and_their_program_gets_tokens(a, patient):
    """The whole flow at both issuers; what follows is refused for its own reason."""
    browser, asked = a.browser(), a.ask_device().json()

    a.approve(browser, asked)
    patient(a)
    given = a.poll(asked)

    assert given.status_code == 200, given.content
    assert a.api(given.json()["access_token"]).json()["email"] == a.people["user"].email


def test_a_device_code_of_one_tenant_is_unknown_at_another(a, b, patient):
    asked = a.ask_device().json()
    a.approve(a.browser(), asked)
    patient(a)

    there = b.poll(asked)

    assert there.status_code == 400
    assert there.json()["error"] in ("invalid_grant", "expired_token")
    assert a.poll(asked).status_code == 200


def test_a_code_that_is_typed_at_another_tenant_connects_nothing(a, b, patient):
    asked = a.ask_device().json()

    page = b.type_code(b.browser(), asked["user_code"])

    assert page.status_code in (200, 400)
    assert "Plexica command line" not in page.content.decode()
    assert a.poll(asked).json()["error"] in ("authorization_pending", "slow_down")


def test_a_devices_token_is_worth_nothing_at_another_tenant(a, b, patient):
    asked = a.ask_device().json()
    a.approve(a.browser(), asked)
    patient(a)
    given = a.poll(asked).json()

    assert b.refuses(given["access_token"])
    assert b.refresh(given["refresh_token"], client_id="plexica-cli", client_secret=None).status_code == 400
    assert a.refresh(given["refresh_token"]).status_code in (400, 401)  # as the pages' client


def test_a_device_code_buys_tokens_once(a, patient):
    asked = a.ask_device().json()
    a.approve(a.browser(), asked)
    patient(a)
    assert a.poll(asked).status_code == 200
    patient(a)

    again = a.poll(asked)

    assert again.status_code == 400
    assert "access_token" not in again.json()


def test_nobody_who_is_not_signed_in_says_yes(a):
    asked = a.ask_device().json()
    if a.is_builtin:
        page = a.stranger().pages.get(asked["verification_uri_complete"])
        asks_for_a_password = page.status_code == 302 and page["Location"].startswith("/op/sign-in/")
    else:
        asks_for_a_password = "kc-form-login" in a.type_code(a.stranger(), asked["user_code"]).text

    assert asks_for_a_password
    assert a.poll(asked).json()["error"] in ("authorization_pending", "slow_down")


@pytest.mark.parametrize("client", ["plexica-web", "nobody", ""])
def test_other_clients_cannot_begin_the_device_flow(client, a):
    assert a.ask_device(client_id=client).status_code in (400, 401)


def test_somebody_disabled_meanwhile_gives_no_program_a_token(a, patient):
    who, asked = a.newcomer(), a.ask_device().json()
    a.approve(a.sign_in(who), asked)
    provider().set_account_active(a.ref, who.subject, False)
    patient(a)

    assert a.poll(asked).status_code == 400


def test_an_api_client_of_one_tenant_is_nobody_at_another(a, b):
    with enter(a.ref):
        made = make_client(name="Warehouse", permissions=["team.view"], expires_at=None, actor=SYSTEM)
    given = buy(a, made.client.client_id, made.secret)
    token = given.json()["access_token"]

    assert a.api(token).json()["permissions"] == ["team.view"]
    assert b.refuses(token)
    assert buy(b, made.client.client_id, made.secret).status_code == 401
    assert buy(a, made.client.client_id, "guessed").status_code == 401

    with enter(a.ref):
        revoke_client(client_id=made.client.pk, actor=SYSTEM)

    assert a.refuses(token)


def test_the_realms_own_clients_get_no_token_that_the_api_takes(a):
    """The pages' client may not act for itself; the administration's may, at the issuer alone."""
    own = buy(a, "plexica-web", a.secret)
    assert own.status_code in (400, 401)
    if not a.is_builtin:
        administration = buy(a, "plexica-admin", a.admin_secret)
        assert administration.status_code == 200
        assert a.refuses(administration.json()["access_token"])
