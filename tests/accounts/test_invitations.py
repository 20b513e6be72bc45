"""Invitations: by mail, once, for one address, with roles that whoever invites may give."""

import re

import pytest
from django.core import mail
from django.utils import timezone

from accounts.identity.models import Account
from accounts.people.invitations.acceptance import accept_as_new
from accounts.people.invitations.errors import AlreadyInvited, AlreadyMember, InvitationClosed, InvitationInvalid
from accounts.people.invitations.services import invite, resend_invitation, revoke_invitation
from accounts.people.models import Invitation, Person
from accounts.tasks import mail_invitation
from core.actors import SYSTEM
from core.audit.models import AuditEntry
from core.errors import Forbidden, Invalid
from core.tenancy import enter
from tenants.models import Tenant
from tenants.preferences.models import Preferences

ADDRESS = "ada@new.example"
GOOD = {"name": "Ada Lovelace", "password": "seven plain words 7", "password_again": "seven plain words 7"}


@pytest.fixture
def actor_of(db, acme, world):
    """Somebody of acme-corp, as services take them: `actor_of("member")`."""

    def get(who):
        with enter(acme):
            return Person.objects.get(email=world.person(who).email).actor

    return get


@pytest.fixture
def invited(db, acme):
    """Invites somebody and returns the invitation and the path in the mail: `invited("ada@new.example", "user")`."""

    def make(email=ADDRESS, *roles, actor=SYSTEM):
        with enter(acme):
            invitation = invite(email=email, roles=roles or ["user"], actor=actor)
            mail_invitation(str(invitation.pk))
        return invitation, path_in(mail.outbox[-1])

    return make


def path_in(message):
    return re.search(r"http://[^/\s]+(/invitations/[^\s]+)", message.body).group(1)


def reread(acme, invitation):
    with enter(acme):
        return Invitation.objects.get(pk=invitation.pk)


def roles_of(acme, email):
    with enter(acme):
        person = Person.objects.filter(email=email).first()
        return sorted(role.name for role in person.roles.all()) if person else None


def test_the_mail_brings_a_link_in_text_and_html_and_the_row_only_its_hash(invited, acme):
    invitation, path = invited(ADDRESS, "user", "guest")

    (message,) = mail.outbox
    token = path.split("/")[2]
    assert message.to == [ADDRESS]
    assert message.subject == "Plexica invites you to Acme Corp"
    assert "as Guest, User" in message.body
    assert path in message.alternatives[0].content
    assert len(token) >= 43
    assert token not in str(vars(reread(acme, invitation)))
    assert reread(acme, invitation).mailed_at


def test_the_mail_speaks_the_tenants_language_in_its_colour(invited, acme):
    with enter(acme):
        Preferences.objects.filter(pk=1).update(language="it", brand_colour="#ffdd00")

    invited()

    (message,) = mail.outbox
    assert "ti invita" in message.subject
    assert "background:#ffdd00;color:#000000" in message.alternatives[0].content


def test_somebody_new_chooses_a_password_and_signs_in(invited, visitor, acme):
    invitation, path = invited(ADDRESS, "user", "guest")
    newcomer = visitor(acme)

    page = newcomer.get(path)
    answer = newcomer.post(path, GOOD, page=page)

    assert ADDRESS in page.content.decode()
    assert (answer.status_code, answer["Location"]) == (302, "/oidc/authenticate/")
    assert roles_of(acme, ADDRESS) == ["guest", "user"]
    assert reread(acme, invitation).state == "accepted"
    with enter(acme):
        assert Account.objects.get(email=ADDRESS).check_password(GOOD["password"])
        actions = set(AuditEntry.objects.filter(actor_name="Ada Lovelace").values_list("action", flat=True))
    assert {"member.added", "invitation.accepted"} <= actions


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"password": "short 7", "password_again": "short 7"}, "password"),
        ({"password": ADDRESS, "password_again": ADDRESS}, "password"),
        ({"password_again": "another of them 7"}, "password_again"),
    ],
)
def test_wrong_values_are_said_and_leave_the_link_good(changes, field, invited, visitor, acme):
    invitation, path = invited()

    page = visitor(acme).post(path, GOOD | changes)

    assert page.status_code == 422
    assert f'id="id_{field}"' in page.content.decode()
    assert reread(acme, invitation).state == "open"
    with enter(acme):
        assert not Account.objects.filter(email=ADDRESS).exists()


def test_of_two_tabs_the_second_is_told_so(invited, visitor, acme):
    _, path = invited()
    one, two = visitor(acme), visitor(acme)
    page_one, page_two = one.get(path), two.get(path)

    first = one.post(path, GOOD, page=page_one)
    second = two.post(path, GOOD | {"name": "Another"}, page=page_two)

    assert (first.status_code, second.status_code) == (302, 410)
    assert "was accepted" in second.content.decode()
    with enter(acme):
        assert Person.objects.get(email=ADDRESS).name == "Ada Lovelace"


def test_an_account_of_the_realm_signs_in_and_has_accepted(invited, visitor, acme, new_account):
    invitation, path = invited(new_account.email, "user")
    somebody = visitor(acme)

    page = somebody.get(path)
    refused = visitor(acme).post(path, GOOD, page=visitor(acme).get("/op/sign-in/"))

    assert "Sign in to accept" in page.content.decode()
    assert refused.status_code in (200, 403)
    assert reread(acme, invitation).state == "open"


@pytest.fixture
def new_account(db, acme):
    """An account of acme-corp's realm that belongs to nobody in the team."""
    with enter(acme):
        return Account.objects.create(email="bo@new.example", name="Bo")


def test_whoever_is_signed_in_with_the_address_accepts_with_one_press(invited, guest, acme, world):
    address = world.person("guest").email
    with enter(acme):
        Person.objects.filter(email=address).update(email="old@new.example")
    invitation, path = invited(address, "user")
    with enter(acme):
        Person.objects.filter(email="old@new.example").update(email=address)

    page = guest.get(path)
    answer = guest.post(path, page=page)

    assert "Accept the invitation" in page.content.decode()
    assert answer.status_code == 302
    assert roles_of(acme, address) == ["guest", "user"]
    assert reread(acme, invitation).state == "accepted"


def test_whoever_is_signed_in_as_somebody_else_cannot_accept(invited, member, acme):
    invitation, path = invited(ADDRESS, "admin")

    page = member.get(path)
    answer = member.post(path, page=page)

    assert "Sign out, then open the link again" in page.content.decode()
    assert answer.status_code == 403
    assert reread(acme, invitation).state == "open"


def close(acme, invitation, how):
    with enter(acme):
        if how == "revoked":
            revoke_invitation(invitation_id=invitation.pk, actor=SYSTEM)
        elif how == "expired":
            Invitation.objects.filter(pk=invitation.pk).update(expires_at=timezone.now())
        elif how == "replaced":
            resend_invitation(invitation_id=invitation.pk, actor=SYSTEM)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("revoked", "This invitation was revoked"),
        ("expired", "This invitation has expired"),
        ("replaced", "only the link of the last mail works"),
    ],
)
def test_a_link_that_ended_says_why_and_lets_nobody_in(how, says, invited, visitor, acme):
    invitation, path = invited()
    page = visitor(acme).get(path)
    close(acme, invitation, how)

    looked = visitor(acme).get(path)
    sent = visitor(acme).post(path, GOOD, page=page)

    assert looked.status_code == 410
    assert says in looked.content.decode()
    assert sent.status_code in (403, 410)
    with enter(acme):
        assert not Account.objects.filter(email=ADDRESS).exists()


@pytest.mark.parametrize("how", ["revoked", "replaced"])
def test_whoever_closes_an_invitation_in_the_very_moment_wins_and_no_account_stays(how, invited, acme, monkeypatch):
    from accounts.identity.builtin.provider import BuiltinProvider

    invitation, path = invited()
    make_account = BuiltinProvider.make_account

    def while_the_account_is_made(self, *args, **kwargs):
        made = make_account(self, *args, **kwargs)
        close(acme, invitation, how)
        return made

    monkeypatch.setattr(BuiltinProvider, "make_account", while_the_account_is_made)
    with enter(acme), pytest.raises(InvitationInvalid):
        accept_as_new(token=path.split("/")[2], name="Ada", password=GOOD["password"])

    assert roles_of(acme, ADDRESS) is None
    with enter(acme):
        assert not Account.objects.filter(email=ADDRESS).exists()


def test_a_suspended_tenants_link_shows_that(invited, visitor, acme):
    from tenants import directory

    _, path = invited()
    Tenant.objects.filter(pk=acme.id).update(status=Tenant.Status.SUSPENDED)
    directory.forget()

    page = visitor(acme).get(path)

    assert page.status_code == 403
    assert "suspended" in page.content.decode()


def test_a_link_means_nothing_at_another_tenant(invited, visitor, globex):
    _, path = invited()

    assert visitor(globex).get(path).status_code == 410


def test_sending_again_brings_a_link_that_works_for_as_long_as_a_new_one(invited, visitor, acme):
    invitation, old = invited()
    close(acme, invitation, "expired")

    with enter(acme):
        resend_invitation(invitation_id=invitation.pk, actor=SYSTEM)
        mail_invitation(str(invitation.pk))

    assert visitor(acme).get(old).status_code == 410
    assert visitor(acme).get(path_in(mail.outbox[-1])).status_code == 200


def test_nothing_is_mailed_for_an_invitation_that_was_revoked_meanwhile(acme, db):
    with enter(acme):
        invitation = invite(email=ADDRESS, roles=["user"], actor=SYSTEM)
        revoke_invitation(invitation_id=invitation.pk, actor=SYSTEM)
        mail_invitation(str(invitation.pk))

    assert mail.outbox == []


@pytest.mark.parametrize("who", ["owner", "MEMBER"])
def test_members_are_not_invited(who, acme, world, db):
    with enter(acme), pytest.raises(AlreadyMember):
        address = world.person(who.lower()).email
        invite(email=address.upper() if who.isupper() else address, roles=["user"], actor=SYSTEM)

    with enter(acme):
        assert not Invitation.objects.exists()


def test_an_open_invitation_is_sent_again_not_made_twice(acme, db):
    with enter(acme):
        first = invite(email=ADDRESS, roles=["user"], actor=SYSTEM)
        with pytest.raises(AlreadyInvited):
            invite(email=ADDRESS.upper(), roles=["guest"], actor=SYSTEM)
        Invitation.objects.update(expires_at=timezone.now())

        invite(email=ADDRESS, roles=["guest"], actor=SYSTEM)

    assert reread(acme, first).state == "revoked"


@pytest.mark.parametrize("change", [resend_invitation, revoke_invitation])
def test_what_is_closed_stays_closed(change, acme, db):
    with enter(acme):
        invitation = invite(email=ADDRESS, roles=["user"], actor=SYSTEM)
        revoke_invitation(invitation_id=invitation.pk, actor=SYSTEM)
        with pytest.raises(InvitationClosed):
            change(invitation_id=invitation.pk, actor=SYSTEM)


def test_nobody_invites_with_rights_that_they_lack(acme, actor_of):
    member = actor_of("member")

    with enter(acme), pytest.raises(Forbidden):
        invite(email=ADDRESS, roles=["user", "admin"], actor=member)

    with enter(acme):
        assert not Invitation.objects.exists()


@pytest.mark.parametrize("roles", [[], ["no-such-role"]])
def test_roles_must_be_there(roles, acme, db):
    with enter(acme), pytest.raises(Invalid):
        invite(email=ADDRESS, roles=roles, actor=SYSTEM)


# --- pages


def test_several_are_invited_at_once(owner, acme):
    answer = owner.post(
        "/team/invite/", {"emails": "ada@new.example, BO@new.example\n\ncy@new.example", "roles": ["user"]}
    )

    assert answer.status_code == 302
    with enter(acme):
        assert sorted(Invitation.objects.values_list("email", flat=True)) == [
            "ada@new.example",
            "bo@new.example",
            "cy@new.example",
        ]


def test_if_one_cannot_be_invited_nobody_is_and_each_reason_is_said(owner, acme, world):
    addresses = f"ada@new.example\nnonsense\n{world.person('member').email}"

    page = owner.post("/team/invite/", {"emails": addresses, "roles": ["user"]})

    assert page.status_code == 422
    text = page.content.decode()
    assert "nonsense is no e-mail address" in text
    assert "belongs to somebody in the team already" in text
    assert addresses.splitlines()[0] in text  # nothing typed is lost
    with enter(acme):
        assert not Invitation.objects.exists()


def test_the_list_shows_open_ones_first_and_others_when_asked(owner, invited, acme):
    invited("ada@new.example")
    closed, _ = invited("bo@new.example")
    close(acme, closed, "revoked")

    opened = owner.get("/team/invitations/").content.decode()
    revoked = owner.get("/team/invitations/?state=revoked").content.decode()
    both = owner.get("/team/invitations/?state=all").content.decode()

    assert ("ada@new.example" in opened, "bo@new.example" in opened) == (True, False)
    assert ("ada@new.example" in revoked, "bo@new.example" in revoked) == (False, True)
    assert "ada@new.example" in both
    assert "bo@new.example" in both


def test_an_admin_sends_again_and_revokes_from_the_list(owner, invited, acme):
    invitation, _ = invited()
    before = reread(acme, invitation).token_hash

    again = owner.post(f"/team/invitations/{invitation.pk}/resend/", page=owner.get("/team/invitations/"))
    middle = reread(acme, invitation)
    revoked = owner.post(f"/team/invitations/{invitation.pk}/revoke/")

    assert (again.status_code, revoked.status_code) == (302, 302)
    assert middle.token_hash != before
    assert reread(acme, invitation).state == "revoked"


@pytest.mark.parametrize("path", ["/team/invite/", "/team/invitations/"])
def test_members_without_the_permission_are_refused_and_see_no_button(path, member, acme):
    assert member.get(path).status_code == 403
    assert "/team/invite/" not in member.get("/team/").content.decode()


# --- API


def test_the_api_invites_lists_sends_again_and_revokes(owner, acme):
    made = owner.api("POST", "/api/v1/invitations/", body={"email": ADDRESS, "roles": ["user"]}, **csrf(owner))
    one = made.json()

    listed = owner.api("GET", "/api/v1/invitations/?state=open").json()
    again = owner.api("POST", f"/api/v1/invitations/{one['id']}/resend/", body={}, **csrf(owner))
    revoked = owner.api("DELETE", f"/api/v1/invitations/{one['id']}/", **csrf(owner))

    assert made.status_code == 201
    assert made["Location"].endswith(f"/api/v1/invitations/{one['id']}/")
    assert (one["email"], one["roles"], one["state"]) == (ADDRESS, ["user"], "open")
    assert [row["id"] for row in listed["results"]] == [one["id"]]
    assert (again.status_code, revoked.status_code) == (200, 200)
    assert revoked.json()["state"] == "revoked"


def test_a_call_that_is_repeated_with_its_key_invites_once(owner, acme):
    body, key = {"email": ADDRESS, "roles": ["user"]}, {"HTTP_IDEMPOTENCY_KEY": "once"}

    first = owner.api("POST", "/api/v1/invitations/", body=body, **key, **csrf(owner))
    second = owner.api("POST", "/api/v1/invitations/", body=body, **key, **csrf(owner))
    other = owner.api("POST", "/api/v1/invitations/", body=body | {"roles": ["guest"]}, **key, **csrf(owner))

    assert (first.status_code, second.status_code, other.status_code) == (201, 201, 409)
    assert first.json()["id"] == second.json()["id"]
    with enter(acme):
        assert Invitation.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"email": "nonsense", "roles": ["user"]}, 422),
        ({"email": ADDRESS, "roles": []}, 422),
        ({"email": ADDRESS, "roles": ["no-such-role"]}, 422),
        ({"email": ADDRESS, "roles": ["user"], "token_hash": "x"}, 422),
        ({"email": "owner@people.example", "roles": ["user"]}, 409),
    ],
)
def test_the_api_refuses_and_writes_nothing(body, status, owner, acme):
    answer = owner.api("POST", "/api/v1/invitations/", body=body, **csrf(owner))

    assert answer.status_code == status
    with enter(acme):
        assert not Invitation.objects.exists()


def csrf(visitor):
    page = visitor.get("/profile/").content.decode()
    token = re.search(r'name="csrf-token" content="([^"]+)"', page).group(1)
    return {"HTTP_X_CSRFTOKEN": token, "HTTP_ORIGIN": f"http://{visitor.host}"}
