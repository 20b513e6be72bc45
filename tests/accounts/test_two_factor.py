"""A second factor at the built-in issuer: an app's codes and recovery codes, and the tricks that must not get past them."""

import re
import time

import pytest
from django.conf import settings as django_settings
from django.db import connections

from accounts.identity import links, provider
from accounts.identity.builtin import authenticators, halfway
from accounts.identity.models import Account, AttemptCounter, Authenticator, RecoveryCode
from accounts.people.models import Person
from accounts.sessions.models import BrowserSession
from accounts.tasks import mail_two_factor_notice
from accounts.two_factor import repeat_set_up
from core.audit.models import AuditEntry
from core.errors import Invalid
from core.tenancy import enter
from tests.support.authenticator import SET_UP, App, codes_on, hidden, key_on, switch_on
from tests.support.issuer import CLI, claims_of
from tests.support.people import PASSWORD, email_of
from tests.support.sessions import make_session

MEMBER = email_of("member")
CODE = "/op/sign-in/code/"
ISSUER = django_settings.ISSUER_COOKIE_NAME
NEW = {"password": "another of them 7", "password_again": "another of them 7"}


@pytest.fixture
def app(member):
    """The member's phone, with two-factor sign-in switched on."""
    return switch_on(member, PASSWORD)


@pytest.fixture
def stranger(db, visitor, acme):
    """Makes browsers at acme-corp's address in which nobody signed in."""
    return lambda: visitor(acme)


@pytest.fixture
def half_way(app, stranger):
    """Makes browsers in which the member's password was right, and the code is asked for."""

    def make(password=PASSWORD):
        browser = stranger()
        answer = give_password(browser, password=password)
        assert answer["Location"] == CODE
        return browser

    return make


@pytest.fixture
def is_in(acme_issuer):
    """Says whether a browser has a session at the issuer."""
    return lambda browser: "code=" in acme_issuer.authorize(browser)[0]["Location"]


def give_password(browser, email=MEMBER, password=PASSWORD):
    return browser.post("/op/sign-in/", {"email": email, "password": password})


def give_code(browser, code, *, page=None):
    page = page or browser.get(CODE)
    return browser.post(CODE, {"code": code, "tab": hidden(page, "tab")}, page=page)


def account_of(tenant, email=MEMBER):
    with enter(tenant):
        return Account.objects.get(email=email)


# --- switching on ---------------------------------------------------------------------------------------


def test_the_page_draws_what_an_app_reads_without_any_style(member):
    page = member.get(SET_UP).content.decode()
    svg = re.search(r'<svg[^>]*class="plx-qr".*?</svg>', page, re.DOTALL).group(0)

    assert "style=" not in svg
    assert authenticators.app_address("ABC", email="a b@x.example", issuer="Acme & Co") == (
        "otpauth://totp/Acme%20%26%20Co%3Aa%20b%40x.example?secret=ABC&issuer=Acme%20%26%20Co&algorithm=SHA1&digits=6&period=30"
    )


def test_each_look_at_the_page_shows_another_key_and_keeps_nothing(member, acme):
    keys = {key_on(member.get(SET_UP)) for _ in range(3)}

    assert len(keys) == 3
    with enter(acme):
        assert not Authenticator.objects.exists()


def test_it_is_on_with_the_first_code_and_other_sessions_end(member, acme, acme_issuer, stranger, is_in):
    elsewhere = stranger()
    give_password(elsewhere)
    assert is_in(elsewhere)
    with enter(acme):
        person = Person.objects.get(email=MEMBER)
        other = make_session(person)

    switch_on(member, PASSWORD)

    assert not is_in(elsewhere)
    assert member.get("/profile/").status_code == 200
    page = member.get("/profile/security/").content.decode()
    assert "10 recovery codes are left" in page
    with enter(acme):
        assert not BrowserSession.objects.filter(pk=other.pk).exists()
        assert AuditEntry.objects.filter(action="two_factor.on", target_id=person.pk).count() == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"password": "not the password 7"}, "This is not your password"),
        ({"code": "wrong"}, "not the code that the app shows"),
        ({"code": ""}, "required"),
        ({"set_up": ""}, "too old"),
        ({"set_up": "gAAAAABmade-up"}, "too old"),
        ({"set_up": "another's"}, "too old"),
    ],
)
def test_nothing_is_switched_on_without_all_of_it(changes, says, member, owner, acme):
    page = member.get(SET_UP)
    app = App(key_on(page))
    said = {"code": app.code(), "password": PASSWORD, "set_up": hidden(page, "set_up"), **changes}
    if said["code"] == "wrong":
        said["code"] = app.wrong()
    if said["set_up"] == "another's":
        others = owner.get(SET_UP)
        said |= {"set_up": hidden(others, "set_up"), "code": App(key_on(others)).code()}

    answer = member.post(SET_UP, said, page=page)

    assert answer.status_code == 422
    assert says in answer.content.decode()
    if "set_up" not in changes:
        assert key_on(answer) == app.key  # what was scanned still counts
    with enter(acme):
        assert not Authenticator.objects.exists()
        assert not Account.objects.get(email=MEMBER).two_factor


def test_a_page_that_lay_open_for_an_hour_is_too_old(member, acme, time_machine_to):
    page = member.get(SET_UP)
    time_machine_to(hours=1)

    with enter(acme), pytest.raises(Invalid) as refusal:
        repeat_set_up(Account.objects.get(email=MEMBER), hidden(page, "set_up"))

    assert "too old" in refusal.value.facts["errors"]["code"][0]


def test_a_second_tab_cannot_set_up_another_app(member):
    first, second = member.get(SET_UP), member.get(SET_UP)
    said = [
        {"code": App(key_on(page)).code(), "password": PASSWORD, "set_up": hidden(page, "set_up")}
        for page in (first, second)
    ]

    one = member.post(SET_UP, said[0], page=first)
    two = member.post(SET_UP, said[1], page=second)

    assert (one.status_code, two.status_code) == (200, 409)


def test_key_and_recovery_codes_are_no_plain_text_at_rest(app, acme):
    from django.db import connection

    with enter(acme), connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM identity_authenticator")
        secret = cursor.fetchone()[0]
        cursor.execute("SELECT code_hash FROM identity_recoverycode")
        hashes = {row[0] for row in cursor.fetchall()}

    assert secret.startswith("gAAAA")
    assert app.key not in secret
    assert len(hashes) == 10
    assert all(re.fullmatch("[0-9a-f]{64}", kept) for kept in hashes)


# --- signing in -----------------------------------------------------------------------------------------


def test_signing_in_takes_password_and_code_and_the_tokens_say_so(half_way, app, acme_issuer):
    browser = half_way()

    answer = give_code(browser, app.code())

    assert answer.status_code == 302
    claims = claims_of(acme_issuer.tokens(browser)["id_token"])
    assert (claims["amr"], claims["acr"]) == (["pwd", "otp", "mfa"], "2")


def test_who_has_no_second_factor_signs_in_as_before_and_the_tokens_say_so(stranger, acme_issuer):
    browser = stranger()
    give_password(browser)

    claims = claims_of(acme_issuer.tokens(browser)["id_token"])

    assert (claims["amr"], claims["acr"]) == (["pwd"], "1")


def test_the_password_alone_opens_nothing(half_way, acme_issuer, is_in):
    browser = half_way()
    grant = acme_issuer.program.form("/op/device-authorization/", {"client_id": CLI, "scope": "openid"}).json()

    assert not is_in(browser)
    for path in ("/op/device/", f"/op/device/{CLI}/{grant['user_code']}/", "/op/authorize/"):
        answer = browser.get(path)
        assert answer.status_code == 302, path
        assert "/op/sign-in/" in answer["Location"], path
    assert browser.get("/profile/").status_code == 302


@pytest.mark.parametrize(
    "typed", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "0x1234", "-12345", "1e5000", "x" * 41, "a" * 16, "\x00" * 6, "①②③④⑤⑥"]
)  # fmt: skip
def test_what_is_no_code_gets_nobody_in(typed, half_way, is_in):
    browser = half_way()

    assert give_code(browser, typed).status_code == 422
    assert not is_in(browser)


def test_codes_may_be_typed_with_a_space(half_way, app):
    code = app.code()

    assert give_code(half_way(), f" {code[:3]} {code[3:]}").status_code == 302


def test_a_code_of_a_minute_ago_or_ahead_is_refused(half_way, app, is_in):
    browser = half_way()

    for seconds in (-90, -60, 60, 90, 3600):
        code = app.code(at=time.time() + seconds)
        if code in {app.code(at=time.time() + near) for near in (-30, 0, 30)}:
            continue  # by chance
        assert give_code(browser, code).status_code == 422, seconds
    assert not is_in(browser)


def test_a_code_counts_once_in_whatever_browser(half_way, app):
    code, first, second = app.code(), half_way(), half_way()

    one = give_code(first, code)
    two = give_code(second, code)

    assert (one.status_code, two.status_code) == (302, 422)


def test_the_code_that_switched_it_on_signs_nobody_in(half_way, app):
    assert give_code(half_way(), app.code(at=app._last * 30)).status_code == 422


def test_an_older_code_than_the_last_one_is_refused_even_if_it_was_never_used(half_way, app, time_machine_to):
    time_machine_to(minutes=2)
    now = time.time()
    assert give_code(half_way(), app.code(at=now)).status_code == 302

    assert give_code(half_way(), app.code(at=now - 30)).status_code == 422


def test_of_one_code_at_the_same_moment_one_counts(committed, new_tenant):
    from concurrent.futures import ThreadPoolExecutor

    tenant = new_tenant()
    made = provider().make_account(tenant.ref, email="one@people.example", name="One", password=PASSWORD)
    with enter(tenant.ref):
        account = Account.objects.get(pk=made.subject)
        app = App(authenticators.new_secret())
        recovery = authenticators.set_up(account, secret=app.key, step=1)[0]

    def use(code):
        try:
            with enter(tenant.ref):
                return authenticators.use_code(account, code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as crowd:
        apps, recoveries = list(crowd.map(use, [app.code()] * 12)), list(crowd.map(use, [recovery] * 12))

    assert sorted(apps) == [""] * 11 + ["app"]
    assert sorted(recoveries) == [""] * 11 + ["recovery"]


# --- recovery codes -------------------------------------------------------------------------------------


def test_a_recovery_code_signs_in_once(half_way, app, acme, member):
    code = app.recovery_codes[3]

    one = give_code(half_way(), f" {code.upper().replace('-', ' ')} ")
    two = give_code(half_way(), code)

    assert (one.status_code, two.status_code) == (302, 422)
    with enter(acme):
        entry = AuditEntry.objects.get(action="two_factor.recovery_code_used", target_name="Tomas Kadlec")
    assert entry.facts == {"left": 9}


def test_somebody_elses_recovery_code_is_worth_nothing(half_way, app, owner):
    others = switch_on(owner, PASSWORD)

    assert give_code(half_way(), others.recovery_codes[0]).status_code == 422


def test_new_recovery_codes_replace_the_old_ones(member, app, half_way):
    page = member.get("/profile/security/two-factor/codes/")

    wrong = member.post("/profile/security/two-factor/codes/", {"code": app.wrong()}, page=page)
    made = member.post("/profile/security/two-factor/codes/", {"code": app.code()}, page=page)

    assert (wrong.status_code, made.status_code) == (422, 200)
    assert "no-store" in made["Cache-Control"]
    fresh = codes_on(made)
    assert not set(fresh) & set(app.recovery_codes)
    assert give_code(half_way(), app.recovery_codes[0]).status_code == 422
    assert give_code(half_way(), fresh[0]).status_code == 302


# --- half-way -------------------------------------------------------------------------------------------


def test_half_way_belongs_to_one_browser(half_way, app, stranger):
    half_way()
    other = stranger()

    assert other.get(CODE)["Location"].startswith("/oidc/authenticate/")
    answer = other.form(CODE, {"code": app.code()})
    assert answer.status_code in (302, 403)


def test_half_way_belongs_to_one_tenant(half_way, visitor, globex):
    elsewhere = visitor(globex, cookies=half_way().cookies)

    assert elsewhere.get(CODE)["Location"].startswith("/oidc/authenticate/")


def test_a_tabs_code_does_not_count_for_the_sign_in_that_another_tab_began(half_way, app, owner, acme):
    others = switch_on(owner, PASSWORD)
    browser = half_way()
    first_tab = browser.get(CODE)
    give_password(browser, email_of("owner"))  # in a second tab, by somebody else
    second_tab = browser.get(CODE)

    stale = browser.post(CODE, {"code": others.code(), "tab": hidden(first_tab, "tab")}, page=second_tab)

    assert stale.status_code == 422
    assert "Another sign-in was begun" in stale.content.decode()
    with enter(acme):
        assert not AttemptCounter.objects.filter(kind="code").exists()  # nobody's failure
    assert (
        browser.post(CODE, {"code": app.code(), "tab": hidden(second_tab, "tab")}, page=second_tab).status_code == 422
    )


def test_an_attackers_own_code_does_not_finish_the_victims_sign_in(half_way, owner, is_in):
    attackers = switch_on(owner, PASSWORD)
    browser = half_way()

    assert give_code(browser, attackers.code()).status_code == 422
    assert not is_in(browser)


def test_half_way_ends_after_five_minutes(half_way, app, time_machine_to):
    browser = half_way()
    time_machine_to(seconds=halfway.LASTS_S + 1)

    answer = browser.get(CODE)

    assert answer["Location"].startswith("/oidc/authenticate/")


@pytest.mark.parametrize("change", ["password", "disabled", "sessions ended", "switched off"])
def test_half_way_ends_when_the_account_changes(change, half_way, app, acme, member):
    browser = half_way()
    page = browser.get(CODE)
    account = account_of(acme)
    if change == "password":
        provider().set_password(acme, subject=str(account.pk), password="another of them 7")
    elif change == "disabled":
        provider().set_account_active(acme, str(account.pk), False)
    elif change == "sessions ended":
        provider().end_sessions(acme, str(account.pk))
    else:
        member.post("/profile/security/two-factor/off/", {"code": app.code()})

    answer = browser.post(CODE, {"code": app.code(), "tab": hidden(page, "tab")}, page=page)

    assert answer["Location"].startswith("/oidc/authenticate/")


def test_the_session_has_another_name_after_each_step(stranger, app, is_in):
    browser = stranger()
    page = browser.get("/op/sign-in/")
    fixed = browser.cookies[ISSUER].value
    browser.post("/op/sign-in/", {"email": MEMBER, "password": PASSWORD}, page=page)
    after_password = browser.cookies[ISSUER].value
    give_code(browser, app.code())
    after_code = browser.cookies[ISSUER].value

    assert len({fixed, after_password, after_code}) == 3
    for old in (fixed, after_password):
        attacker = stranger()
        attacker.cookies[ISSUER] = old
        assert not is_in(attacker)
        assert attacker.get(CODE).status_code == 302
    assert is_in(browser)


def test_what_the_browser_knew_before_the_password_does_not_survive_it(stranger, app, is_in):
    browser = stranger()
    give_password(browser, email_of("guest"))
    assert is_in(browser)

    give_password(browser)

    assert not is_in(browser)


def test_the_address_asked_for_is_where_one_lands(stranger, app):
    browser = stranger()
    browser.post("/op/sign-in/", {"email": MEMBER, "password": PASSWORD, "next": "/op/device/?user_code=ABCD"})

    assert give_code(browser, app.code())["Location"] == "/op/device/?user_code=ABCD"


# --- guessing codes -------------------------------------------------------------------------------------


@pytest.fixture
def few_failures(settings):
    settings.LOCKOUT_FAILURES = 3


def guess(half_way, app, times=3):
    for _ in range(times):
        answer = give_code(half_way(), app.wrong())
    return answer


def test_guessing_codes_ends_although_the_password_is_right_each_time(few_failures, half_way, app):
    assert guess(half_way, app).status_code == 422

    answer = give_code(half_way(), app.code())

    assert answer.status_code == 429
    assert "Too many attempts failed" in answer.content.decode()


def test_a_password_reset_by_mail_asks_for_the_code_still_and_gives_no_more_guesses(
    few_failures, half_way, app, acme, stranger
):
    guess(half_way, app)
    with enter(acme):
        link = links.make_password_link(str(account_of(acme).pk)).partition(":8000")[2]

    reader_of_mail = stranger()
    reader_of_mail.post(link, NEW)
    reader_of_mail.cookies.pop(django_settings.DEVICE_COOKIE_NAME)
    answer = give_password(reader_of_mail, password=NEW["password"])

    assert answer["Location"] == CODE
    assert give_code(reader_of_mail, app.code()).status_code == 429


def test_guessing_codes_does_not_keep_the_owner_out_of_a_known_browser(few_failures, half_way, app, time_machine_to):
    known = half_way()
    give_code(known, app.code())
    known.cookies.pop(ISSUER)
    guess(half_way, app)

    give_password(known)

    time_machine_to(minutes=1)
    assert give_code(known, app.code()).status_code == 302


def test_an_admin_opens_it_again(few_failures, half_way, app, owner, acme):
    guess(half_way, app)
    with enter(acme):
        person = Person.objects.get(email=MEMBER)

    owner.post(f"/team/{person.pk}/unlock/", page=owner.get(f"/team/{person.pk}/"))

    assert give_code(half_way(), app.code()).status_code == 302


def test_guessing_codes_on_the_profile_page_ends_too(few_failures, member, app):
    off = "/profile/security/two-factor/off/"
    for _ in range(3):
        assert member.post(off, {"code": app.wrong()}).status_code == 422

    answer = member.post(off, {"code": app.code()})

    assert answer.status_code == 422
    assert "Too many attempts failed" in answer.content.decode()


# --- switching off --------------------------------------------------------------------------------------


def test_it_is_off_with_a_code_and_other_sessions_end(member, app, acme, stranger, is_in):
    off = "/profile/security/two-factor/off/"
    with enter(acme):
        other = make_session(Person.objects.get(email=MEMBER))

    refused = member.post(off, {"code": app.wrong()})
    done = member.post(off, {"code": app.recovery_codes[0]})

    assert (refused.status_code, done.status_code) == (422, 302)
    browser = stranger()
    give_password(browser)
    assert is_in(browser)
    assert member.get("/profile/").status_code == 200
    with enter(acme):
        assert not BrowserSession.objects.filter(pk=other.pk).exists()
        assert not RecoveryCode.objects.exists()
        assert AuditEntry.objects.filter(action="two_factor.off", target_name="Tomas Kadlec").count() == 1


def test_what_is_off_cannot_be_renewed_or_switched_off(member):
    for path in ("codes", "off"):
        assert member.post(f"/profile/security/two-factor/{path}/", {"code": "123456"}).status_code == 409


# --- elsewhere ------------------------------------------------------------------------------------------


def test_operators_have_the_same(operator_at_console, visitor, platform_issuer):
    app = switch_on(operator_at_console, PASSWORD, path="/console/profile/security/two-factor/on/")
    browser = visitor()

    asked = give_password(browser, email_of("operator"))
    give_code(browser, app.code())

    assert asked["Location"] == CODE
    assert claims_of(platform_issuer.tokens(browser)["id_token"])["amr"] == ["pwd", "otp", "mfa"]
    assert AuditEntry.objects.filter(action="two_factor.on", target_name="Jonas Weil").exists()


def test_an_account_that_needs_a_code_and_has_no_app_sets_one_up_at_sign_in(stranger, acme, is_in):
    with enter(acme):
        Account.objects.filter(email=MEMBER).update(two_factor=True)  # as a restored tenant's
    browser, where = stranger(), "/op/sign-in/set-up/"

    assert give_password(browser)["Location"] == where
    assert not is_in(browser)
    page = browser.get(where)
    app = App(key_on(page))
    said = {"set_up": hidden(page, "set_up"), "tab": hidden(page, "tab")}
    refused = browser.post(where, {**said, "code": app.wrong()}, page=page)
    assert (refused.status_code, key_on(refused)) == (422, app.key)
    done = browser.post(where, {**said, "code": app.code()}, page=refused)

    assert len(codes_on(done)) == 10
    assert is_in(browser)
    other = stranger()
    assert give_password(other)["Location"] == CODE
    assert other.get(where).status_code == 302  # who has an app sets up no other one half-way
    assert give_code(other, app.code()).status_code == 302


def test_an_account_is_deleted_with_its_app(app, acme):
    account = account_of(acme)

    provider().delete_account(acme, str(account.pk))

    with enter(acme):
        assert not Authenticator.objects.exists()
        assert not RecoveryCode.objects.exists()
        assert not Account.objects.filter(pk=account.pk).exists()


@pytest.mark.parametrize(
    ("change", "says"), [("on", "takes a code"), ("off", "password alone"), ("reset", "an admin of")]
)
def test_the_owner_is_mailed(change, says, acme, db, mailoutbox):
    with enter(acme):
        mail_two_factor_notice(str(account_of(acme).pk), change)

    assert [mail.to for mail in mailoutbox] == [[MEMBER]]
    assert says in mailoutbox[0].body
    assert "set another password at once" in mailoutbox[0].body


def test_codes_are_those_of_the_standard():
    import base64

    key = base64.b32encode(b"12345678901234567890").decode()  # RFC 6238, appendix B

    for moment, code in ((59, "287082"), (1111111109, "081804"), (2000000000, "279037")):
        assert App(key).code(at=moment) == code


def test_a_locked_code_says_nothing_about_whether_it_was_right(few_failures, half_way, app):
    guess(half_way, app)

    right, wrong = give_code(half_way(), app.code()), give_code(half_way(), app.wrong())

    words = [re.sub(r'(value|content)="[^"]*"', "", answer.content.decode()) for answer in (right, wrong)]
    assert words[0] == words[1]
