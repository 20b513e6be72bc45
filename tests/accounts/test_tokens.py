"""Access, refresh and ID tokens: who accepts them, and all that is refused."""

import base64
import hashlib
import hmac
import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.utils import timezone

from accounts.identity.models import Account, SigningKey
from accounts.people.models import Person
from core.tenancy import enter
from tests.support.issuer import Issuer, claims_of

ME = "/api/v1/me/"


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.fixture
def tokens(owner, acme_issuer):
    """The owner's own tokens at acme-corp."""
    return acme_issuer.tokens(owner)


@pytest.fixture
def caller(visitor, acme):
    """A program at acme-corp's address, without cookies."""
    return visitor(acme)


def sign(tenant, claims, *, key=None, **header) -> str:
    """Sign claims with the realm's real key, or with another one."""
    with enter(tenant):
        own = SigningKey.objects.signing()
    header = {"kid": own.kid, "typ": "at+jwt", **header}
    return jwt.encode(claims, key or own.private_pem, algorithm="RS256", headers=header)


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


def test_a_token_of_one_tenant_is_refused_by_every_other_api(tokens, visitor, globex):
    assert refused(visitor(globex), tokens["access_token"])
    assert refused(visitor(), tokens["access_token"])


def test_an_operators_token_is_refused_by_tenants(operator_at_console, platform_issuer, caller):
    token = platform_issuer.tokens(operator_at_console)["access_token"]

    assert refused(caller, token)


def test_a_persons_token_is_refused_by_the_platform_even_if_its_subject_is_an_operators(
    visitor, acme, world, acme_issuer
):
    from accounts.operators.models import Operator

    now = int(time.time())
    subject = Operator.objects.get().subject
    claims = {"iss": acme_issuer.issuer, "aud": "plexica-api", "sub": subject, "iat": now, "exp": now + 60}

    assert refused(visitor(), sign(acme, claims))


@pytest.mark.parametrize("kind", ["id_token", "refresh_token"])
def test_only_access_tokens_are_bearers(kind, tokens, caller):
    assert refused(caller, tokens[kind])


def test_an_id_token_is_no_access_token_even_when_its_audience_is_the_api(tokens, acme, caller):
    claims = claims_of(tokens["id_token"]) | {"aud": "plexica-api"}

    assert refused(caller, sign(acme, claims))
    assert refused(caller, sign(acme, {k: v for k, v in claims.items() if k != "nonce"}, typ="JWT"))


def test_a_token_without_algorithm_is_refused(tokens, caller):
    _, payload, _ = tokens["access_token"].split(".")
    kid = jwt.get_unverified_header(tokens["access_token"])["kid"]

    for algorithm in ("none", "None", "NONE", ""):
        header = b64(json.dumps({"alg": algorithm, "kid": kid, "typ": "at+jwt"}).encode())
        assert refused(caller, f"{header}.{payload}.")


def test_the_public_key_is_no_shared_secret(tokens, acme, caller):
    header, payload, _ = tokens["access_token"].split(".")
    with enter(acme):
        private = serialization.load_pem_private_key(SigningKey.objects.signing().private_pem.encode(), None)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    kid = jwt.get_unverified_header(tokens["access_token"])["kid"]
    header = b64(json.dumps({"alg": "HS256", "kid": kid, "typ": "at+jwt"}).encode())
    signature = b64(hmac.new(public, f"{header}.{payload}".encode(), hashlib.sha256).digest())

    assert refused(caller, f"{header}.{payload}.{signature}")


def test_a_tampered_token_is_refused(tokens, caller):
    header, payload, signature = tokens["access_token"].split(".")
    other = b64(json.dumps({**claims_of(tokens["access_token"]), "sub": "somebody-else"}).encode())
    flipped = ("B" if signature[10] == "A" else "A").join([signature[:10], signature[11:]])

    assert refused(caller, f"{header}.{other}.{signature}")
    assert refused(caller, f"{header}.{payload}.{flipped}")
    assert refused(caller, f"{header}.{payload}.")


def test_a_key_that_the_realm_does_not_publish_is_refused(tokens, acme, caller):
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    claims = claims_of(tokens["access_token"])

    assert refused(caller, sign(acme, claims, key=stranger))
    assert refused(caller, sign(acme, claims, key=stranger, kid="unheard-of"))
    assert refused(caller, sign(acme, claims, kid=""))


def test_a_key_that_comes_along_in_the_header_counts_for_nothing(tokens, acme, caller):
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    jwk = jwt.algorithms.RSAAlgorithm.to_jwk(stranger.public_key(), as_dict=True)

    token = sign(acme, claims_of(tokens["access_token"]), key=stranger, jwk=jwk, jku="http://localhost:1/", kid="mine")

    assert refused(caller, token)


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "http://globex-inc.localhost:8000/op"},
        {"iss": "http://evil.example/op"},
        {"aud": "plexica-web"},
        {"aud": ["another-api"]},
        {"exp": 1_000_000_000},
        {"iat": 4_000_000_000, "exp": 4_000_000_300},
        {"nbf": 4_000_000_000},
        {"sub": "01900000-0000-7000-8000-000000000000"},
        {"sub": ""},
        {"sub": None},
        {"exp": None},
        {"aud": None},
        {"iat": None},
        {"iss": None},
    ],
    ids=str,
)
def test_a_well_signed_token_with_a_wrong_claim_is_refused(change, tokens, acme, caller):
    claims = claims_of(tokens["access_token"]) | change

    assert refused(caller, sign(acme, {name: value for name, value in claims.items() if value is not None}))


def test_a_token_ends_after_five_minutes(tokens, caller, time_machine_to):
    time_machine_to(seconds=320)

    assert refused(caller, tokens["access_token"])


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


def test_a_refresh_token_that_comes_twice_ends_the_whole_family(tokens, acme_issuer):
    second = acme_issuer.refresh(tokens["refresh_token"]).json()

    again = acme_issuer.refresh(tokens["refresh_token"])
    descendant = acme_issuer.refresh(second["refresh_token"])

    assert again.status_code == 400
    assert descendant.status_code == 400


def test_a_refresh_token_of_one_tenant_buys_nothing_at_another(tokens, acme_issuer, globex_issuer):
    assert globex_issuer.refresh(tokens["refresh_token"]).status_code in (400, 401)
    assert globex_issuer.refresh(tokens["refresh_token"], client_secret=acme_issuer.secret).status_code == 401
    assert acme_issuer.refresh(tokens["refresh_token"]).status_code == 200


def test_a_refresh_token_needs_its_client(tokens, acme_issuer):
    assert acme_issuer.refresh(tokens["refresh_token"], client_secret="nope").status_code == 401
    assert acme_issuer.refresh(tokens["refresh_token"], client_id="plexica-cli", client_secret=None).status_code in (
        400,
        401,
    )


# --- at the issuer ---------------------------------------------------------------------------------------------------


def test_userinfo_takes_the_realms_own_access_tokens_only(tokens, acme_issuer, globex_issuer, world):
    own = acme_issuer.userinfo(tokens["access_token"])

    assert own.status_code == 200
    assert own.json()["email"] == world.person("owner").email
    assert globex_issuer.userinfo(tokens["access_token"]).status_code == 401
    assert acme_issuer.userinfo(tokens["id_token"]).status_code in (401, 403)
    assert acme_issuer.userinfo(tokens["refresh_token"]).status_code in (401, 403)


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


def test_a_disabled_person_is_out_at_once(owner, acme, tokens, caller, world):
    with enter(acme):
        Person.objects.filter(email=world.person("owner").email).update(is_active=False)

    assert owner.get("/").status_code == 302
    assert owner.get("/profile/").status_code == 302
    assert owner.api("GET", ME).status_code == 401
    assert refused(caller, tokens["access_token"])


def test_a_disabled_account_gets_nothing_from_the_issuer(owner, acme, tokens, acme_issuer, world):
    with enter(acme):
        Account.objects.filter(email=world.person("owner").email).update(is_active=False)

    answer, _ = acme_issuer.authorize(owner)

    assert "/op/sign-in/" in answer["Location"]
    assert acme_issuer.refresh(tokens["refresh_token"]).status_code == 400
    assert acme_issuer.userinfo(tokens["access_token"]).status_code == 401


def test_disabling_one_person_leaves_the_others_in(owner, member, acme, world):
    with enter(acme):
        Person.objects.filter(email=world.person("owner").email).update(is_active=False)

    assert member.get("/").status_code == 200


def test_a_disabled_operator_is_out_at_once(operator_at_console, platform_issuer, visitor):
    from accounts.operators.models import Operator

    token = platform_issuer.tokens(operator_at_console)["access_token"]
    Operator.objects.update(is_active=False)

    assert operator_at_console.get("/console/tenants/").status_code == 302
    assert operator_at_console.api("GET", "/api/v1/tenants/").status_code == 401
    assert refused(visitor(), token)


def test_a_suspended_tenant_lets_nobody_in(owner, acme, tokens, caller, acme_issuer):
    from core.tenancy import enter_platform
    from tenants import directory
    from tenants.models import Tenant

    with enter_platform():
        Tenant.objects.filter(pk=acme.id).update(status="suspended")
    directory.forget()

    assert owner.get("/").status_code == 403
    assert "suspended" in owner.get("/").content.decode()
    answer = caller.api("GET", ME, token=tokens["access_token"])
    assert answer.status_code == 403
    assert answer.json()["code"] == "tenant_suspended"
    assert acme_issuer.refresh(tokens["refresh_token"]).status_code == 403
    assert acme_issuer.program.get("/op/sign-in/").status_code == 403
