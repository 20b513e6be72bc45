"""The whole way in, with real sign-ins: by invitation, with an account that was there, and without any invitation."""

import pytest
from django.core import mail

from accounts.identity import provider
from accounts.people.invitations.services import invite
from accounts.people.models import Invitation, Person
from accounts.tasks import mail_invitation
from core.actors import SYSTEM
from core.tenancy import enter
from tests.accounts.test_invitations import ADDRESS, GOOD, path_in
from tests.support.browser import Visitor


@pytest.fixture
def tenant(new_tenant):
    return new_tenant().ref


@pytest.fixture
def link(tenant):
    """The path of a mailed invitation of ADDRESS, as a user."""
    with enter(tenant):
        invitation = invite(email=ADDRESS, roles=["user"], actor=SYSTEM)
        mail_invitation(str(invitation.pk))
    return path_in(mail.outbox[-1])


def make_account(tenant):
    account = provider().make_account(tenant, email=ADDRESS, name="Ada", password=GOOD["password"])
    return account.subject


def roles(tenant):
    with enter(tenant):
        return {person.email: [role.name for role in person.roles.all()] for person in Person.objects.all()}.get(
            ADDRESS
        )


def test_somebody_new_accepts_and_signs_in_with_the_password_they_chose(tenant, link):
    newcomer = Visitor(tenant)
    newcomer.post(link, GOOD)

    newcomer.sign_in(ADDRESS, GOOD["password"])

    assert newcomer.get("/team/").status_code == 200
    assert roles(tenant) == ["user"]


def test_whoever_has_an_account_opens_the_link_signs_in_and_has_accepted(tenant, link):
    make_account(tenant)
    somebody = Visitor(tenant)
    assert "Sign in to accept" in somebody.get(link).content.decode()

    somebody.sign_in(ADDRESS, GOOD["password"])

    assert roles(tenant) == ["user"]
    with enter(tenant):
        assert Invitation.objects.get().state == "accepted"


def test_the_link_counts_for_its_own_address_alone(tenant, link):
    provider().make_account(tenant, email="bo@new.example", name="Bo", password=GOOD["password"])
    other = Visitor(tenant)
    other.get(link)

    other.sign_in("bo@new.example", GOOD["password"])

    with enter(tenant):
        assert Invitation.objects.get().state == "open"
        assert [role.name for role in Person.objects.get(email="bo@new.example").roles.all()] == ["guest"]


@pytest.mark.parametrize(("join_role", "becomes"), [("guest", ["guest"]), ("user", ["user"]), ("nobody", None)])
def test_who_was_not_invited_becomes_what_the_setting_says(join_role, becomes, tenant, settings):
    settings.JOIN_ROLE = join_role
    make_account(tenant)
    stranger = Visitor(tenant)

    if becomes:
        stranger.sign_in(ADDRESS, GOOD["password"])
    else:
        with pytest.raises(AssertionError):  # lands on the page that says so, not in the workspace
            stranger.sign_in(ADDRESS, GOOD["password"])

    assert roles(tenant) == becomes
