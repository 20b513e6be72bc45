"""The built-in issuer's authorization codes: one use, one client, one tenant, PKCE S256 or nothing."""

from tests.support.issuer import WEB, claims_of, query_of


def test_a_code_with_its_verifier_buys_tokens(owner, acme_issuer):
    code, verifier = acme_issuer.code(owner)

    answer = acme_issuer.exchange(code, verifier)

    assert answer.status_code == 200
    assert set(answer.json()) >= {"access_token", "id_token", "refresh_token", "expires_in", "scope"}
    assert answer["Cache-Control"] == "no-store"
    assert claims_of(answer.json()["id_token"])["nonce"] == "a-nonce"
    assert claims_of(answer.json()["id_token"])["iss"] == acme_issuer.issuer


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
