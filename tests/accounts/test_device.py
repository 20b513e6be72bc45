"""Programs get their tokens by the device flow: a code that a person types, and the person's yes."""

import pytest
from oauth2_provider.models import get_device_grant_model

from core.tenancy import enter
from tests.support.issuer import CLI
from tests.support.people import email_of


@pytest.fixture
def ask(visitor):
    """Starts the flow as the command line does: `ask(tenant)`; None is the platform."""

    def start(tenant=None, **changes):
        answer = visitor(tenant).form("/op/device-authorization/", {"client_id": CLI, "scope": "openid", **changes})
        assert answer.status_code == 200, answer.content
        return answer.json()

    return start


@pytest.fixture
def poll(visitor):
    def once(asked, tenant=None, **changes):
        data = {
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
            "device_code": asked["device_code"],
            "client_id": CLI,
            **changes,
        }
        return visitor(tenant).form("/op/token/", data)

    return once


def decide(person, asked, action):
    """Type the code and answer."""
    path = "/op/device/"
    typed = person.post(path, {"user_code": asked["user_code"]})
    assert typed.status_code == 302, typed.content.decode()
    done = person.post(typed["Location"], {"action": action})
    assert done.status_code == 302
    return person.get(done["Location"])


@pytest.fixture
def patient(time_machine_to):
    """Waits as long as a polite program does between two polls."""
    return lambda: time_machine_to(seconds=6)


def test_an_operators_program_creates_a_tenant(operator_at_console, ask, poll, visitor, patient):
    from tenants.models import Operation

    asked = ask()
    page = decide(operator_at_console, asked, "allow")
    token = poll(asked).json()["access_token"]

    answer = visitor().api(
        "POST",
        "/api/v1/tenants/",
        body={"slug": "made-by-program", "name": "Made by program", "admin_email": "first@program.example"},
        token=token,
    )

    assert page.status_code == 200
    assert "Connected" in page.content.decode()
    assert answer.status_code == 202
    assert Operation.objects.get(tenant__slug="made-by-program").actor_name == "Jonas Weil"
    operation = visitor().api("GET", answer["Location"].partition(":8000")[2], token=token)
    assert operation.json()["tenant"] == "made-by-program"


def test_the_start_names_this_address_and_waits_for_an_answer(db, ask, poll, acme):
    asked = ask(acme)

    assert asked["verification_uri"] == "http://acme-corp.localhost:8000/op/device/"
    assert asked["verification_uri_complete"].startswith(asked["verification_uri"])
    assert asked["expires_in"] <= 1800
    waiting = poll(asked, acme)
    assert waiting.status_code == 400
    assert waiting.json()["error"] == "authorization_pending"


def test_a_refusal_gives_the_program_nothing(owner, ask, poll, acme, patient):
    asked = ask(acme)
    page = decide(owner, asked, "deny")

    answer = poll(asked, acme)

    assert "Refused" in page.content.decode()
    assert answer.status_code == 400
    assert answer.json()["error"] == "access_denied"


def test_anything_but_allow_is_a_refusal(owner, ask, poll, acme, patient):
    asked = ask(acme)

    decide(owner, asked, "accept")

    assert poll(asked, acme).json()["error"] == "access_denied"


def test_a_code_is_answered_once(owner, ask, acme):
    asked = ask(acme)
    decide(owner, asked, "deny")

    again = owner.post("/op/device/", {"user_code": asked["user_code"]})

    assert again.status_code == 200
    assert "This code was used before." in again.content.decode()


def test_an_expired_code_is_worth_nothing(owner, ask, poll, acme):
    asked = ask(acme)
    with enter(acme):
        get_device_grant_model().objects.update(expires="2020-01-01T00:00:00Z")

    page = owner.post("/op/device/", {"user_code": asked["user_code"]})

    assert page.status_code == 200
    assert "This code has expired." in page.content.decode()
    assert poll(asked, acme).json()["error"] == "expired_token"


def test_an_approved_code_expires_too(owner, ask, poll, acme):
    asked = ask(acme)
    decide(owner, asked, "allow")
    with enter(acme):
        get_device_grant_model().objects.update(expires="2020-01-01T00:00:00Z")

    answer = poll(asked, acme)

    assert answer.status_code == 400
    assert answer.json()["error"] == "expired_token"


def test_the_page_says_connected_even_when_the_program_was_faster(owner, ask, poll, acme):
    asked = ask(acme)
    decide(owner, asked, "allow")
    assert poll(asked, acme).status_code == 200

    page = owner.get(f"/op/device/{CLI}/{asked['user_code']}/done/")

    assert "Connected" in page.content.decode()


def test_a_poll_without_a_code_is_a_bad_request(db, poll, acme):
    assert poll({"device_code": ""}, acme).json()["error"] == "invalid_request"


def test_a_form_elsewhere_answers_for_nobody(owner, ask, acme):
    asked = ask(acme)
    typed = owner.post("/op/device/", {"user_code": asked["user_code"]})

    answer = owner.form(typed["Location"], {"action": "allow"}, HTTP_ORIGIN="http://evil.example")

    assert answer.status_code == 403
    with enter(acme):
        grant = get_device_grant_model().objects.get(user_code=asked["user_code"])
    assert grant.status == grant.AUTHORIZATION_PENDING


def test_one_person_does_not_answer_for_another(owner, member, ask, acme):
    asked = ask(acme)
    typed = owner.post("/op/device/", {"user_code": asked["user_code"]})

    assert member.get(typed["Location"]).status_code == 404


def test_the_page_says_which_program_and_in_whose_name(owner, ask, acme):
    asked = ask(acme)

    page = owner.get(owner.post("/op/device/", {"user_code": asked["user_code"]})["Location"]).content.decode()

    assert "Plexica command line" in page
    assert email_of("owner") in page
    assert asked["user_code"] in page
