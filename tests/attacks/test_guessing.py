"""Guessing: who has an account, and what the password is."""

import re
import secrets

from django.contrib.auth.hashers import PBKDF2PasswordHasher

from accounts import tasks
from accounts.identity import provider
from tests.attacks.site import is_signed_in
from tests.support.keycloak import cookies_of
from tests.support.people import PASSWORD

FAILURE_FACTOR = 10  # of a realm at a Keycloak (accounts/identity/keycloak/document.py)


def try_password(site, email, password):
    """Send the issuer's form once, from a browser that nobody knows; return its answer."""
    browser = site.stranger()
    page = browser.start()
    if site.is_builtin:
        form = browser.pages.get(page.headers["Location"])
        path = f"{form.request['PATH_INFO']}?{form.request['QUERY_STRING']}"
        return browser.pages.post(path, {"email": email, "password": password}, page=form)
    action = re.search(r'id="kc-form-login"[^>]*action="([^"]+)"', page.text)
    address = action.group(1).replace("&amp;", "&")
    return browser.issuer.post(
        address,
        data={"username": email, "password": password, "credentialId": ""},
        cookies=cookies_of(browser.issuer),
        timeout=60,
        allow_redirects=False,
    )


def words_of(answer, email):
    """What a reader sees, without what is random in each page."""
    text = answer.content.decode().replace(email, "somebody")
    return re.sub(
        r'(?:action|href|content|value|src)="[^"]*"|startSessionPolling\([^)]*\)|"[^"]*tab_id[^"]*"|"[\w+/=]{40,}"',
        "",
        text,
    )


def test_a_wrong_password_an_unknown_address_and_a_disabled_account_get_the_same_answer(a):
    known, off = a.newcomer(), a.newcomer()
    provider().set_account_active(a.ref, off.subject, False)
    unknown = f"nobody-{secrets.token_hex(4)}@people.example"

    answers = [(try_password(a, email, "not the one 77"), email) for email in (known.email, unknown, off.email)]

    first = words_of(*answers[0])
    assert ("do not match" if a.is_builtin else "Invalid") in first
    for answer, email in answers:
        assert answer.status_code == answers[0][0].status_code
        assert words_of(answer, email) == first
        assert "Location" not in answer.headers


def test_a_disabled_account_is_told_nothing_even_with_its_password(a):
    """At a Keycloak it is told so: whoever knows the password is the owner."""
    off = a.newcomer()
    provider().set_account_active(a.ref, off.subject, False)

    answer = try_password(a, off.email, PASSWORD)

    assert "Location" not in answer.headers
    assert answer.status_code in (200, 400, 422)
    if a.is_builtin:
        assert "do not match" in answer.content.decode()


def test_an_unknown_address_costs_the_built_in_issuer_as_much_as_a_known_one(a, monkeypatch):
    """By hashes that are computed, not by a clock. What a Keycloak computes is its own."""
    computed: list[int] = []
    encode = PBKDF2PasswordHasher.encode
    monkeypatch.setattr(
        PBKDF2PasswordHasher,
        "encode",
        lambda self, *args, **more: computed.append(more.get("iterations") or 0) or encode(self, *args, **more),
    )
    costs = []
    for email in (a.people["user"].email, f"nobody-{secrets.token_hex(4)}@people.example"):
        computed.clear()
        try_password(a, email, "not the one 77")
        costs.append(list(computed))

    assert costs[0] == costs[1]
    assert len(costs[0]) == (1 if a.is_builtin else 0), "one slow hash each"


def test_a_forgotten_password_tells_nobody_who_has_an_account(a, monkeypatch):
    asked = []
    monkeypatch.setattr(tasks.mail_reset_link, "delay", lambda **sent: asked.append(sent))
    unknown = f"nobody-{secrets.token_hex(4)}@people.example"
    emails = (a.people["user"].email, unknown)
    if not a.is_builtin:
        assert a.stranger().pages.get("/op/forgot-password/").status_code == 404
        return

    pages = [a.stranger().pages.post("/op/forgot-password/", {"email": email}) for email in emails]

    assert [page.status_code for page in pages] == [200, 200]
    assert words_of(pages[0], emails[0]) == words_of(pages[1], emails[1])
    assert len(asked) == 2  # one of them finds nobody, where nobody sees it


def test_whoever_guesses_long_enough_does_not_get_in_even_with_the_password(a, settings):
    """Each try comes from another browser. (What the owner's own browser may do: `tests/accounts/test_lockout.py`.)"""
    who = a.newcomer()
    for number in range(settings.LOCKOUT_FAILURES if a.is_builtin else FAILURE_FACTOR):
        assert "code=" not in try_password(a, who.email, f"guessed {number} times").headers.get("Location", "")

    answer = try_password(a, who.email, PASSWORD)

    assert "Location" not in answer.headers
    assert is_signed_in(a.sign_in(a.newcomer())), "it is one account's own trouble"


def test_whoever_tries_many_accounts_is_slowed_down_by_their_address(a, settings):
    """Ours counts at pages that take a secret; a Keycloak's sign-in page is its own, and ours is still counted."""
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "sign-in": "5/minute"}
    guess = {"email": "nobody@people.example", "password": "guessed", "client_id": "plexica-web"}

    answers = [a.program.form("/op/token/", {**guess, "grant_type": "password"}).status_code for _ in range(7)]

    assert answers[:5] == [401] * 5 or answers[:5] == [400] * 5
    assert answers[5:] == [429] * 2
