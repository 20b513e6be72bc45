"""Links that set a password: once, for some days, at their own tenant."""

import re

import pytest
from django.utils import timezone

from accounts.identity import links
from accounts.identity.models import Account, PasswordLink
from core.tenancy import enter

GOOD = {"password": "seven plain words 7", "password_again": "seven plain words 7"}


@pytest.fixture
def account(db, acme, world):
    with enter(acme):
        return Account.objects.get(email=world.person("member").email)


@pytest.fixture
def link(acme, account):
    """The path of a fresh link for acme-corp's member."""
    with enter(acme):
        return links.make_password_link(str(account.pk)).partition(":8000")[2]


def password_of(acme, account):
    with enter(acme):
        return Account.objects.get(pk=account.pk).password


def test_a_link_sets_the_password_and_leads_to_sign_in(link, visitor, acme, account):
    answer = visitor(acme).post(link, GOOD)

    assert answer.status_code == 302
    assert answer["Location"].startswith("/oidc/authenticate/")
    with enter(acme):
        assert Account.objects.get(pk=account.pk).check_password(GOOD["password"])


def test_a_link_works_once(link, visitor, acme, account):
    visitor(acme).post(link, GOOD)
    before = password_of(acme, account)

    page = visitor(acme).get(link)
    answer = visitor(acme).post(link, dict.fromkeys(GOOD, "another of them 7"), page=visitor(acme).get("/op/sign-in/"))

    assert page.status_code == 410
    assert "no longer works" in page.content.decode()
    assert answer.status_code in (403, 410)
    assert password_of(acme, account) == before


def test_the_second_of_two_tabs_is_told_so(link, visitor, acme, account):
    first, second = visitor(acme), visitor(acme)
    page_one, page_two = first.get(link), second.get(link)

    one = first.post(link, GOOD, page=page_one)
    two = second.post(link, dict.fromkeys(GOOD, "another of them 7"), page=page_two)

    assert (one.status_code, two.status_code) == (302, 410)
    with enter(acme):
        assert Account.objects.get(pk=account.pk).check_password(GOOD["password"])


def test_using_one_link_uses_up_the_persons_others(link, visitor, acme, account):
    with enter(acme):
        other = links.make_password_link(str(account.pk)).partition(":8000")[2]

    visitor(acme).post(link, GOOD)

    assert visitor(acme).get(other).status_code == 410


def test_a_link_ends_after_its_days(link, visitor, acme, account):
    with enter(acme):
        PasswordLink.objects.update(expires_at=timezone.now())

    assert visitor(acme).get(link).status_code == 410


def test_a_disabled_accounts_link_is_dead(link, visitor, acme, account):
    with enter(acme):
        Account.objects.filter(pk=account.pk).update(is_active=False)

    assert visitor(acme).get(link).status_code == 410


@pytest.mark.parametrize("where", ["globex", "platform"])
def test_a_link_means_nothing_at_another_address(where, link, visitor, globex):
    elsewhere = visitor(globex) if where == "globex" else visitor()

    assert elsewhere.get(link).status_code == 410


@pytest.mark.parametrize(
    ("password", "again"),
    [
        ("short 7", "short 7"),
        ("123456789012345", "123456789012345"),
        ("password1234", "password1234"),
        ("member@people.example", "member@people.example"),
        ("seven plain words 7", "seven plain words 8"),
        ("", ""),
        ("a" * 5000, "a" * 5000),
        ("with a \x00 byte 777", "with a \x00 byte 777"),
    ],
    ids=["short", "digits", "common", "own-address", "differ", "empty", "endless", "nul"],
)
def test_the_rules_for_passwords_are_said_and_leave_the_link_good(password, again, link, visitor, acme, account):
    before = password_of(acme, account)

    page = visitor(acme).post(link, {"password": password, "password_again": again})

    assert page.status_code == 422
    assert "data-px-errors" in page.content.decode()
    assert password_of(acme, account) == before
    assert visitor(acme).get(link).status_code == 200


def test_a_link_is_kept_as_a_hash_alone(link, acme):
    token = re.search(r"set-password/([^/]+)/", link).group(1)

    with enter(acme):
        kept = PasswordLink.objects.order_by("-created_at").first()

    assert len(token) >= 43
    assert token not in str(vars(kept))


def test_a_new_password_ends_the_sessions_at_the_issuer(link, member, visitor, acme, acme_issuer):
    before, _ = acme_issuer.authorize(member)
    visitor(acme).post(link, GOOD)

    after, _ = acme_issuer.authorize(member)

    assert "code=" in before["Location"]
    assert "/op/sign-in/" in after["Location"]


@pytest.mark.parametrize("token", ["x", "a" * 43, "..", "%2e%2e", "'", "a/b", "💥"])
def test_made_up_links_are_dead_links(token, visitor, acme, db):
    page = visitor(acme).get(f"/op/set-password/{token}/")

    assert page.status_code in (404, 410)
