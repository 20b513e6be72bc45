"""Access, refresh and ID tokens: who accepts them, and all that is refused."""

import base64

import jwt
import pytest
from django.utils import timezone

from accounts.identity.models import SigningKey
from core.tenancy import enter
from tests.support.issuer import Issuer, claims_of

ME = "/api/v1/me/"


@pytest.fixture
def tokens(owner, acme_issuer):
    """The owner's own tokens at acme-corp."""
    return acme_issuer.tokens(owner)


@pytest.fixture
def caller(visitor, acme):
    """A program at acme-corp's address, without cookies."""
    return visitor(acme)


def refused(caller, token) -> bool:
    answer = caller.api("GET", ME, token=token)
    return answer.status_code == 401 and answer["WWW-Authenticate"].startswith("Bearer")


def test_an_access_token_speaks_for_its_person(tokens, caller, world):
    answer = caller.api("GET", ME, token=tokens["access_token"])

    assert answer.status_code == 200
    assert answer.json()["email"] == world.person("owner").email
    assert answer.json()["roles"] == ["admin"]


def test_an_access_token_is_an_rfc_9068_one_and_short_lived(tokens, acme_issuer):
    header, claims = jwt.get_unverified_header(tokens["access_token"]), claims_of(tokens["access_token"])

    assert (header["typ"], header["alg"]) == ("at+jwt", "RS256")
    assert claims["iss"] == acme_issuer.issuer
    assert claims["aud"] == ["plexica-api"]
    assert claims["exp"] - claims["iat"] == 300
    assert "email" not in claims


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Bearer a.b.c",
        "Bearer \xff\xfe",
        "bearer ..",
        "Bearer null",
        "Bearer " + "a" * 9000,
    ],
    ids=["alone", "empty", "letter", "dots", "bytes", "only-dots", "null", "long"],
)
def test_what_is_no_token_is_refused_politely(header, db, caller):
    answer = caller.api("GET", ME, HTTP_AUTHORIZATION=header)

    assert answer.status_code == 401
    assert answer.json()["code"] in ("token_refused", "not_authenticated")


def test_the_api_asks_nobody_in_without_token_or_session(db, caller):
    answer = caller.api("GET", ME)

    assert answer.status_code == 401
    assert answer.json()["code"] == "not_authenticated"
    assert answer["WWW-Authenticate"] == 'Bearer realm="plexica"'


def test_a_basic_password_is_no_way_in(db, caller, world):
    basic = base64.b64encode(f"{world.person('owner').email}:{world.person('owner').password}".encode()).decode()

    assert caller.api("GET", ME, HTTP_AUTHORIZATION=f"Basic {basic}").status_code == 401


# --- refresh ---------------------------------------------------------------------------------------------------------


def test_refreshing_gives_new_tokens_and_uses_up_the_old_one(tokens, acme_issuer, caller):
    answer = acme_issuer.refresh(tokens["refresh_token"])

    assert answer.status_code == 200
    assert answer.json()["refresh_token"] != tokens["refresh_token"]
    assert caller.api("GET", ME, token=answer.json()["access_token"]).status_code == 200


# --- at the issuer ---------------------------------------------------------------------------------------------------


def test_introspection_tells_only_the_realms_clients_about_the_realms_tokens(tokens, acme_issuer, globex_issuer):
    def introspect(issuer: Issuer, secret: str):
        basic = base64.b64encode(f"plexica-web:{secret}".encode()).decode()
        return issuer.program.form(
            "/op/introspect/", {"token": tokens["access_token"]}, HTTP_AUTHORIZATION=f"Basic {basic}"
        )

    assert introspect(acme_issuer, acme_issuer.secret).json()["active"] is True
    assert introspect(globex_issuer, globex_issuer.secret).json() == {"active": False}
    assert introspect(acme_issuer, globex_issuer.secret).status_code in (401, 403)
    assert acme_issuer.program.form("/op/introspect/", {"token": tokens["access_token"]}).status_code in (401, 403)


def test_revoking_ends_userinfo_and_refresh(tokens, acme_issuer):
    answer = acme_issuer.program.form(
        "/op/revoke/",
        {"token": tokens["refresh_token"], "client_id": "plexica-web", "client_secret": acme_issuer.secret},
    )

    assert answer.status_code == 200
    assert acme_issuer.refresh(tokens["refresh_token"]).status_code == 400
    assert acme_issuer.userinfo(tokens["access_token"]).status_code == 401


def test_nobody_revokes_anothers_tokens(tokens, acme_issuer, globex_issuer):
    globex_issuer.program.form(
        "/op/revoke/",
        {"token": tokens["refresh_token"], "client_id": "plexica-web", "client_secret": globex_issuer.secret},
    )

    assert acme_issuer.refresh(tokens["refresh_token"]).status_code == 200


def test_a_new_key_signs_and_tokens_of_the_old_one_stay_good(future_key, owner, acme, acme_issuer, caller):
    before = acme_issuer.tokens(owner)
    with enter(acme):
        SigningKey.objects.filter(pk=future_key.pk).update(active_from=timezone.now())

    after = acme_issuer.tokens(owner)

    assert jwt.get_unverified_header(before["access_token"])["kid"] != future_key.kid
    assert jwt.get_unverified_header(after["access_token"])["kid"] == future_key.kid
    assert caller.api("GET", ME, token=after["access_token"]).status_code == 200
    assert caller.api("GET", ME, token=before["access_token"]).status_code == 200


# --- disabled people -------------------------------------------------------------------------------------------------


def test_a_disabled_operator_is_out_at_once(operator_at_console, platform_issuer, visitor):
    from accounts.operators.models import Operator

    token = platform_issuer.tokens(operator_at_console)["access_token"]
    Operator.objects.update(is_active=False)

    assert operator_at_console.get("/console/tenants/").status_code == 302
    assert operator_at_console.api("GET", "/api/v1/tenants/").status_code == 401
    assert refused(visitor(), token)
