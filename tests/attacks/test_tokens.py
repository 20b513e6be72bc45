"""Bearer tokens: forged, of elsewhere, of another kind, of another time, of somebody who may not any more."""

import base64
import hashlib
import hmac
import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from accounts.identity import provider
from accounts.people.models import Role
from accounts.people.services import disable_person, enable_person, set_roles
from accounts.sessions.models import BrowserSession
from core.actors import SYSTEM
from core.tenancy import enter
from tests.attacks.site import ME, is_signed_in
from tests.support.browser import Visitor
from tests.support.issuer import claims_of


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_the_tokens_that_are_tried_here_are_good_ones(a, user, tokens):
    """What follows is refused for its own reason, and not because nothing works."""
    claims = claims_of(tokens["access_token"])

    assert a.api(tokens["access_token"]).json()["email"] == a.people["user"].email
    assert a.api(a.sign(claims)).status_code == 200
    assert claims["exp"] - claims["iat"] == 300


# --- of elsewhere ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["access_token", "id_token", "refresh_token"])
def test_a_token_of_one_tenant_is_no_bearer_at_another_and_none_on_the_platform(which, tokens, b):
    platform = Visitor().api("GET", ME, token=tokens[which])

    assert b.refuses(tokens[which])
    assert (platform.status_code, platform.json()["code"]) == (401, "token_refused")


def test_a_token_of_one_kind_of_issuer_is_worth_nothing_at_the_other(tokens, acme, globex, visitor, signed_in):
    """acme-corp has the built-in issuer, whatever the attacked one has."""
    from tests.support.issuer import Issuer

    operators = Issuer(None).tokens(signed_in("operator"))["access_token"]

    answers = [visitor(ref).api("GET", ME, token=tokens["access_token"]) for ref in (acme, globex)]

    assert [answer.status_code for answer in answers] == [401, 401]
    assert visitor(acme).api("GET", ME, token=operators).status_code == 401
    assert visitor().api("GET", ME, token=operators).status_code == 200


def test_an_operators_token_is_refused_by_tenants(a, signed_in):
    from tests.support.issuer import Issuer

    assert a.refuses(Issuer(None).tokens(signed_in("operator"))["access_token"])


def test_the_subject_of_an_operator_in_a_tenants_token_opens_no_console(a):
    from accounts.operators.models import Operator

    now = int(time.time())
    subject = Operator.objects.filter(role="super_admin").first().subject
    claims = {"iss": a.issuer, "aud": "plexica-api", "sub": subject, "iat": now, "exp": now + 60, "typ": "Bearer"}
    token = a.sign(claims | {"client_id": "plexica-web", "azp": "plexica-web"})

    answer = Visitor().api("GET", "/api/v1/tenants/", token=token)

    assert (answer.status_code, answer.json()["code"]) == (401, "token_refused")


def test_the_same_subject_at_another_tenant_is_nobody(a, b):
    """A key of B's signs the subject and everything else of somebody of A."""
    now = int(time.time())
    claims = {"aud": "plexica-api", "iat": now, "exp": now + 60, "typ": "Bearer", "client_id": "plexica-web"}
    claims |= {"azp": "plexica-web", "sub": a.people["admin"].subject}

    assert b.refuses(b.sign(claims | {"iss": b.issuer}))
    assert a.refuses(b.sign(claims | {"iss": a.issuer}))


def test_a_refresh_token_of_one_tenant_buys_nothing_at_another(a, b):
    given = a.tokens(a.sign_in(a.people["user"]))["refresh_token"]

    assert b.refresh(given).status_code in (400, 401)
    assert b.refresh(given, client_secret=a.secret).status_code in (400, 401)
    assert a.refresh(given).status_code == 200


def test_userinfo_takes_the_realms_own_access_tokens_only(a, b, tokens):
    own = a.userinfo(tokens["access_token"])

    assert (own.status_code, own.json()["email"]) == (200, a.people["user"].email)
    assert b.userinfo(tokens["access_token"]).status_code == 401
    assert a.userinfo(tokens["id_token"]).status_code in (401, 403)
    assert a.userinfo(tokens["refresh_token"]).status_code in (401, 403)


# --- of another kind -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["id_token", "refresh_token"])
def test_only_access_tokens_are_bearers(which, tokens, a):
    assert a.refuses(tokens[which])


def test_an_id_token_is_no_access_token_even_when_its_audience_is_the_api(tokens, a):
    claims = claims_of(tokens["id_token"]) | {"aud": "plexica-api"}
    without_nonce = {name: value for name, value in claims.items() if name != "nonce"}

    for typ in ("JWT", "ID", "at+jwt"):
        assert a.refuses(a.sign(claims, typ=typ))
    assert a.refuses(a.sign(without_nonce, typ="JWT"))


def test_a_token_without_algorithm_is_refused(tokens, a):
    _, payload, signature = tokens["access_token"].split(".")
    said = jwt.get_unverified_header(tokens["access_token"])

    for algorithm in ("none", "None", "NONE", "", None):
        header = b64(json.dumps(said | {"alg": algorithm}).encode())
        assert a.refuses(f"{header}.{payload}.")
        assert a.refuses(f"{header}.{payload}.{signature}")


def test_the_public_key_is_no_shared_secret(tokens, a):
    _, payload, _ = tokens["access_token"].split(".")
    said = jwt.get_unverified_header(tokens["access_token"])
    header = b64(json.dumps(said | {"alg": "HS256"}).encode())

    for secret in a.public_secrets(said["kid"]):
        signature = b64(hmac.new(secret, f"{header}.{payload}".encode(), hashlib.sha256).digest())
        assert a.refuses(f"{header}.{payload}.{signature}")


def test_a_tampered_token_is_refused(tokens, a):
    header, payload, signature = tokens["access_token"].split(".")
    other = b64(json.dumps({**claims_of(tokens["access_token"]), "sub": a.people["admin"].subject}).encode())
    flipped = ("B" if signature[10] == "A" else "A").join([signature[:10], signature[11:]])

    assert a.refuses(f"{header}.{other}.{signature}")
    assert a.refuses(f"{header}.{payload}.{flipped}")
    assert a.refuses(f"{header}.{payload}.")


def test_a_key_that_the_realm_does_not_publish_is_refused(tokens, a, b):
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    claims, theirs = claims_of(tokens["access_token"]), b.own_key()

    assert a.refuses(a.sign(claims, key=stranger))
    assert a.refuses(a.sign(claims, key=stranger, kid="unheard-of"))
    assert a.refuses(a.sign(claims, kid=""))
    assert a.refuses(a.sign(claims, key=theirs[1], kid=theirs[0]))
    assert a.refuses(a.sign(claims, key=theirs[1]))


def test_a_key_that_comes_along_in_the_header_counts_for_nothing(tokens, a):
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    jwk = jwt.algorithms.RSAAlgorithm.to_jwk(stranger.public_key(), as_dict=True)

    for kid in ("mine", a.own_key()[0]):
        token = a.sign(
            claims_of(tokens["access_token"]), key=stranger, jwk=jwk, jku="http://localhost:1/", x5u="http://localhost:1/",
            kid=kid,
        )  # fmt: skip
        assert a.refuses(token)


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "http://evil.example/op"},
        {"iss": None},
        {"aud": "plexica-web"},
        {"aud": ["another-api"]},
        {"aud": None},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"iat": 4_000_000_000, "exp": 4_000_000_300},
        {"iat": None},
        {"nbf": 4_000_000_000},
        {"sub": "01900000-0000-7000-8000-000000000000"},
        {"sub": ""},
        {"sub": None},
        {"client_id": None, "azp": None},
        {"nonce": "a-nonce"},
    ],
    ids=str,
)
def test_a_well_signed_token_with_a_wrong_claim_is_refused(change, tokens, a):
    claims = claims_of(tokens["access_token"]) | change

    assert a.refuses(a.sign({name: value for name, value in claims.items() if value is not None}))


def test_a_token_for_the_other_tenant_by_name_is_refused(tokens, a, b):
    assert a.refuses(a.sign(claims_of(tokens["access_token"]) | {"iss": b.issuer}))
    assert b.refuses(a.sign(claims_of(tokens["access_token"]) | {"iss": b.issuer}))


# --- of another time -------------------------------------------------------------------------------------------------


def test_an_expired_token_is_refused(tokens, a, time_machine_to):
    time_machine_to(seconds=320)

    assert a.refuses(tokens["access_token"])


def test_a_token_that_is_not_yet_valid_is_refused(tokens, a, time_machine_to):
    time_machine_to(seconds=-60)

    assert a.refuses(tokens["access_token"])


# --- refresh tokens --------------------------------------------------------------------------------------------------


def test_a_refresh_token_that_comes_twice_ends_the_whole_family(a):
    first = a.tokens(a.sign_in(a.people["user"]))["refresh_token"]
    second = a.refresh(first).json()["refresh_token"]

    again, descendant = a.refresh(first), a.refresh(second)

    assert again.status_code == 400
    assert descendant.status_code == 400


def test_a_refresh_token_needs_its_client(a):
    given = a.tokens(a.sign_in(a.people["user"]))["refresh_token"]

    assert a.refresh(given, client_secret="nope").status_code == 401
    assert a.refresh(given, client_id="plexica-cli", client_secret=None).status_code in (400, 401)


# --- of somebody who may not any more --------------------------------------------------------------------------------


def test_a_disabled_person_is_out_at_once(a):
    who = a.newcomer()
    browser = a.sign_in(who)
    token = a.tokens(browser)["access_token"]
    assert a.api(token).status_code == 200

    with enter(a.ref):
        disable_person(person_id=who.person_id, actor=SYSTEM)

    assert a.refuses(token)
    assert not is_signed_in(browser)
    assert browser.pages.api("GET", ME).status_code == 401
    assert a.api(a.tokens(a.browser())["access_token"]).status_code == 200


def test_whoever_is_let_in_again_is_not_let_in_by_the_session_of_before(a):
    who = a.newcomer()
    browser = a.sign_in(who)

    with enter(a.ref):
        disable_person(person_id=who.person_id, actor=SYSTEM)
        enable_person(person_id=who.person_id, actor=SYSTEM)

    assert not is_signed_in(browser)


def test_an_account_that_the_issuer_disabled_gets_nothing_more_from_it(a):
    who = a.newcomer()
    browser = a.sign_in(who)
    code, verifier = a.code(browser)
    tokens = a.tokens(browser)

    provider().set_account_active(a.ref, who.subject, False)

    assert a.exchange(code, verifier).status_code == 400
    assert a.refresh(tokens["refresh_token"]).status_code == 400
    assert a.userinfo(tokens["access_token"]).status_code in (400, 401)
    answer, _ = a.authorize(browser)
    assert "code=" not in answer.headers.get("Location", "")


def test_whoever_the_issuer_disabled_is_out_when_their_token_is_due(a, time_machine_to):
    """Disabled in the issuer's own administration, where nobody tells us: five minutes at most."""
    who = a.newcomer()
    browser = a.sign_in(who)
    provider().set_account_active(a.ref, who.subject, False)

    time_machine_to(seconds=245)  # a minute before the access token lapses it is due

    assert not is_signed_in(browser)
    assert browser.pages.api("GET", ME).status_code == 401
    with enter(a.ref):
        assert not BrowserSession.objects.filter(subject=who.subject).exists()


def test_what_a_removed_role_allowed_is_refused_with_the_next_request(a):
    who = a.newcomer("admin")
    browser = a.sign_in(who)
    token = a.tokens(browser)["access_token"]
    assert a.api(token, path="/api/v1/invitations/").status_code == 200

    with enter(a.ref):
        guest = Role.objects.get(name="guest")
        set_roles(person_id=who.person_id, role_ids=[guest.pk], actor=SYSTEM)

    answer = a.api(token, path="/api/v1/invitations/")
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_missing")
    assert browser.pages.get("/team/invitations/").status_code == 403
    assert a.api(token).json()["roles"] == ["guest"]
