"""Tokens of browser sessions are renewed before they lapse; an issuer that says no ends the session, one that is silent not at once."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone
from oauth2_provider.models import get_refresh_token_model

from accounts.identity.keycloak.servers import KeycloakServer
from accounts.identity.models import Realm
from accounts.sessions.refreshing import RETRY
from core.tenancy import enter
from tests.support.issuer import Issuer
from tests.support.threads import run_together


def lapses_in(**ahead):
    return timezone.now() + timedelta(**ahead)


def tokens_given(fresh):
    with enter(fresh.ref):
        return get_refresh_token_model().objects.filter(user_id=fresh.person.subject).count()


@pytest.fixture
def silence(fresh, settings):
    """Moves the realm to a server that does not listen, and back."""
    dead = KeycloakServer(name="dead", url="http://127.0.0.1:1", provisioner_secret="nobody asks for it")
    settings.KEYCLOAK_SERVERS = {"dead": dead}

    def begin():
        with enter(fresh.ref):
            Realm.objects.update(provider="keycloak", server="dead", issuer=dead.issuer("quiet"))

    def end():
        with enter(fresh.ref):
            Realm.objects.update(provider="builtin", server="", issuer="")

    yield begin, end
    end()


def test_tokens_are_renewed_before_they_lapse(fresh, is_signed_in):
    browser = fresh.sign_in()
    (before,) = fresh.rows()
    fresh.change(access_expires_at=lapses_in(seconds=50))

    assert is_signed_in(browser)

    (after,) = fresh.rows()
    assert after.refresh_token != before.refresh_token
    assert after.access_token != before.access_token
    assert after.access_expires_at > lapses_in(seconds=280)
    assert after.refresh_leased_until is None


def test_tokens_that_are_good_for_longer_are_left_alone(fresh, is_signed_in):
    browser = fresh.sign_in()
    (before,) = fresh.rows()

    assert is_signed_in(browser)

    assert fresh.rows()[0].refresh_token == before.refresh_token


@pytest.mark.parametrize("left", [30, -3600], ids=["about to lapse", "lapsed"])
def test_tabs_that_come_at_once_use_the_refresh_token_once(left, fresh, visitor, is_signed_in):
    browser = fresh.sign_in()
    fresh.change(access_expires_at=lapses_in(seconds=left))
    before = tokens_given(fresh)
    tabs = [visitor(fresh.ref, cookies=browser.cookies) for _ in range(4)]

    answers = run_together(*(lambda tab=tab: tab.get("/profile/").status_code for tab in tabs))

    assert answers == [200] * 4
    assert tokens_given(fresh) == before + 1
    assert Issuer(fresh.ref).refresh(fresh.rows()[0].refresh_token).status_code == 200


def test_an_account_that_is_disabled_at_the_issuer_is_out_when_its_token_is_due(fresh, is_signed_in):
    browser = fresh.sign_in()
    fresh.change_account(is_active=False)
    fresh.change(access_expires_at=lapses_in(seconds=30))

    assert not is_signed_in(browser)

    assert fresh.rows() == []
    assert fresh.ended() == [("refused", "system")]


def test_tabs_of_a_refused_session_are_all_out(fresh, visitor):
    browser = fresh.sign_in()
    fresh.change_account(is_active=False)
    fresh.change(access_expires_at=lapses_in(seconds=-10))
    tabs = [visitor(fresh.ref, cookies=browser.cookies) for _ in range(3)]

    answers = run_together(*(lambda tab=tab: tab.get("/profile/").status_code for tab in tabs))

    assert answers == [302] * 3


def test_a_refresh_token_that_somebody_else_used_ends_the_session(fresh, is_signed_in):
    browser = fresh.sign_in()
    thief = Issuer(fresh.ref).refresh(fresh.rows()[0].refresh_token).json()
    fresh.change(access_expires_at=lapses_in(seconds=30))

    assert not is_signed_in(browser)

    assert Issuer(fresh.ref).refresh(thief["refresh_token"]).status_code == 400


def test_a_silent_issuer_ends_no_session_until_the_grace_is_over(fresh, is_signed_in, silence):
    browser = fresh.sign_in()
    begin, end = silence
    begin()
    fresh.change(access_expires_at=lapses_in(seconds=-10))

    assert is_signed_in(browser)
    assert fresh.rows()[0].refresh_failed_at

    fresh.change(access_expires_at=timezone.now() - settings.SESSION_GRACE - timedelta(seconds=1))
    assert not is_signed_in(browser)
    assert len(fresh.rows()) == 1, "nobody is signed in, and the session waits"

    end()
    fresh.change(refresh_failed_at=timezone.now() - RETRY)
    assert is_signed_in(browser)
    assert fresh.rows()[0].refresh_failed_at is None


def test_a_silent_issuer_is_not_asked_with_each_request(fresh, is_signed_in, silence):
    browser = fresh.sign_in()
    silence[0]()
    fresh.change(access_expires_at=lapses_in(seconds=30))
    is_signed_in(browser)
    failed_at = fresh.rows()[0].refresh_failed_at

    assert is_signed_in(browser)

    assert fresh.rows()[0].refresh_failed_at == failed_at


def test_a_request_that_died_with_the_lease_holds_nobody_up_for_good(fresh, is_signed_in):
    browser = fresh.sign_in()
    fresh.change(access_expires_at=lapses_in(seconds=-10), refresh_leased_until=lapses_in(seconds=1))

    assert is_signed_in(browser)

    assert fresh.rows()[0].access_expires_at > lapses_in(seconds=200)


def test_a_session_of_another_realm_is_over(fresh, is_signed_in):
    import uuid

    browser = fresh.sign_in()
    fresh.change(access_expires_at=lapses_in(seconds=30), realm_id=uuid.uuid4())

    assert not is_signed_in(browser)
    assert fresh.rows() == []
