"""Passwords at the built-in issuer: forgotten, reset by mail, changed by who knows them."""

import re

import pytest
from celery import Task
from django.core import mail
from kombu.exceptions import OperationalError

from accounts import tasks
from accounts.identity.models import Account, PasswordLink
from accounts.passwords import mail_reset
from core.audit.models import AuditEntry
from core.ids import uuid7
from core.tenancy import enter

FORGOT, SECURITY = "/op/forgot-password/", "/profile/security/"
NEW = "seven other words 7"


@pytest.fixture
def asked(monkeypatch):
    """Whom the page asked to mail, without a worker."""
    subjects = []
    monkeypatch.setattr(tasks.mail_reset_link, "delay", lambda **sent: subjects.append(sent))
    return subjects


def link_in(message):
    return re.search(r"http://[^/]+(/op/set-password/\S+/)", message.body).group(1)


def test_a_forgotten_password_is_replaced_by_mail_and_every_session_ends(fresh, visitor, asked, is_signed_in):
    browser = fresh.sign_in()
    visitor(fresh.ref).post(FORGOT, {"email": fresh.email.upper()})
    with enter(fresh.ref):
        tasks.mail_reset_link(**asked[0])

    page = visitor(fresh.ref)
    answer = page.post(link_in(mail.outbox[-1]), {"password": NEW, "password_again": NEW})

    assert answer.status_code == 302
    assert not is_signed_in(browser)
    assert is_signed_in(visitor(fresh.ref).sign_in(fresh.email, NEW))
    with enter(fresh.ref):
        assert AuditEntry.objects.filter(action="password.set", target_id=fresh.person.pk).count() == 1
    assert mail.outbox[-1].to == [fresh.email]


def test_an_unknown_address_is_told_the_same_and_gets_no_mail(fresh, visitor, asked):
    known, unknown = (
        re.sub(r'(content|value)="\w{64}"', "", visitor(fresh.ref).post(FORGOT, {"email": email}).content.decode())
        for email in (fresh.email, "nobody@people.example")
    )
    sent = len(mail.outbox)

    assert known.replace(fresh.email, "x") == unknown.replace("nobody@people.example", "x")
    assert len(asked) == 2
    with enter(fresh.ref):
        tasks.mail_reset_link(**asked[1])
    assert len(mail.outbox) == sent


def test_without_a_queue_nobody_is_told_that_a_mail_is_under_way(fresh, visitor, monkeypatch):
    def refuse(*args, **sent):
        raise OperationalError("connection refused")

    monkeypatch.setattr(Task, "apply_async", refuse)

    answers = [visitor(fresh.ref).post(FORGOT, {"email": email}) for email in (fresh.email, "nobody@people.example")]

    assert [answer.status_code for answer in answers] == [503, 503]


def test_what_is_sent_to_the_queue_names_nobody(fresh, visitor, asked):
    visitor(fresh.ref).post(FORGOT, {"email": fresh.email})

    assert "@" not in str(asked)


def test_an_account_gets_one_mail_in_five_minutes_and_a_disabled_one_none(fresh):
    with enter(fresh.ref):
        mail_reset(subject=fresh.person.subject)
        sent = len(mail.outbox)
        mail_reset(subject=fresh.person.subject)
        mail_reset(subject=str(uuid7()))
        PasswordLink.objects.filter(subject=fresh.person.subject).delete()
        Account.objects.filter(pk=fresh.person.subject).update(is_active=False)
        mail_reset(subject=fresh.person.subject)

    assert len(mail.outbox) == sent


def test_no_address_at_all_is_refused_beside_the_field(fresh, visitor, asked):
    answer = visitor(fresh.ref).post(FORGOT, {"email": "x"})

    assert (answer.status_code, asked) == (422, [])


def test_who_knows_the_password_changes_it_and_the_other_sessions_end(fresh, visitor, is_signed_in):
    here, there = fresh.sign_in(), fresh.sign_in()

    answer = here.post(SECURITY, {"old": fresh.password, "password": NEW, "password_again": NEW})

    assert answer.status_code == 302
    assert (is_signed_in(here), is_signed_in(there)) == (True, False)
    assert is_signed_in(visitor(fresh.ref).sign_in(fresh.email, NEW))
    with enter(fresh.ref):
        assert AuditEntry.objects.filter(action="password.changed", target_id=fresh.person.pk).count() == 1


@pytest.mark.parametrize(
    ("field", "sent"),
    [
        ("old", {"old": "not my password", "password": NEW, "password_again": NEW}),
        ("password", {"password": "short", "password_again": "short"}),
        ("password", {"password": "password1234", "password_again": "password1234"}),
        ("password_again", {"password": NEW, "password_again": "another one 12"}),
    ],
    ids=["wrong", "short", "common", "different"],
)
def test_what_is_wrong_is_said_beside_its_field_and_nothing_changes(fresh, is_signed_in, field, sent):
    here, there = fresh.sign_in(), fresh.sign_in()
    with enter(fresh.ref):
        before = Account.objects.get(pk=fresh.person.subject).password

    answer = here.post(SECURITY, {"old": fresh.password, **sent})

    assert answer.status_code == 422
    assert set(answer.context["form"].errors) == {field}
    with enter(fresh.ref):
        assert Account.objects.get(pk=fresh.person.subject).password == before
    assert is_signed_in(there)
