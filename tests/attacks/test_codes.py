"""Authorization codes: one use, one client, one tenant, one address, PKCE S256 or nothing."""

import pytest

from accounts.identity.keycloak.provider import KeycloakProvider
from tests.attacks.site import answer_of_issuer, begin, is_signed_in, query
from tests.support.issuer import pkce, query_of
from tests.support.people import PASSWORD


def bought_nothing(answer) -> bool:
    return answer.status_code in (400, 401) and "access_token" not in answer.json()


def test_the_codes_that_are_tried_here_are_good_ones(a, user):
    answer = a.exchange(*a.code(user))

    assert answer.status_code == 200
    assert {"access_token", "id_token", "refresh_token"} <= set(answer.json())
    assert "no-store" in answer.headers["Cache-Control"]


def test_a_code_that_is_replayed_buys_nothing(a):
    code, verifier = a.code(a.sign_in(a.people["user"]))
    assert a.exchange(code, verifier).status_code == 200

    again = a.exchange(code, verifier)

    assert bought_nothing(again)
    assert again.json()["error"] == "invalid_grant"


@pytest.mark.parametrize("verifier", ["wrong" * 12, None, ""], ids=["another", "missing", "empty"])
def test_a_code_needs_the_verifier_of_its_challenge(verifier, a, user):
    code, _ = a.code(user)

    assert bought_nothing(a.exchange(code, verifier))


def test_the_challenge_is_no_verifier(a, user):
    verifier, challenge = pkce()
    answer, _ = a.authorize(user, code_challenge=challenge)
    code = query_of(answer.headers)["code"]

    assert bought_nothing(a.exchange(code, challenge))
    assert verifier != challenge


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge": "p" * 50, "code_challenge_method": "plain"},
        {"code_challenge": "p" * 50, "code_challenge_method": None},
        {"response_type": "token"},
        {"response_type": "id_token token"},
        {"client_id": "plexica-cli"},
    ],
    ids=["no-challenge", "plain", "plain-by-default", "implicit", "implicit-id-token", "another-client"],
)
def test_no_code_is_given_without_pkce_s256_and_to_no_other_client(changes, a, user):
    answer, _ = a.authorize(user, **changes)

    onward = answer.headers.get("Location", "")
    assert "code=" not in onward
    assert "access_token" not in onward


@pytest.mark.parametrize(
    "trick",
    [
        "http://{b}/oidc/callback/",
        "http://localhost:8000/oidc/callback/",
        "{callback}x",
        "{callback}?x=1",
        "{callback}#x",
        "{callback}../../",
        "{callback}%2e%2e/",
        "http://{a}/oidc/callback",
        "http://{a}/",
        "http://{name}:9000/oidc/callback/",
        "https://{a}/oidc/callback/",
        "http://{a}@evil.example/oidc/callback/",
        "http://{a}.evil.example/oidc/callback/",
        "http://evil.example\\@{a}/oidc/callback/",
        "//evil.example/oidc/callback/",
        "javascript:alert(1)",
        "",
    ],
)
def test_a_code_goes_to_the_one_callback_of_its_address(trick, a, b, user):
    hosts = {"a": a.program.host, "b": b.program.host, "name": a.program.host.partition(":")[0]}
    elsewhere = trick.format(callback=a.callback, **hosts)

    answer, _ = a.authorize(user, redirect_uri=elsewhere)

    assert answer.status_code == 400
    assert "Location" not in answer.headers


def test_the_token_endpoint_wants_the_callback_that_the_code_was_given_to(a, b, user):
    code, verifier = a.code(user)

    assert bought_nothing(a.exchange(code, verifier, redirect_uri=b.callback))


@pytest.mark.parametrize("secret", ["nope", "", None, "of b"], ids=["wrong", "empty", "missing", "another-tenants"])
def test_the_pages_client_must_prove_itself(secret, a, b, user):
    code, verifier = a.code(user)

    answer = a.exchange(code, verifier, client_secret=b.secret if secret == "of b" else secret)

    assert answer.status_code == 401
    assert "access_token" not in answer.json()


@pytest.mark.parametrize("as_client_of", ["a", "b"])
@pytest.mark.parametrize("callback_of", ["a", "b"])
def test_a_code_of_one_tenant_buys_nothing_at_another(as_client_of, callback_of, a, b):
    """A Keycloak ends the session that the code belongs to, so it is one of its own."""
    sites = {"a": a, "b": b}
    code, verifier = a.code(a.sign_in(a.people["user"]))

    answer = b.exchange(
        code, verifier, client_secret=sites[as_client_of].secret, redirect_uri=sites[callback_of].callback
    )

    assert bought_nothing(answer)


def test_a_code_of_one_tenant_signs_nobody_in_at_another(a, b):
    code, _ = a.code(a.sign_in(a.people["user"]))
    visitor = b.stranger()
    state = begin(visitor)["state"]

    answer = visitor.pages.get(f"/oidc/callback/?code={code}&state={state}")

    assert answer.headers["Location"] == "/sign-in-failed/"
    assert not is_signed_in(visitor)


def test_a_code_of_another_sign_in_fails_by_its_verifier(a):
    mine, theirs = a.known_at_issuer(), a.known_at_issuer()
    state = begin(mine)["state"]
    code = query(answer_of_issuer(theirs))["code"]

    answer = mine.pages.get(f"/oidc/callback/?code={code}&state={state}")

    assert answer.headers["Location"] == "/sign-in-failed/"
    assert not is_signed_in(mine)


@pytest.mark.parametrize(
    "grant", ["password", "client_credentials", "implicit", "urn:ietf:params:oauth:grant-type:jwt-bearer"]
)
def test_other_grants_are_off(grant, a):
    who = a.people["user"]

    for client in ({}, {"client_id": "plexica-cli", "client_secret": None}):
        answer = a.token(grant_type=grant, username=who.email, password=PASSWORD, scope="openid", **client)
        assert bought_nothing(answer)


def test_a_code_stays_good_for_a_minute_only(a, user, time_machine_to):
    """Nobody moves a Keycloak's clock: there it is the realm that says how long."""
    if not a.is_builtin:
        assert KeycloakProvider().api(a.ref).call("GET", f"/{a.ref.slug}").json()["accessCodeLifespan"] <= 60
        return
    code, verifier = a.code(user)

    time_machine_to(seconds=61)

    assert bought_nothing(a.exchange(code, verifier))
