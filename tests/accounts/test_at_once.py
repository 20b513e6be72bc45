"""Two things done to the same person, role, code or key at the same moment: what the second finds, and what is left.

`tests/attacks/test_at_once.py` sends every call of the API several times at once. Here are pages, the issuer and services,
and different things that meet.
"""

import secrets
import smtplib

import pytest
from django.core import mail
from django.db import transaction
from oauth2_provider.models import get_access_token_model, get_device_grant_model

from accounts import passwords
from accounts.clients.errors import ApiClientOver
from accounts.clients.models import ApiClient
from accounts.clients.services import make_client, renew_secret, revoke_client
from accounts.identity import links, provider
from accounts.identity.builtin.rotation import rotate_keys
from accounts.identity.models import Account, Application, PasswordLink, Realm, RecoveryCode, SigningKey
from accounts.identity.realms import current_realm
from accounts.people.invitations.acceptance import admit
from accounts.people.invitations.services import invite, invite_all, issue_token
from accounts.people.models import Invitation, Person, RoleAssignment
from accounts.people.services import delete_role, make_role, remove_person, update_profile
from accounts.tasks import forget_client
from accounts.two_factor import TwoFactorOff, renew_recovery_codes, switch_off
from core.actors import SYSTEM
from core.audit.models import AuditEntry
from core.crypto import hash_token
from core.errors import Invalid, NotFound
from core.tenancy import enter
from tests.support.authenticator import switch_on
from tests.support.meeting import meanwhile, meet
from tests.support.people import PASSWORD


@pytest.fixture
def within(site):
    """Calls a function inside the tenant, in whatever thread."""

    def call(function, *args, **kwargs):
        with enter(site.ref):
            return function(*args, **kwargs)

    return call


@pytest.fixture
def person(within, somebody):
    return within(Person.objects.get, pk=somebody.person_id)


def fresh_email():
    return f"{secrets.token_hex(4)}@new.example"


# --- invitations and people ------------------------------------------------------------------------------------------


def test_a_role_that_is_deleted_while_somebody_is_invited_to_it_is_taken_from_the_invitation(within):
    role, email = within(make_role, label=secrets.token_hex(4), permissions=[], actor=SYSTEM), fresh_email()

    with meanwhile(
        'INSERT INTO "people_invitationrole"', lambda: within(delete_role, role_id=role.pk, actor=SYSTEM)
    ) as deleted:
        invitation = within(invite, email=email, roles=[role.name], actor=SYSTEM)

    assert deleted == [0]
    assert within(lambda: list(Invitation.objects.get(pk=invitation.pk).roles.all())) == []


def test_two_lists_of_people_to_invite_do_not_wait_for_each_other(within):
    emails = sorted([fresh_email(), fresh_email()])

    with meanwhile(
        'INSERT INTO "people_invitationrole"',
        lambda: within(invite_all, emails=emails[::-1], roles=["guest"], actor=SYSTEM),
    ) as later:
        first = within(invite_all, emails=emails, roles=["user"], actor=SYSTEM)

    assert len(first) == 2
    assert isinstance(later[0], Invalid), later


def test_a_first_sign_in_in_two_tabs_one_of_which_accepts_an_invitation(within):
    email, subject = fresh_email(), secrets.token_hex(8)
    invitation = within(invite, email=email, roles=["admin"], actor=SYSTEM)
    token = within(issue_token, invitation_id=invitation.pk)
    who = {"realm": within(current_realm), "subject": subject, "email": email, "name": "Nils"}

    with meanwhile('INSERT INTO "people_person"', lambda: within(admit, **who)) as other:
        accepted = within(admit, **who, invitation=hash_token(token))

    assert other == [accepted]
    assert within(lambda: RoleAssignment.objects.get(person=accepted).role.name) == "admin"


def test_who_is_removed_while_they_save_their_profile_stays_without_a_name(within, person):
    within(remove_person, person_id=person.pk, actor=SYSTEM)

    with pytest.raises(NotFound):
        within(update_profile, person=person, name="Still Here", language="", time_zone="")

    assert within(Person.objects.get, pk=person.pk).name == ""


def test_choosing_a_language_leaves_a_name_alone_that_is_changed_in_another_tab(site, within, somebody):
    browser = site.sign_in(somebody).pages
    page = browser.get("/profile/")

    def rename():
        return within(Person.objects.filter(pk=somebody.person_id).update, name="Another Name")

    with meanwhile('UPDATE "people_person"', rename):
        browser.post("/language/", {"language": "it"}, page=page)

    now = within(Person.objects.get, pk=somebody.person_id)
    assert (now.name, now.language) == ("Another Name", "it")


# --- links and passwords ---------------------------------------------------------------------------------------------


def test_of_two_links_of_one_account_at_once_one_sets_the_password(within, somebody):
    tokens = [within(links.make_password_link, somebody.subject).rstrip("/").rpartition("/")[2] for _ in range(2)]

    def use(token):
        try:
            return within(links.set_password, token=token, password=f"plain words {token}").subject
        except links.PasswordLinkInvalid:
            return None

    with meanwhile('"subject" = .*FOR UPDATE', lambda: use(tokens[1])) as other:
        mine = use(tokens[0])

    assert sorted([mine or "", other[0] or ""]) == ["", somebody.subject]


def test_a_link_that_could_not_be_mailed_is_mailed_when_it_is_tried_again(within, somebody, monkeypatch):
    sent = len(mail.outbox)
    send = passwords.send_reset_link

    def fail(*args, **kwargs):
        monkeypatch.setattr(passwords, "send_reset_link", send)
        raise smtplib.SMTPServerDisconnected

    monkeypatch.setattr(passwords, "send_reset_link", fail)

    with pytest.raises(smtplib.SMTPServerDisconnected):
        within(passwords.mail_reset, subject=somebody.subject)
    within(passwords.mail_reset, subject=somebody.subject)

    assert len(mail.outbox) == sent + 1
    assert within(PasswordLink.objects.filter(subject=somebody.subject, used_at=None).count) == 1


def test_a_link_that_is_asked_for_twice_at_once_is_mailed_once(within, somebody):
    sent = len(mail.outbox)

    meet(*[lambda: within(passwords.mail_reset, subject=somebody.subject)] * 2)

    assert len(mail.outbox) == sent + 1


def test_a_password_is_changed_once_by_who_knows_the_old_one(within, person):
    def change(new):
        return within(passwords.change_password, principal=person, old=PASSWORD, new=new, keep=None)

    with meanwhile('UPDATE "identity_account"', lambda: change("the other words 7")) as other:
        change("these other words 7")

    assert isinstance(other[0], Invalid), other
    assert within(Account.objects.get, pk=person.subject).check_password("these other words 7")


# --- the second factor -----------------------------------------------------------------------------------------------


@pytest.fixture
def app(site, somebody):
    """Somebody's phone, with two-factor sign-in switched on."""
    return switch_on(site.sign_in(somebody).pages, PASSWORD)


def test_recovery_codes_that_are_renewed_twice_at_once_are_ten(within, person, app):
    def renew(code):
        return within(renew_recovery_codes, principal=person, code=code)

    with meanwhile('INSERT INTO "identity_recoverycode"', lambda: renew(app.code())):
        renew(app.recovery_codes[0])

    assert within(RecoveryCode.objects.filter(account_id=person.subject).count) == 10


def test_a_second_factor_is_switched_off_once(within, person, app):
    def switch(code):
        return within(switch_off, principal=person, code=code, keep=None)

    with meanwhile('DELETE FROM "identity_authenticator"', lambda: switch(app.recovery_codes[1])) as other:
        switch(app.recovery_codes[0])

    assert isinstance(other[0], TwoFactorOff), other
    assert within(AuditEntry.objects.filter(action="two_factor.off", target_id=person.pk).count) == 1


# --- codes and tokens ------------------------------------------------------------------------------------------------


def test_a_code_that_is_sent_several_times_at_once_buys_tokens_once(site, within, somebody):
    code, verifier = site.code(site.sign_in(somebody))

    answers = meet(*[lambda: site.exchange(code, verifier)] * 4)

    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
    bought = within(get_access_token_model().objects.filter(user_id=somebody.subject).count)
    assert bought == 2, "one for the pages that somebody signed in to, and one more"


def test_a_refresh_token_that_is_sent_several_times_at_once_is_good_once(site, somebody):
    tokens = site.tokens(site.sign_in(somebody))

    answers = meet(*[lambda: site.refresh(tokens["refresh_token"])] * 4)

    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
    (good,) = (answer.json() for answer in answers if answer.status_code == 200)
    assert site.refresh(good["refresh_token"]).status_code == 200


def test_sessions_that_end_while_a_token_is_refreshed_refuse_it(site, somebody):
    tokens = site.tokens(site.sign_in(somebody))

    with meanwhile(
        'FROM "oauth2_provider_refreshtoken".*FOR UPDATE', lambda: provider().end_sessions(site.ref, somebody.subject)
    ):
        answer = site.refresh(tokens["refresh_token"])

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def answer_device(browser, page):
    return browser.post(page.request["PATH_INFO"], {"action": "allow"}, page=page)


def test_the_second_click_on_allow_shows_that_the_program_is_connected(site, somebody):
    walk, asked = site.sign_in(somebody), site.ask_device().json()
    page = site.type_code(walk, asked["user_code"])

    answers = [answer_device(walk.pages, page) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [302, 302]
    assert "Connected" in walk.pages.get(answers[1]["Location"]).content.decode()


def test_a_second_click_on_allow_does_not_make_the_device_code_good_again(site, somebody):
    walk, asked = site.sign_in(somebody), site.ask_device().json()
    page = site.type_code(walk, asked["user_code"])
    again = site.copy_of(walk)

    def allow_and_buy():
        answer_device(again.pages, page)
        return site.poll(asked).status_code

    with meanwhile('UPDATE "oauth2_provider_devicegrant" SET "status"', allow_and_buy) as bought:
        answer_device(walk.pages, page)

    assert bought == [200]
    assert site.poll(asked).status_code == 400


def test_a_program_that_somebody_allows_is_never_connected_to_who_types_its_code_in_that_moment(site, within, somebody):
    asker, typist = site.sign_in(somebody), site.sign_in(site.newcomer())
    asked = site.ask_device().json()
    page = site.type_code(asker, asked["user_code"])

    with meanwhile('UPDATE "oauth2_provider_devicegrant" SET "user_id"', lambda: answer_device(asker.pages, page)):
        typist.pages.post("/op/device/", {"user_code": asked["user_code"]})

    grant = within(get_device_grant_model().objects.get, device_code=asked["device_code"])
    assert (str(grant.user_id) == somebody.subject) == (grant.status == grant.AUTHORIZED)


# --- clients and keys ------------------------------------------------------------------------------------------------


def test_a_client_that_is_revoked_while_it_gets_a_secret_has_none(within):
    client = within(make_client, name="Warehouse", permissions=[], expires_at=None, actor=SYSTEM).client

    def revoke():
        within(revoke_client, client_id=client.pk, actor=SYSTEM)
        within(forget_client, client.client_id)

    with meanwhile('FROM "clients_apiclient".*FOR UPDATE', revoke), pytest.raises(ApiClientOver):
        within(renew_secret, client_id=client.pk, actor=SYSTEM)

    assert within(ApiClient.objects.get, pk=client.pk).state == "revoked"
    assert not within(Application.objects.filter(client_id=client.client_id).exists)


def test_keys_that_are_rotated_twice_at_once_are_rotated_once(within):
    with meanwhile('INSERT INTO "identity_signingkey"', lambda: within(rotate_keys)) as other:
        made = within(rotate_keys)

    assert made
    assert other == [None]
    assert within(lambda: SigningKey.objects.published().filter(retired_at=None).count()) == 1


def test_a_realm_that_is_made_twice_at_once_is_made_once(new_tenant):
    tenant = new_tenant()
    provider().delete_realm(tenant.ref)

    with meanwhile('INSERT INTO "identity_application"', lambda: provider().make_realm(tenant.ref)) as other:
        made = provider().make_realm(tenant.ref)

    assert other == [made]
    with enter(tenant.ref), transaction.atomic():
        secret = Realm.objects.get(is_current=True).client_secret
        (pages,) = Application.objects.filter(client_id=Realm.objects.get(is_current=True).client_id)
        assert SigningKey.objects.count() == 1
    from django.contrib.auth.hashers import check_password

    assert check_password(secret, pages.client_secret)
