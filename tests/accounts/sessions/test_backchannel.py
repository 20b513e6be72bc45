"""An issuer's word that sessions are over: /oidc/backchannel-logout/. The tokens are signed with the realm's real key."""

import time
import uuid

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from accounts.identity.logout_tokens import EVENT
from accounts.identity.models import SigningKey
from core.tenancy import enter
from tests.support.issuer import WEB, Issuer

PATH = "/oidc/backchannel-logout/"


@pytest.fixture
def say(fresh, visitor):
    """Sends a logout token for the first session, with other claims if asked: `say(sid=None, nonce="n")`."""

    def send(*, ref=None, key=None, header=None, **changes):
        now = int(time.time())
        claims = {"iss": Issuer(fresh.ref).issuer, "aud": WEB, "iat": now, "exp": now + 120, "jti": str(uuid.uuid4())}
        claims |= {"sub": fresh.person.subject, "sid": fresh.rows()[0].issuer_sid, "events": {EVENT: {}}}
        claims = {name: value for name, value in (claims | changes).items() if value is not None}
        with enter(fresh.ref):
            own = SigningKey.objects.signing()
        token = jwt.encode(
            claims,
            key or own.private_pem,
            algorithm="RS256",
            headers={"kid": own.kid, "typ": "logout+jwt", **(header or {})},
        )
        return visitor(ref or fresh.ref).form(PATH, {"logout_token": token})

    return send


def test_a_sid_ends_the_session_that_began_with_it(fresh, say, is_signed_in):
    named, other = fresh.sign_in(), fresh.sign_in()

    answer = say()

    assert answer.status_code == 200
    assert answer["Cache-Control"].startswith("max-age=0")
    assert not is_signed_in(named)
    assert is_signed_in(other)
    assert fresh.ended() == [("back_channel", "system")]


def test_a_sub_alone_ends_all_of_somebodys_sessions(fresh, say, is_signed_in):
    browsers = [fresh.sign_in(), fresh.sign_in()]

    answer = say(sid=None, iat=int(time.time()) + 1)

    assert answer.status_code == 200
    assert not any(is_signed_in(browser) for browser in browsers)


def test_a_sub_ends_nothing_that_began_after_it_was_said(fresh, say, is_signed_in):
    browser = fresh.sign_in()

    answer = say(sid=None, iat=int(time.time()) - 60)

    assert answer.status_code == 200
    assert is_signed_in(browser)


def test_a_session_of_nobody_known_is_no_error(fresh, say, is_signed_in):
    browser = fresh.sign_in()

    assert say(sid="another", sub=None).status_code == 200
    assert is_signed_in(browser)


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "http://evil.example/op"},
        {"aud": "another-client"},
        {"aud": None},
        {"iat": 1_000_000_000, "exp": None},
        {"iat": 4_000_000_000, "exp": 4_000_000_120},
        {"iat": None},
        {"exp": 1_000_000_000},
        {"jti": None},
        {"events": None},
        {"events": {"http://schemas.openid.net/event/other": {}}},
        {"events": EVENT},
        {"events": {EVENT: None}},
        {"nonce": "n"},
        {"sub": None, "sid": None},
        {"sub": ["a"], "sid": {"b": 1}},
    ],
    ids=str,
)
def test_what_is_no_good_logout_token_ends_nothing(change, fresh, say, is_signed_in):
    browser = fresh.sign_in()

    answer = say(**change)

    assert answer.status_code == 400
    assert is_signed_in(browser)
    assert fresh.ended() == []


def test_a_token_that_another_key_signed_ends_nothing(fresh, say, is_signed_in):
    browser = fresh.sign_in()
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    assert say(key=stranger).status_code == 400
    assert say(key=stranger, header={"kid": "unheard-of"}).status_code == 400
    assert is_signed_in(browser)


def test_a_token_counts_once(fresh, say):
    fresh.sign_in()
    fresh.sign_in()

    first, again = say(jti=f"once-{fresh.person.pk}", sid="nobody"), say(jti=f"once-{fresh.person.pk}")

    assert (first.status_code, again.status_code) == (200, 400)
    assert len(fresh.rows()) == 2


def test_one_tenants_issuer_ends_nothing_at_another(fresh, say, globex, is_signed_in):
    browser = fresh.sign_in()

    assert say(ref=globex).status_code == 400
    assert is_signed_in(browser)


def test_tokens_of_other_kinds_are_no_logout_tokens(fresh, visitor, is_signed_in):
    browser = fresh.sign_in()
    tokens = Issuer(fresh.ref).tokens(browser)

    for kind in ("access_token", "id_token", "refresh_token"):
        assert visitor(fresh.ref).form(PATH, {"logout_token": tokens[kind]}).status_code == 400
    assert visitor(fresh.ref).form(PATH, {}).status_code == 400
    assert is_signed_in(browser)
