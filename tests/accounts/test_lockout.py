"""Guessing at accounts: it ends after a few failures, for strangers, without shutting the owner out or saying who has one."""

import re

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.housekeeping import clear_old_rows
from accounts.identity import links
from accounts.identity.builtin import attempts
from accounts.identity.models import Account, AttemptCounter
from accounts.people.models import Person
from accounts.tasks import mail_lock_notice, note_lockouts
from core.audit.models import AuditEntry
from core.tenancy import enter
from tests.support.people import PASSWORD, email_of

WRONG = "not the password 7"
NOBODY = "nobody.at.all@people.example"
DEVICE = django_settings.DEVICE_COOKIE_NAME
LIMIT = 3


@pytest.fixture(autouse=True)
def few_failures(settings):
    settings.LOCKOUT_FAILURES = LIMIT


@pytest.fixture
def stranger(db, visitor, acme):
    """Makes browsers at acme-corp's address in which nobody signed in."""
    return lambda: visitor(acme)


@pytest.fixture
def member_account(db, acme):
    with enter(acme):
        return Account.objects.get(email=email_of("member"))


MEMBER = email_of("member")


def attempt(browser, email=MEMBER, password=WRONG):
    return browser.post("/op/sign-in/", {"email": email, "password": password})


def lock(make_browser, email=MEMBER):
    for _ in range(LIMIT):
        answer = attempt(make_browser(), email)
    return answer


def words_of(answer, email):
    """What the page says but for what was typed and the CSRF tokens."""
    text = answer.content.decode().replace(email, "")
    return re.sub(r'(name="csrf[^"]*" (value|content)|data-px-ref)="[^"]+"', "", text)


def test_the_right_password_is_not_looked_at_after_too_many_wrong_ones(stranger, member_account):
    assert lock(stranger).status_code == 422

    answer = attempt(stranger(), password=PASSWORD)

    assert answer.status_code == 429
    assert "Too many attempts failed" in answer.content.decode()
    assert "set another password by mail" in answer.content.decode()


def test_fewer_failures_are_forgotten_with_the_right_password(stranger, acme, member_account):
    for _ in range(3):
        for _ in range(LIMIT - 1):
            attempt(stranger())
        assert attempt(stranger(), password=PASSWORD).status_code == 302

    with enter(acme):
        assert not AttemptCounter.objects.filter(subject=str(member_account.pk)).exists()


def test_failures_outside_of_the_window_do_not_add_up(stranger, time_machine_to):
    for _ in range(LIMIT - 1):
        attempt(stranger())
    time_machine_to(minutes=16)
    for _ in range(LIMIT - 1):
        attempt(stranger())

    assert attempt(stranger(), password=PASSWORD).status_code == 302


def test_a_lock_ends_and_the_next_one_lasts_twice_as_long(stranger, acme, member_account, time_machine_to):
    lock(stranger)
    time_machine_to(minutes=16)
    lock(stranger)
    with enter(acme):
        second = attempts.locked_until(str(member_account.pk)) - timezone.now()
    time_machine_to(minutes=16 + 31)
    lock(stranger)
    with enter(acme):
        third = attempts.locked_until(str(member_account.pk)) - timezone.now()

    assert (round(second.total_seconds() / 60), round(third.total_seconds() / 60)) == (30, 60)
    time_machine_to(minutes=16 + 31 + 61)
    assert attempt(stranger(), password=PASSWORD).status_code == 302


def shape_of(statement):
    """A statement without its values and without the names of savepoints."""
    return re.sub(r"'[^']*'|\"s\d+_x\d+\"", "", statement)[:60]


def test_an_address_that_nobody_has_is_locked_with_the_same_words_and_the_same_work(stranger):
    seen = {}
    for email in (email_of("member"), NOBODY):
        answers, work = [], []
        for password in (WRONG,) * LIMIT + (PASSWORD,):
            visitor = stranger()
            page = visitor.get("/op/sign-in/")
            with CaptureQueriesContext(connection) as statements:
                answer = visitor.post("/op/sign-in/", {"email": email, "password": password}, page=page)
            answers.append((answer.status_code, words_of(answer, email)))
            work.append([shape_of(one["sql"]) for one in statements if "pg_snapshot" not in one["sql"]])
        seen[email] = (answers, work)

    assert seen[email_of("member")] == seen[NOBODY]
    assert [status for status, _ in seen[NOBODY][0]] == [422] * LIMIT + [429]


def test_spelling_an_address_in_another_way_gives_no_more_attempts(stranger):
    for email in ("MEMBER@people.example", " member@people.example ", "Member@People.Example"):
        attempt(stranger(), email)

    assert attempt(stranger(), password=PASSWORD).status_code == 429


def test_of_many_attempts_at_once_no_more_than_the_limit_are_looked_at(committed, new_tenant, visitor, monkeypatch):
    from concurrent.futures import ThreadPoolExecutor

    from django.db import connections

    from accounts.identity import provider

    tenant = new_tenant()
    account = provider().make_account(tenant.ref, email="one@people.example", name="One", password=PASSWORD)
    looked_at = []
    check = Account.check_password
    monkeypatch.setattr(Account, "check_password", lambda self, raw: looked_at.append(raw) or check(self, raw))

    def guess(number):
        try:
            return attempt(visitor(tenant.ref), "one@people.example", f"{WRONG}{number}").status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as crowd:
        answers = list(crowd.map(guess, range(16)))

    assert len(looked_at) == LIMIT
    assert sorted(answers) == [422] * LIMIT + [429] * (16 - LIMIT)
    with enter(tenant.ref):
        assert AttemptCounter.objects.get(subject=account.subject).locked_until


def test_right_attempts_at_one_account_at_once_do_not_meet_each_others_end(committed, new_tenant):
    from concurrent.futures import ThreadPoolExecutor

    from django.db import connections

    tenant = new_tenant()

    def be_right(_number):
        try:
            with enter(tenant.ref):
                for _ in range(40):
                    counter = attempts.count_attempt(
                        kind=AttemptCounter.Kind.PASSWORD, email="one@people.example", subject=""
                    )
                    attempts.forget_failures(counter)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as both:  # of two, the limit of three is never reached
        list(both.map(be_right, range(2)))

    with enter(tenant.ref):
        assert not AttemptCounter.objects.exists()


# --- known browsers -------------------------------------------------------------------------------------


@pytest.fixture
def known(stranger):
    """A browser in which the member signed in, whose session at the issuer is over."""
    visitor = stranger()
    assert attempt(visitor, password=PASSWORD).status_code == 302
    visitor.cookies.pop(django_settings.ISSUER_COOKIE_NAME)
    return visitor


def test_a_stranger_cannot_lock_the_owner_out_of_a_browser_that_is_known(known, stranger):
    lock(stranger)

    assert attempt(stranger(), password=PASSWORD).status_code == 429
    assert attempt(known, password=PASSWORD).status_code == 302


def test_a_known_browser_counts_for_itself_and_is_locked_itself(known, stranger):
    lock(lambda: known)

    assert attempt(known, password=PASSWORD).status_code == 429
    assert attempt(stranger(), password=PASSWORD).status_code == 302


def test_the_cookie_of_a_known_browser_is_bound_to_its_account_and_tenant(known, stranger, visitor, globex):
    other, elsewhere = stranger(), visitor(globex)
    other.cookies[DEVICE] = elsewhere.cookies[DEVICE] = known.cookies[DEVICE].value
    lock(stranger, email_of("owner"))
    for _ in range(LIMIT):
        attempt(visitor(globex), email_of("outsider"))

    assert attempt(other, email_of("owner"), PASSWORD).status_code == 429
    assert attempt(elsewhere, email_of("outsider"), PASSWORD).status_code == 429


@pytest.mark.parametrize("made_up", ["", "x", "e30:1abcde:aaaa", "a" * 3000, "é"])
def test_a_made_up_cookie_is_that_of_a_stranger(made_up, known, stranger):
    known.cookies[DEVICE] = made_up
    lock(stranger)

    assert attempt(known, password=PASSWORD).status_code == 429


def test_the_cookie_goes_to_the_issuer_alone_and_no_script_reads_it(known):
    morsel = known.cookies[DEVICE]

    assert (morsel["path"], morsel["httponly"], morsel["samesite"]) == ("/op/", True, "Lax")
    assert email_of("member") not in morsel.value


def test_a_failed_attempt_makes_no_browser_known(stranger):
    visitor = stranger()

    attempt(visitor)

    assert DEVICE not in visitor.cookies


def test_a_browser_remembers_five_accounts_at_most(rf, acme):
    from django.http import HttpResponse

    from accounts.identity.builtin.devices import device_of, remember_device

    request = rf.get("/op/sign-in/")
    with enter(acme):
        for number in range(7):
            response = HttpResponse()
            remember_device(request, response, f"{number}@people.example")
            request.COOKIES[DEVICE] = response.cookies[DEVICE].value
        known_ones = [number for number in range(7) if device_of(request, f"{number}@people.example")]

    assert known_ones == [2, 3, 4, 5, 6]


# --- ways out -------------------------------------------------------------------------------------------


def test_a_password_reset_by_mail_opens_the_account_and_makes_the_browser_known(stranger, acme, member_account):
    lock(stranger)
    with enter(acme):
        link = links.make_password_link(str(member_account.pk)).partition(":8000")[2]
    owner = stranger()

    owner.post(link, {"password": "another of them 7", "password_again": "another of them 7"})
    elsewhere = attempt(stranger(), password="another of them 7")
    lock(stranger)

    assert elsewhere.status_code == 302
    assert attempt(owner, password="another of them 7").status_code == 302


def test_an_admin_unlocks_a_member_and_sees_who_is_locked(stranger, owner, acme, member_account):
    lock(stranger)
    with enter(acme):
        person = Person.objects.get(email=email_of("member"))
    page = f"/team/{person.pk}/"
    assert "after too many failures" in owner.get(page).content.decode()

    answer = owner.post(f"{page}unlock/", page=owner.get(page))

    assert answer.status_code == 302
    assert attempt(stranger(), password=PASSWORD).status_code == 302
    assert "after too many failures" not in owner.get(page).content.decode()
    with enter(acme):
        assert AuditEntry.objects.filter(action="member.unlocked", target_id=person.pk).count() == 1


def test_the_api_unlocks_a_member(stranger, owner, acme):
    lock(stranger)
    with enter(acme):
        person = Person.objects.get(email=email_of("member"))
    token = re.search(r'name="csrf-token" content="([^"]+)"', owner.get("/team/").content.decode()).group(1)
    same_origin = {"HTTP_X_CSRFTOKEN": token, "HTTP_ORIGIN": f"http://{owner.host}"}

    assert owner.api("POST", f"/api/v1/people/{person.pk}/unlock/", body={}, **same_origin).status_code == 204
    assert attempt(stranger(), password=PASSWORD).status_code == 302


def test_somebody_who_may_not_manage_the_team_unlocks_nobody(stranger, member, acme):
    lock(stranger, email_of("owner"))
    with enter(acme):
        person = Person.objects.get(email=email_of("owner"))

    answer = member.post(f"/team/{person.pk}/unlock/", page=member.get("/team/"))

    assert answer.status_code == 403
    assert attempt(stranger(), email_of("owner"), PASSWORD).status_code == 429


def test_a_super_admin_unlocks_an_operator_and_support_does_not(visitor, operator_at_console, support_at_console):
    from accounts.operators.models import Operator

    for _ in range(LIMIT):
        attempt(visitor(), email_of("support"))
    support = Operator.objects.get(email=email_of("support"))
    where = "/console/operators/"
    assert "Sign-in locked" in operator_at_console.get(where).content.decode()

    refused = support_at_console.post(f"{where}{support.pk}/unlock/", page=support_at_console.get(where))
    still = attempt(visitor(), email_of("support"), PASSWORD)
    operator_at_console.post(f"{where}{support.pk}/unlock/", page=operator_at_console.get(where))

    assert (refused.status_code, still.status_code) == (403, 429)
    assert attempt(visitor(), email_of("support"), PASSWORD).status_code == 302
    assert AuditEntry.objects.filter(action="operator.unlocked", target_id=support.pk).count() == 1


def test_the_command_unlocks_on_both_addresses(stranger, visitor):
    lock(stranger)
    for _ in range(LIMIT):
        attempt(visitor(), email_of("operator"))

    call_command("unlock_account", email_of("member"), "--tenant", "acme-corp")
    call_command("unlock_account", email_of("operator"))

    assert attempt(stranger(), password=PASSWORD).status_code == 302
    assert attempt(visitor(), email_of("operator"), PASSWORD).status_code == 302


# --- who hears of it ------------------------------------------------------------------------------------


def test_the_owner_is_mailed_once_a_day_and_the_audit_log_has_each_lock(
    stranger, acme, member_account, mailoutbox, time_machine_to, monkeypatch, django_capture_on_commit_callbacks
):
    monkeypatch.setattr(mail_lock_notice, "delay", mail_lock_notice)  # as a worker does, in the process

    def settle():
        with enter(acme), django_capture_on_commit_callbacks(execute=True):
            note_lockouts()
            note_lockouts()

    lock(stranger)
    settle()
    time_machine_to(minutes=16)
    lock(stranger)
    settle()

    with enter(acme):
        entries = list(AuditEntry.objects.filter(action="sign_in.locked", target_name="Tomas Kadlec"))
    assert [entry.facts for entry in entries] == [{"tried": "password", "attempts": LIMIT}] * 2
    assert [mail.to for mail in mailoutbox] == [[email_of("member")]]
    assert "/op/forgot-password/" in mailoutbox[0].body
    assert f"{LIMIT} wrong passwords" in mailoutbox[0].body


def test_nobody_hears_of_an_address_that_nobody_has(stranger, acme, mailoutbox):
    lock(stranger, NOBODY)

    with enter(acme):
        note_lockouts()

        assert not AuditEntry.objects.filter(action="sign_in.locked", target_name="").exists()
        mail_lock_notice(str(AttemptCounter.objects.get(name=attempts.name_of(NOBODY)).pk))
    assert mailoutbox == []


def test_what_no_message_told_the_daily_job_finds(stranger, acme, member_account):
    lock(stranger)

    with enter(acme):
        clear_old_rows()

        assert AuditEntry.objects.filter(action="sign_in.locked", target_name="Tomas Kadlec").exists()
        assert AttemptCounter.objects.filter(subject=str(member_account.pk)).exists()


def test_the_daily_job_clears_counters_of_what_is_long_over(stranger, acme, time_machine_to):
    attempt(stranger(), NOBODY)
    time_machine_to(days=3)

    with enter(acme):
        clear_old_rows()

        assert not AttemptCounter.objects.filter(name=attempts.name_of(NOBODY)).exists()


def test_the_count_survives_the_loss_of_valkey(stranger):
    from django.core.cache import cache

    for _ in range(LIMIT):
        attempt(stranger())
        cache.clear()

    assert attempt(stranger(), password=PASSWORD).status_code == 429


def test_counters_do_not_say_which_addresses_were_tried(stranger, acme):
    attempt(stranger(), NOBODY)

    with enter(acme):
        row = AttemptCounter.objects.get(name=attempts.name_of(NOBODY))
    assert NOBODY not in str(vars(row))


# --- proofs by somebody who is signed in -----------------------------------------------------------------


def test_guessing_the_old_password_on_the_profile_page_ends_too_and_locks_no_sign_in(member, stranger):
    new = {"password": "another of them 7", "password_again": "another of them 7"}
    for _ in range(LIMIT):
        answer = member.post("/profile/security/", {"old": WRONG, **new})
        assert "This is not your password" in answer.content.decode()

    answer = member.post("/profile/security/", {"old": PASSWORD, **new})

    assert answer.status_code == 422
    assert "Too many attempts failed" in answer.content.decode()
    assert attempt(stranger(), password=PASSWORD).status_code == 302
