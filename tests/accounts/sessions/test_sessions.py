"""Sessions of browsers: listed, ended one by one or together, and what ends by itself."""

import re
import uuid
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from accounts import tasks
from accounts.identity.builtin.provider import BuiltinProvider
from accounts.people.models import Person
from accounts.people.services import disable_person
from accounts.sessions.models import BrowserSession
from accounts.sessions.services import end_sessions_of
from core.actors import SYSTEM
from core.audit.models import AuditEntry
from core.errors import Rejected, Unavailable
from core.tenancy import enter
from tests.support.issuer import Issuer, query_of

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1"
    " Mobile/15E148 Safari/604.1"
)


def test_a_session_tells_browser_address_and_how_one_signed_in(fresh):
    browser = fresh.sign_in(HTTP_USER_AGENT=FIREFOX, REMOTE_ADDR="203.0.113.7")

    page = browser.get("/profile/sessions/").content.decode()

    assert "Firefox on Linux" in page
    assert "203.0.113.7" in page
    assert "Password" in page
    assert "This browser" in page
    (row,) = fresh.rows()
    assert row.methods == "pwd"
    assert row.issuer_sid
    assert row.principal_id == fresh.person.pk


def test_tokens_are_kept_encrypted_and_nowhere_else(fresh):
    from django.contrib.sessions.models import Session
    from django.db import connection

    fresh.sign_in()

    (row,) = fresh.rows()
    assert row.access_token.count(".") == row.id_token.count(".") == 2
    assert len(row.refresh_token) > 60
    with enter(fresh.ref), connection.cursor() as cursor:
        cursor.execute(
            "SELECT access_token, id_token, refresh_token FROM browser_sessions_browsersession WHERE id = %s", [row.pk]
        )
        assert all(value.startswith("gAAAA") for value in cursor.fetchone())
        kept = [session.get_decoded() for session in Session.objects.all()]
    tokens = (row.access_token, row.id_token, row.refresh_token)
    assert not any(token in str(session) for session in kept for token in tokens)


def test_an_address_behind_a_proxy_is_the_one_that_the_proxy_added(fresh, settings):
    settings.TRUST_PROXY = True

    fresh.sign_in(HTTP_X_FORWARDED_FOR="192.0.2.66, 198.51.100.9", REMOTE_ADDR="10.0.0.1")

    assert fresh.rows()[0].address == "198.51.100.9"


def test_ending_another_session_signs_that_browser_out_and_asks_it_for_the_password(fresh, is_signed_in):
    here, there = fresh.sign_in(HTTP_USER_AGENT=FIREFOX), fresh.sign_in(HTTP_USER_AGENT=PHONE)
    other = fresh.rows()[1]

    answer = here.post(f"/profile/sessions/{other.pk}/end/", page=here.get("/profile/sessions/"))

    assert answer["Location"] == "/profile/sessions/"
    assert is_signed_in(here)
    assert not is_signed_in(there)
    assert there.get("/", follow=True).request["PATH_INFO"] == "/op/sign-in/"
    assert fresh.ended() == [("ended", "person")]


def test_an_ended_sessions_refresh_token_buys_nothing(fresh):
    here = fresh.sign_in()
    fresh.sign_in()
    other = fresh.rows()[1]
    issuer = Issuer(fresh.ref)

    here.post(f"/profile/sessions/{other.pk}/end/", page=here.get("/profile/sessions/"))

    assert issuer.refresh(other.refresh_token).status_code == 400


def test_ending_all_others_leaves_this_one(fresh, is_signed_in):
    here, *others = (fresh.sign_in() for _ in range(3))

    page = here.post("/profile/sessions/end-others/", page=here.get("/profile/sessions/"))

    assert page.status_code == 302
    assert "2 sessions are ended." in here.get("/profile/sessions/").content.decode()
    assert is_signed_in(here)
    assert not any(is_signed_in(other) for other in others)
    assert len(fresh.rows()) == 1


def test_signing_out_everywhere_ends_this_one_too_here_and_at_the_issuer(fresh, is_signed_in):
    here, there = fresh.sign_in(), fresh.sign_in()
    tokens = [row.refresh_token for row in fresh.rows()]

    answer = here.post("/profile/sessions/end-all/", page=here.get("/profile/sessions/"))

    assert "/op/sign-out/" in answer["Location"]
    here.get(answer["Location"])
    assert not is_signed_in(here)
    assert not is_signed_in(there)
    assert fresh.rows() == []
    assert all(Issuer(fresh.ref).refresh(token).status_code == 400 for token in tokens)
    assert there.get("/", follow=True).request["PATH_INFO"] == "/op/sign-in/"


def test_signing_out_here_leaves_the_other_browser_and_its_refresh_token(fresh, is_signed_in):
    here, there = fresh.sign_in(), fresh.sign_in()
    mine, theirs = (row.refresh_token for row in fresh.rows())

    here.get(here.post("/oidc/sign-out/", page=here.get("/"))["Location"])

    assert is_signed_in(there)
    assert Issuer(fresh.ref).refresh(mine).status_code == 400
    assert Issuer(fresh.ref).refresh(theirs).status_code == 200


@pytest.mark.parametrize("path", ["/profile/sessions/{}/end/", "/api/v1/sessions/{}/"])
def test_nobody_ends_a_session_of_somebody_else(path, owner, member, acme, outsider, world):
    with enter(acme):
        member_id = Person.objects.get(email=world.person("member").email).pk
        theirs = BrowserSession.objects.filter(principal_id=member_id).first()
    before = AuditEntry.objects.count()

    for attacker in (owner, outsider):
        address = path.format(theirs.pk)
        page = attacker.get("/profile/sessions/")
        if "api" in path:
            token = re.search(r'name="csrf-token" content="([^"]+)"', page.content.decode()).group(1)
            answer = attacker.api("DELETE", address, HTTP_X_CSRFTOKEN=token)
        else:
            answer = attacker.post(address, page=page)
        assert answer.status_code == 404

    assert is_still_there(acme, theirs)
    assert AuditEntry.objects.count() == before


def is_still_there(ref, session):
    with enter(ref):
        return BrowserSession.objects.filter(pk=session.pk).exists()


def test_the_api_lists_and_ends_sessions(fresh, is_signed_in):
    here, there = fresh.sign_in(HTTP_USER_AGENT=FIREFOX), fresh.sign_in(HTTP_USER_AGENT=PHONE)
    token = Issuer(fresh.ref).tokens(here)["access_token"]

    listed = here.api("GET", "/api/v1/sessions/").json()["results"]
    other = next(one for one in listed if not one["is_current"])
    gone = here.api("DELETE", f"/api/v1/sessions/{other['id']}/", token=token)

    assert [one["device"] for one in listed if one["is_current"]] == ["Firefox on Linux"]
    assert other["device"] == "Safari on iPhone"
    assert other["methods"] == ["pwd"]
    assert not {"access_token", "refresh_token", "id_token"} & set(other)
    assert gone.status_code == 204
    assert not is_signed_in(there)
    assert here.api("DELETE", f"/api/v1/sessions/{uuid.uuid4()}/", token=token).status_code == 404


def test_the_api_ends_all_sessions_of_a_program_that_has_none(fresh, is_signed_in):
    here = fresh.sign_in()
    token = Issuer(fresh.ref).tokens(here)["access_token"]

    answer = here.api("DELETE", "/api/v1/sessions/", token=token)

    assert answer.status_code == 204
    assert not is_signed_in(here)


def test_an_api_client_has_no_sessions(db, acme, visitor):
    from accounts.clients.services import make_client
    from core.actors import SYSTEM

    with enter(acme):
        made = make_client(name="Warehouse", permissions=[], expires_at=None, actor=SYSTEM)
    program = visitor(acme)
    asked = {"grant_type": "client_credentials", "client_id": made.client.client_id, "client_secret": made.secret}
    token = program.form("/op/token/", asked).json()["access_token"]

    answers = [program.api(method, "/api/v1/sessions/", token=token) for method in ("GET", "DELETE")]

    assert [answer.status_code for answer in answers] == [404, 404]


def test_operators_have_the_page_and_the_api_too(operator_at_console, operator):
    page = operator_at_console.get("/console/profile/sessions/")
    listed = operator_at_console.api("GET", "/api/v1/sessions/").json()["results"]

    assert "This browser" in page.content.decode()
    assert [one["is_current"] for one in listed].count(True) == 1
    own = BrowserSession.objects.filter(principal_id=operator.id).values_list("pk", flat=True)
    assert {one["id"] for one in listed} == {str(pk) for pk in own}


def test_an_admin_ends_all_of_somebodys_sessions(fresh, is_signed_in):
    browsers = [fresh.sign_in(), fresh.sign_in()]

    with enter(fresh.ref):
        count = end_sessions_of(principal=fresh.person)

    assert count == 2
    assert not any(is_signed_in(browser) for browser in browsers)
    assert browsers[0].get("/", follow=True).request["PATH_INFO"] == "/op/sign-in/"


def test_a_disabled_person_is_out_with_the_next_request(fresh, is_signed_in):
    browser = fresh.sign_in()
    assert is_signed_in(browser)

    with enter(fresh.ref):
        Person.objects.filter(pk=fresh.person.pk).update(is_active=False)

    assert not is_signed_in(browser)
    assert browser.api("GET", "/api/v1/me/").status_code == 401


# --- time ------------------------------------------------------------------------------------------------------------


def test_a_session_that_nobody_used_is_over(fresh, is_signed_in):
    browser = fresh.sign_in()

    fresh.change(last_seen_at=timezone.now() - settings.SESSION_IDLE - timedelta(seconds=1))

    assert not is_signed_in(browser)


def test_a_session_is_over_after_its_whole_time_however_much_it_was_used(fresh, is_signed_in):
    browser = fresh.sign_in()

    fresh.change(started_at=timezone.now() - settings.SESSION_LIFETIME - timedelta(seconds=1))

    assert not is_signed_in(browser)


def test_use_is_noted_once_a_minute(fresh, is_signed_in):
    browser = fresh.sign_in()
    before = fresh.rows()[0].last_seen_at
    is_signed_in(browser)
    assert fresh.rows()[0].last_seen_at == before

    fresh.change(last_seen_at=timezone.now() - timedelta(seconds=61), address=None)
    is_signed_in(browser)

    assert fresh.rows()[0].last_seen_at >= before
    assert fresh.rows()[0].address == "127.0.0.1"


def test_housekeeping_deletes_what_is_over(fresh):
    from accounts.housekeeping import clear_old_rows

    fresh.sign_in()
    fresh.sign_in()
    with enter(fresh.ref):
        old = BrowserSession.objects.filter(principal_id=fresh.person.pk).first()
        BrowserSession.objects.filter(pk=old.pk).update(last_seen_at=timezone.now() - settings.SESSION_IDLE * 2)
        clear_old_rows()

    (left,) = fresh.rows()
    assert left.pk != old.pk


# --- signing in again --------------------------------------------------------------------------------------------------


def test_signing_in_again_with_the_same_browser_replaces_key_and_session(fresh, is_signed_in, visitor):
    browser = fresh.sign_in()
    key, first = browser.cookies[settings.SESSION_COOKIE_NAME].value, fresh.rows()[0]

    browser.get("/oidc/authenticate/?next=/team/", follow=True)

    (second,) = fresh.rows()
    assert second.pk != first.pk
    assert browser.cookies[settings.SESSION_COOKIE_NAME].value != key
    old = visitor(fresh.ref)
    old.cookies[settings.SESSION_COOKIE_NAME] = key
    assert not is_signed_in(old)
    assert Issuer(fresh.ref).refresh(first.refresh_token).status_code == 400


def test_two_tabs_that_sign_in_at_once_each_land_where_they_wanted(fresh):
    browser = fresh.sign_in()
    browser.get(browser.post("/oidc/sign-out/", page=browser.get("/"))["Location"])
    one = browser.get("/oidc/authenticate/?next=/team/")["Location"]
    two = browser.get("/oidc/authenticate/?next=/profile/")["Location"]
    form = browser.get(browser.get(one)["Location"])
    path = f"/op/sign-in/?{form.request['QUERY_STRING']}"
    back = browser.post(
        path,
        {"email": fresh.email, "password": fresh.password, "next": query_of({"Location": path})["next"]},
        page=form,
    )

    first = browser.get(browser.get(back["Location"])["Location"])
    second = browser.get(browser.get(two)["Location"])

    assert [first["Location"], second["Location"]] == ["/team/", "/profile/"]


def test_a_changed_password_ends_the_issuers_sessions_and_an_epoch_too(fresh):
    browser = fresh.sign_in()
    issuer = Issuer(fresh.ref)
    assert "code" in query_of(issuer.authorize(browser)[0])

    fresh.change_account(session_epoch=7)

    assert "/op/sign-in/" in issuer.authorize(browser)[0]["Location"]


# --- an issuer that says no ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("refusal", [Rejected(part="keycloak"), Unavailable(part="keycloak")], ids=["no", "away"])
def test_what_follows_the_end_of_sessions_happens_whatever_the_issuer_says(refusal, fresh, is_signed_in, monkeypatch):
    def refuse(*words):
        raise refusal

    browser, told = fresh.sign_in(), []
    monkeypatch.setattr(BuiltinProvider, "end_sessions", refuse)
    monkeypatch.setattr(tasks.settle_account, "delay", told.append)
    monkeypatch.setattr(tasks.end_sessions_at_issuer, "delay", lambda **sent: told.append("again"))

    with enter(fresh.ref):
        disable_person(person_id=fresh.person.pk, actor=SYSTEM)

    assert told[-1] == str(fresh.person.pk)
    assert ("again" in told) == isinstance(refusal, Unavailable)
    assert not is_signed_in(browser)
