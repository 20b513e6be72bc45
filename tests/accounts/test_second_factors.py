"""What others may do about second factors: ask one of everybody, and take a lost one away."""

import re

import pytest
from django.core.management import CommandError, call_command

from accounts.identity.models import Account, Authenticator
from accounts.operators.models import Operator
from accounts.people.models import Person
from accounts.sessions.models import BrowserSession
from core.audit.models import AuditEntry
from core.tenancy import enter
from tenants.preferences.models import Preferences
from tests.support.authenticator import App, codes_on, hidden, key_on, switch_on
from tests.support.issuer import claims_of
from tests.support.people import PASSWORD, email_of
from tests.support.sessions import make_session

MEMBER = email_of("member")
SET_UP, CODE, SETTINGS = "/op/sign-in/set-up/", "/op/sign-in/code/", "/settings/security/"


def give_password(browser, email=MEMBER):
    return browser.post("/op/sign-in/", {"email": email, "password": PASSWORD})


def csrf(visitor, page="/profile/"):
    token = re.search(r'name="csrf-token" content="([^"]+)"', visitor.get(page).content.decode()).group(1)
    return {"HTTP_X_CSRFTOKEN": token, "HTTP_ORIGIN": f"http://{visitor.host}"}


def person_of(tenant, email=MEMBER):
    with enter(tenant):
        return Person.objects.get(email=email)


# --- asked of everybody ---------------------------------------------------------------------------------


@pytest.fixture
def required(owner):
    """acme-corp asks a second factor of everybody, as its owner said on the page."""
    answer = owner.post(SETTINGS, {"two_factor_required": "on"})
    assert answer.status_code == 302


def test_the_settings_page_says_how_it_is_and_the_change_is_audited_once(owner, acme):
    before = owner.get(SETTINGS).content.decode()
    owner.post(SETTINGS, {"two_factor_required": "on"})
    owner.post(SETTINGS, {"two_factor_required": "on"})
    after = owner.get(SETTINGS).content.decode()

    box = r'<input[^>]*name="two_factor_required"[^>]*>'
    assert "checked" not in re.search(box, before).group(0)
    assert "checked" in re.search(box, after).group(0)
    with enter(acme):
        entries = AuditEntry.objects.filter(action="two_factor.required")
        assert [entry.facts for entry in entries] == [{"required": True}]


def test_without_the_permission_nobody_sees_or_changes_it(member, acme):
    assert member.get(SETTINGS).status_code == 403
    assert member.post(SETTINGS, {"two_factor_required": "on"}, page=member.get("/profile/")).status_code == 403
    with enter(acme):
        assert not Preferences.objects.get().two_factor_required


def test_the_api_reads_and_changes_it(owner, acme):
    where = "/api/v1/settings/security/"

    changed = owner.api("PATCH", where, body={"two_factor_required": True}, **csrf(owner))

    assert changed.json() == owner.api("GET", where).json() == {"two_factor_required": True}
    assert owner.api("PATCH", where, body={}, **csrf(owner)).status_code == 422
    assert owner.api("PATCH", where, body={"brand": 1}, **csrf(owner)).status_code == 422


def test_who_has_none_sets_one_up_at_the_next_sign_in_and_keeps_it(required, visitor, acme, acme_issuer):
    browser = visitor(acme)

    assert give_password(browser)["Location"] == SET_UP
    assert "/op/sign-in/" in acme_issuer.authorize(browser)[0]["Location"]
    page = browser.get(SET_UP)
    app = App(key_on(page))
    said = {"code": app.code(), "set_up": hidden(page, "set_up"), "tab": hidden(page, "tab")}
    done = browser.post(SET_UP, said, page=page)

    assert len(codes_on(done)) == 10
    assert claims_of(acme_issuer.tokens(browser)["id_token"])["acr"] == "2"
    assert give_password(visitor(acme))["Location"] == CODE


def test_a_session_at_the_issuer_from_before_is_not_enough_any_more(visitor, acme, acme_issuer, owner):
    browser = visitor(acme)
    give_password(browser)
    assert "code=" in acme_issuer.authorize(browser)[0]["Location"]

    owner.post(SETTINGS, {"two_factor_required": "on"})

    assert "/op/sign-in/" in acme_issuer.authorize(browser)[0]["Location"]
    assert "/op/sign-in/" in acme_issuer.authorize(browser, prompt="none")[0]["Location"] or (
        "error=login_required" in acme_issuer.authorize(browser, prompt="none")[0]["Location"]
    )


def test_nobody_switches_theirs_off_while_it_is_required(member, owner, acme):
    app = switch_on(member, PASSWORD)
    owner.post(SETTINGS, {"two_factor_required": "on"})

    page = member.get("/profile/security/").content.decode()
    answer = member.post("/profile/security/two-factor/off/", {"code": app.code()})

    assert "cannot be switched off" in page
    assert "two-factor/off" not in page
    assert answer.status_code == 409
    with enter(acme):
        assert Authenticator.objects.count() == 1


def test_it_holds_at_one_tenant_alone(required, visitor, globex):
    assert give_password(visitor(globex), email_of("outsider")).status_code == 302
    assert give_password(visitor(globex), email_of("outsider"))["Location"] != SET_UP


def test_operators_have_to_where_the_setting_says_so(settings, visitor, acme, db):
    settings.OPERATORS_TWO_FACTOR = True

    assert give_password(visitor(), email_of("operator"))["Location"] == SET_UP
    assert give_password(visitor(acme))["Location"] != SET_UP


# --- how it stands --------------------------------------------------------------------------------------


def test_the_api_says_how_it_stands_with_ones_own(member, operator_at_console):
    where = "/api/v1/me/two-factor/"
    before = member.api("GET", where).json()
    switch_on(member, PASSWORD)
    after = member.api("GET", where).json()

    assert before == {"is_ours": True, "is_on": False, "is_required": False, "recovery_codes_left": 0}
    assert after == {"is_ours": True, "is_on": True, "is_required": False, "recovery_codes_left": 10}
    assert operator_at_console.api("GET", where).json() == before


# --- lost -----------------------------------------------------------------------------------------------


@pytest.fixture
def lost(member):
    """The member's second factor, switched on, with a phone that nobody finds."""
    return switch_on(member, PASSWORD)


def test_an_admin_resets_a_members_and_their_sessions_end(lost, owner, member, visitor, acme):
    person = person_of(acme)
    with enter(acme):
        session = make_session(person)
    where = f"/team/{person.pk}/"
    assert "Reset…" in owner.get(where).content.decode()

    answer = owner.post(f"{where}reset-second-factor/", page=owner.get(where))

    assert answer.status_code == 302
    assert "Reset…" not in owner.get(where).content.decode()
    assert give_password(visitor(acme))["Location"] not in (CODE, SET_UP)
    with enter(acme):
        assert not BrowserSession.objects.filter(pk=session.pk).exists()
        entry = AuditEntry.objects.get(action="two_factor.reset")
    assert (entry.target_id, entry.actor_name) == (person.pk, "Mara Ellsworth")


def test_the_api_resets_it_too(lost, owner, acme):
    where = f"/api/v1/people/{person_of(acme).pk}/reset-second-factor/"

    assert owner.api("POST", where, body={}, **csrf(owner)).status_code == 204
    with enter(acme):
        assert not Authenticator.objects.exists()


def test_nobody_resets_their_own_to_get_around_the_code(owner, acme):
    switch_on(owner, PASSWORD)
    me = person_of(acme, email_of("owner"))

    page = owner.post(f"/team/{me.pk}/reset-second-factor/", page=owner.get("/team/"))
    api = owner.api("POST", f"/api/v1/people/{me.pk}/reset-second-factor/", body={}, **csrf(owner))

    assert (page.status_code, api.status_code) == (409, 409)
    assert "Reset…" not in owner.get(f"/team/{me.pk}/").content.decode()
    with enter(acme):
        assert Authenticator.objects.count() == 1
        assert not AuditEntry.objects.filter(action="two_factor.reset").exists()


def test_who_may_not_manage_the_team_or_holds_less_resets_nobodys(owner, member, acme):
    from accounts.people.models import Role
    from accounts.people.services import make_role, set_roles
    from core.actors import SYSTEM

    switch_on(owner, PASSWORD)
    admin, helper = person_of(acme, email_of("owner")), person_of(acme)
    where = f"/team/{admin.pk}/reset-second-factor/"

    refused = member.post(where, page=member.get("/team/"))
    with enter(acme):
        role = make_role(label="Front desk", permissions=["team.view", "team.manage"], actor=SYSTEM)
        set_roles(person_id=helper.pk, role_ids=[role.pk, Role.objects.get(name="user").pk], actor=SYSTEM)
    less = member.post(where, page=member.get("/team/"))

    assert (refused.status_code, less.status_code) == (403, 403)
    with enter(acme):
        assert Authenticator.objects.count() == 1


def test_after_a_reset_it_is_set_up_again_where_it_is_required(lost, required, owner, visitor, acme):
    person = person_of(acme)
    owner.post(f"/team/{person.pk}/reset-second-factor/", page=owner.get("/team/"))

    assert give_password(visitor(acme))["Location"] == SET_UP


def test_a_super_admin_resets_an_operators_and_support_does_not(operator_at_console, support_at_console, visitor):
    switch_on(support_at_console, PASSWORD, path="/console/profile/security/two-factor/on/")
    support, me = (Operator.objects.get(email=email_of(who)) for who in ("support", "operator"))
    where = "/console/operators/"

    by_support = support_at_console.post(f"{where}{me.pk}/reset-second-factor/", page=support_at_console.get(where))
    own = operator_at_console.post(f"{where}{me.pk}/reset-second-factor/", page=operator_at_console.get(where))
    done = operator_at_console.post(f"{where}{support.pk}/reset-second-factor/", page=operator_at_console.get(where))

    assert (by_support.status_code, own.status_code, done.status_code) == (403, 409, 302)
    assert give_password(visitor(), email_of("support"))["Location"] != CODE
    assert AuditEntry.objects.filter(action="two_factor.reset", target_id=support.pk).count() == 1


def test_the_command_resets_the_last_operators(operator_at_console, visitor):
    switch_on(operator_at_console, PASSWORD, path="/console/profile/security/two-factor/on/")

    call_command("reset_second_factor", email_of("operator"))

    assert give_password(visitor(), email_of("operator"))["Location"] != CODE
    with pytest.raises(CommandError, match="Nobody there"):
        call_command("reset_second_factor", "nobody@people.example", "--tenant", "acme-corp")


def test_an_archive_carries_that_a_code_is_asked_for_and_no_secret():
    from django.conf import settings

    from archives.rules import Carried, LeftOut

    rules = settings.ARCHIVE_TABLES

    assert isinstance(rules["identity_account"], Carried)
    assert "two_factor" not in rules["identity_account"].anew
    assert isinstance(rules["identity_authenticator"], LeftOut)
    assert isinstance(rules["identity_recoverycode"], LeftOut)
    assert Account._meta.get_field("two_factor")
