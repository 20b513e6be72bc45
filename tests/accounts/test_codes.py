"""The built-in issuer's authorization codes: one use, one client, one tenant, PKCE S256 or nothing."""

import pytest
from oauth2_provider.models import get_access_token_model, get_grant_model

from core.tenancy import enter
from tests.support.issuer import WEB, claims_of, query_of


def tokens_given(tenant) -> int:
    with enter(tenant):
        return get_access_token_model().objects.count()


def test_a_code_with_its_verifier_buys_tokens(owner, acme_issuer):
    code, verifier = acme_issuer.code(owner)

    answer = acme_issuer.exchange(code, verifier)

    assert answer.status_code == 200
    assert set(answer.json()) >= {"access_token", "id_token", "refresh_token", "expires_in", "scope"}
    assert answer["Cache-Control"] == "no-store"
    assert claims_of(answer.json()["id_token"])["nonce"] == "a-nonce"
    assert claims_of(answer.json()["id_token"])["iss"] == acme_issuer.issuer


def test_a_code_works_once(owner, acme, acme_issuer):
    code, verifier = acme_issuer.code(owner)
    acme_issuer.exchange(code, verifier)
    before = tokens_given(acme)

    again = acme_issuer.exchange(code, verifier)

    assert again.status_code == 400
    assert again.json()["error"] == "invalid_grant"
    assert tokens_given(acme) == before


@pytest.mark.parametrize("verifier", ["wrong" * 12, None, ""], ids=["another", "missing", "empty"])
def test_a_code_needs_the_verifier_of_its_challenge(verifier, owner, acme, acme_issuer):
    code, _ = acme_issuer.code(owner)
    before = tokens_given(acme)

    answer = acme_issuer.exchange(code, verifier)

    assert answer.status_code == 400
    assert tokens_given(acme) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge": "p" * 50, "code_challenge_method": "plain"},
        {"code_challenge": "p" * 50, "code_challenge_method": None},
        {"response_type": "token"},
        {"response_type": "id_token token"},
    ],
    ids=["none", "plain", "plain-by-default", "implicit", "implicit-id-token"],
)
def test_no_code_is_given_without_pkce_s256(changes, owner, acme, acme_issuer):
    answer, _ = acme_issuer.authorize(owner, **changes)

    assert "code" not in query_of(answer)
    assert "access_token" not in answer.get("Location", "")
    with enter(acme):
        assert not get_grant_model().objects.filter(code_challenge__in=["", "p" * 50]).exists()


@pytest.mark.parametrize("secret", ["nope", "", None], ids=["wrong", "empty", "missing"])
def test_the_pages_client_must_prove_itself(secret, owner, acme, acme_issuer):
    code, verifier = acme_issuer.code(owner)
    before = tokens_given(acme)

    answer = acme_issuer.exchange(code, verifier, client_secret=secret)

    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"
    assert tokens_given(acme) == before


def test_another_tenants_client_secret_is_wrong(owner, acme_issuer, globex_issuer):
    code, verifier = acme_issuer.code(owner)

    answer = acme_issuer.exchange(code, verifier, client_secret=globex_issuer.secret)

    assert answer.status_code == 401


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "http://globex-inc.localhost:8000/oidc/callback/",
        "http://localhost:8000/oidc/callback/",
        "http://acme-corp.localhost:8000/oidc/callback",
        "http://acme-corp.localhost:8000/oidc/callback/?x=1",
        "http://acme-corp.localhost:8000/oidc/callback/../../",
        "http://acme-corp.localhost:9000/oidc/callback/",
        "https://acme-corp.localhost:8000/oidc/callback/",
        "http://acme-corp.localhost:8000@evil.example/oidc/callback/",
        "javascript:alert(1)",
        "",
    ],
)
def test_a_code_goes_to_the_one_callback_of_its_address(redirect_uri, owner, acme_issuer):
    answer, _ = acme_issuer.authorize(owner, redirect_uri=redirect_uri)

    assert answer.status_code == 400
    assert "Location" not in answer


def test_the_token_endpoint_wants_the_callback_that_the_code_was_given_to(owner, acme_issuer, globex_issuer):
    code, verifier = acme_issuer.code(owner)

    answer = acme_issuer.token(
        grant_type="authorization_code", code=code, code_verifier=verifier, redirect_uri=globex_issuer.callback
    )

    assert answer.status_code == 400


@pytest.mark.parametrize("as_client_of", ["acme", "globex"])
@pytest.mark.parametrize("callback_of", ["acme", "globex"])
def test_a_code_of_one_tenant_buys_nothing_at_another(
    as_client_of, callback_of, owner, globex, acme_issuer, globex_issuer
):
    issuers = {"acme": acme_issuer, "globex": globex_issuer}
    code, verifier = acme_issuer.code(owner)
    before = tokens_given(globex)

    answer = globex_issuer.token(
        grant_type="authorization_code", code=code, code_verifier=verifier,
        client_secret=issuers[as_client_of].secret, redirect_uri=issuers[callback_of].callback,
    )  # fmt: skip

    assert answer.status_code in (400, 401)
    assert tokens_given(globex) == before


def test_the_command_lines_client_gets_no_codes(owner, acme_issuer):
    answer, _ = acme_issuer.authorize(owner, client_id="plexica-cli")

    assert "code" not in query_of(answer)


@pytest.mark.parametrize(
    "grant", ["password", "client_credentials", "implicit", "urn:ietf:params:oauth:grant-type:jwt-bearer"]
)
def test_other_grants_are_off(grant, acme, acme_issuer, world):
    before = tokens_given(acme)

    answer = acme_issuer.token(
        grant_type=grant, username=world.person("owner").email, password=world.person("owner").password, scope="openid"
    )

    assert answer.status_code in (400, 401)
    assert tokens_given(acme) == before


def test_a_code_of_somebody_disabled_meanwhile_buys_nothing(owner, acme, acme_issuer, world):
    from accounts.identity.models import Account

    code, verifier = acme_issuer.code(owner)
    with enter(acme):
        Account.objects.filter(email=world.person("owner").email).update(is_active=False)
    before = tokens_given(acme)

    answer = acme_issuer.exchange(code, verifier)

    assert answer.status_code == 400
    assert tokens_given(acme) == before


def test_a_code_stays_good_for_a_minute_only(owner, acme_issuer, time_machine_to):
    code, verifier = acme_issuer.code(owner)

    time_machine_to(seconds=61)

    assert acme_issuer.exchange(code, verifier).status_code == 400


def test_authorize_remembers_what_was_asked_until_after_the_sign_in(acme_issuer, visitor, acme):
    answer, _ = acme_issuer.authorize(visitor(acme))

    assert answer.status_code == 302
    assert answer["Location"].startswith("/op/sign-in/?next=/op/authorize/")
    assert WEB in answer["Location"]


def test_prompt_none_gives_a_code_to_who_is_signed_in(owner, acme_issuer):
    answer, _ = acme_issuer.authorize(owner, prompt="none")

    assert query_of(answer)["code"]


def test_prompt_none_never_shows_a_form(acme_issuer, visitor, acme):
    answer, _ = acme_issuer.authorize(visitor(acme), prompt="none")

    assert query_of(answer)["error"] == "login_required"
    assert "code" not in query_of(answer)
