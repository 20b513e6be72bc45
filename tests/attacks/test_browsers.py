"""Browsers: login CSRF, session fixation, sessions and cookies of one place at another."""

import re
from urllib.parse import quote, urlsplit

import pytest
from django.conf import settings

from tests.attacks.site import answer_of_issuer, begin, is_signed_in
from tests.support.browser import Visitor
from tests.support.issuer import query_of
from tests.support.keycloak import cookies_of
from tests.support.walk import Walk

SESSION, ISSUER = settings.SESSION_COOKIE_NAME, settings.ISSUER_COOKIE_NAME


def test_the_sign_in_that_is_attacked_here_works(a):
    browser = a.known_at_issuer()

    browser.pages.get(answer_of_issuer(browser))

    assert is_signed_in(browser)


# --- login CSRF ------------------------------------------------------------------------------------------------------


def test_a_callback_that_nobody_began_signs_nobody_in(a):
    callback = answer_of_issuer(a.known_at_issuer())
    victim = a.stranger()

    answer = victim.pages.get(callback)

    assert answer.headers["Location"] == "/sign-in-failed/"
    assert not is_signed_in(victim)


def test_the_attackers_answer_does_not_fit_the_victims_own_sign_in(a):
    callback = answer_of_issuer(a.known_at_issuer())
    victim = a.stranger()
    begin(victim)

    answer = victim.pages.get(callback)

    assert answer.status_code == 400
    assert not is_signed_in(victim)


def test_the_attackers_answer_replaces_nobodys_session(a, user):
    callback = answer_of_issuer(a.known_at_issuer("admin"))

    user.pages.get(callback)

    assert user.pages.api("GET", "/api/v1/me/").json()["email"] == a.people["user"].email


@pytest.mark.parametrize("drop", ["state", "code"])
def test_an_answer_without_state_or_code_signs_nobody_in(drop, a):
    browser = a.known_at_issuer()
    url = urlsplit(answer_of_issuer(browser))
    query = "&".join(part for part in url.query.split("&") if not part.startswith(f"{drop}="))

    answer = browser.pages.get(f"{url.path}?{query}")

    assert answer.headers["Location"] == "/sign-in-failed/"
    assert not is_signed_in(browser)


def test_an_answer_counts_once(a):
    browser = a.known_at_issuer()
    callback = answer_of_issuer(browser)
    browser.pages.get(callback)
    session, count = browser.pages.cookies[SESSION].value, _session_count(browser)

    again = browser.pages.get(callback)  # as the Back button does

    assert (again.status_code, again.headers["Location"]) == (302, "/")
    assert browser.pages.cookies[SESSION].value == session
    assert _session_count(browser) == count


def test_an_answer_that_counted_signs_nobody_in_again(a):
    browser = a.sign_in(a.newcomer())
    callback = answer_of_issuer(browser)
    browser.pages.get(callback)
    browser.pages.post("/oidc/sign-out/", page=browser.pages.get("/profile/"))

    again = browser.pages.get(callback)

    assert again.headers["Location"] == "/sign-in-failed/"
    assert not is_signed_in(browser)


def test_an_answer_in_the_name_of_another_issuer_is_refused(a, b):
    browser = a.known_at_issuer()
    url = urlsplit(answer_of_issuer(browser))
    query = re.sub(r"&?iss=[^&]*", "", url.query)

    answer = browser.pages.get(f"{url.path}?{query}&iss={quote(b.issuer, safe='')}")

    assert answer.status_code == 400
    assert not is_signed_in(browser)


def test_the_issuers_form_cannot_be_sent_from_elsewhere(a):
    """What an attacker's page sends has no token of the form, and no cookie of a sign-in that was begun."""
    who, browser = a.people["user"], a.stranger()
    typed = {"email": who.email, "username": who.email, "password": "plain words for tests 7"}
    if a.is_builtin:
        answer = browser.pages.form("/op/sign-in/", typed, HTTP_ORIGIN="http://evil.example")
    else:
        page = browser.start()
        action = re.search(r'id="kc-form-login"[^>]*action="([^"]+)"', page.text)
        address = action.group(1).replace("&amp;", "&")
        answer = a.stranger().issuer.post(address, data=typed, timeout=60, allow_redirects=False)

    assert answer.status_code in (400, 403)
    assert "code=" not in answer.headers.get("Location", "")


# --- session fixation ------------------------------------------------------------------------------------------------


def test_the_pages_session_gets_a_new_name_at_sign_in(a):
    browser = a.known_at_issuer()
    callback = answer_of_issuer(browser)
    before = browser.pages.cookies[SESSION].value

    browser.pages.get(callback)

    assert browser.pages.cookies[SESSION].value != before
    assert is_signed_in(browser)


def test_the_session_before_the_sign_in_is_worth_nothing_after_it(a):
    browser = a.known_at_issuer()
    callback = answer_of_issuer(browser)
    fixed = browser.pages.cookies[SESSION].value

    browser.pages.get(callback)

    attacker = a.stranger()
    attacker.pages.cookies[SESSION] = fixed
    assert not is_signed_in(attacker)


def test_a_session_of_the_attackers_making_is_not_taken(a):
    browser = a.known_at_issuer()
    browser.pages.cookies[SESSION] = "chosenbytheattacker0000000000000"

    browser.pages.get(answer_of_issuer(browser))

    assert is_signed_in(browser)
    attacker = a.stranger()
    attacker.pages.cookies[SESSION] = "chosenbytheattacker0000000000000"
    assert not is_signed_in(attacker)


def test_the_issuers_session_gets_a_new_name_at_sign_in(a):
    """An attacker's session at the issuer, put into a victim's browser, is not the victim's after they signed in."""
    attacker = a.stranger()
    attacker.start()
    if a.is_builtin:
        attacker.pages.get("/op/sign-in/")
    victim = a.copy_of(attacker)

    victim.sign_in(a.people["user"].email, "plain words for tests 7")

    assert is_signed_in(victim)
    assert victim.is_known_at_issuer()
    assert not attacker.is_known_at_issuer()
    assert not is_signed_in(attacker)


# --- cookies of elsewhere --------------------------------------------------------------------------------------------


def test_a_session_of_one_tenant_counts_nowhere_else(a, b, user):
    """Every cookie that the browser has, of pages and of the issuer, under every name that it could have there."""
    there = b.copy_of(user)

    answer, _ = b.authorize(there)

    assert not is_signed_in(there)
    assert there.pages.api("GET", "/api/v1/me/").status_code == 401
    assert "code=" not in answer.headers.get("Location", "")
    assert not there.is_known_at_issuer()
    console = Visitor(cookies=user.pages.cookies)
    assert console.get("/console/tenants/").status_code == 302
    assert console.api("GET", "/api/v1/tenants/").status_code == 401


def test_a_session_at_the_issuer_is_none_of_pages_and_the_other_way_round(a, user):
    values = [morsel.value for morsel in user.pages.cookies.values()] + list(cookies_of(user.issuer).values())
    own = user.pages.cookies[SESSION].value

    for value in values:
        if value != own:
            moved = a.stranger()
            moved.pages.cookies[SESSION] = value
            assert not is_signed_in(moved)
    moved = a.stranger()
    moved.pages.cookies[ISSUER] = own
    for name in ("KEYCLOAK_IDENTITY", "KEYCLOAK_SESSION", "AUTH_SESSION_ID"):
        moved.issuer.cookies.set(name, own)
    answer, _ = a.authorize(moved)
    assert "code" not in query_of(answer.headers)


def test_what_was_signed_out_is_over_in_every_copy_of_its_cookies(a):
    browser = a.sign_in(a.newcomer())
    stolen = a.copy_of(browser)
    assert is_signed_in(stolen)

    onward = browser.pages.post("/oidc/sign-out/", page=browser.pages.get("/profile/"))["Location"]
    browser.ask_issuer(onward)

    assert not is_signed_in(stolen)
    assert not stolen.is_known_at_issuer()


@pytest.mark.parametrize("elsewhere", ["http://evil.example/", "http://{b}/", "{origin}/team/", "javascript:1"])
def test_the_issuer_sends_nobody_elsewhere_after_signing_out(elsewhere, a, b):
    browser = a.sign_in(a.newcomer())
    onward = browser.pages.post("/oidc/sign-out/", page=browser.pages.get("/profile/"))["Location"]
    wanted = elsewhere.format(b=b.program.host, origin=f"http://{a.program.host}")

    answer = browser.ask_issuer(
        re.sub(r"post_logout_redirect_uri=[^&]+", f"post_logout_redirect_uri={quote(wanted, safe='')}", onward)
    )

    assert answer.status_code in (200, 400)
    assert "Location" not in answer.headers


def test_a_form_or_a_link_elsewhere_signs_nobody_out(a):
    browser = a.sign_in(a.newcomer())

    by_link, by_form = browser.pages.get("/oidc/sign-out/"), browser.pages.form("/oidc/sign-out/")
    by_error = browser.pages.get("/oidc/callback/?error=access_denied")

    assert (by_link.status_code, by_form.status_code, by_error.status_code) == (405, 403, 400)
    assert is_signed_in(browser)


def test_an_account_of_one_tenant_signs_in_at_no_other(a, b):
    who = a.people["admin"]

    with pytest.raises(AssertionError, match="refused"):
        b.sign_in(who)


def _session_count(browser: Walk) -> int:
    return len(browser.pages.api("GET", "/api/v1/sessions/").json()["results"])
