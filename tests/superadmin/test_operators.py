"""The console's operators: made and changed by super admins; support looks at everything and changes nothing."""

import re

import pytest
from django.urls import URLPattern, get_resolver
from django.utils import timezone

from accounts import tasks
from accounts.identity.models import Account
from accounts.operators.models import Operator
from accounts.operators.team import LastSuperAdmin, change_role, disable_operator
from accounts.people.errors import OwnAccount
from accounts.tasks import settle_operator
from core.actors import SYSTEM
from core.audit.models import AuditEntry
from tests.attacks.test_references import call
from tests.attacks.things import BODIES, filled, operations
from tests.support import people
from tests.support.issuer import Issuer

NEW = {"name": "Nina Vogt", "email": "Nina@plexica.example", "role": "support"}
OWN = {"operator_profile"}  # everybody's own
LOOKS = {"tenant_check"}  # looks at the tenant's parts and changes nothing


@pytest.fixture
def platform_token(operator_at_console):
    """The operator's access token."""
    return Issuer(None).tokens(operator_at_console)["access_token"]


@pytest.fixture
def of(db):
    """Somebody's row: `of("support")`."""
    return lambda who: Operator.objects.get(email=people.email_of(who))


def test_a_super_admin_makes_an_operator_and_sees_the_link_once(operator_at_console):
    page = operator_at_console.post("/console/operators/create/", NEW)
    listed = operator_at_console.get("/console/operators/").content.decode()

    text = page.content.decode()
    made = Operator.objects.get(email="nina@plexica.example")
    assert re.search(r'value="http://[^"]+/op/set-password/[^"]{43,}/"', text)
    assert page["Cache-Control"] == "no-store"
    assert (made.name, made.role) == ("Nina Vogt", "support")
    assert "nina@plexica.example" in listed
    assert "set-password" not in listed


def test_a_new_operator_gets_a_mail_with_a_link_of_their_own(
    operator_at_console, visitor, mailoutbox, django_capture_on_commit_callbacks, monkeypatch
):
    asked = []
    monkeypatch.setattr(tasks.mail_operator_link, "delay", lambda **sent: asked.append(sent))
    with django_capture_on_commit_callbacks(execute=True):
        operator_at_console.post("/console/operators/create/", NEW)

    tasks.mail_operator_link(**asked[0])

    (mail,) = mailoutbox
    assert mail.to == ["nina@plexica.example"]
    assert "Jonas Weil has made you an operator of Plexica, as Support" in mail.body
    assert "http://localhost:8000/console/" in mail.body
    link = re.search(r"http://localhost:8000(/op/set-password/\S+)", mail.body).group(1)
    done = visitor().post(link, {"password": "seven plain words 7", "password_again": "seven plain words 7"})
    assert done.status_code == 302
    made = Operator.objects.get(email="nina@plexica.example")
    assert Account.objects.get(pk=made.subject).check_password("seven plain words 7")
    assert "nina" not in str(asked), "queues hold no personal data"


def test_who_has_signed_in_meanwhile_gets_no_link(of, mailoutbox, operator):
    Operator.objects.filter(pk=of("support").pk).update(last_sign_in_at=timezone.now())

    tasks.mail_operator_link(operator_id=str(of("support").pk), inviter="Jonas Weil")

    assert mailoutbox == []


def test_a_super_admin_makes_and_changes_operators_over_the_api(operator_at_console, platform_token, visitor, of):
    body = {"email": "nina@plexica.example", "name": "Nina Vogt", "role": "support"}

    made = visitor().api("POST", "/api/v1/operators/", body=body, token=platform_token)
    twice = visitor().api("POST", "/api/v1/operators/", body=body, token=platform_token)
    path = made["Location"].partition(":8000")[2]
    steps = [{"role": "super_admin"}, {"is_active": False}, {"is_active": True, "role": "support"}]
    changed = [visitor().api("PATCH", path, body=step, token=platform_token).json() for step in steps]
    listed = visitor().api("GET", "/api/v1/operators/?q=nina&role=support", token=platform_token).json()["results"]

    assert (made.status_code, twice.status_code, twice.json()["code"]) == (201, 409, "operator_exists")
    assert (made.json()["role"], made.json()["status"]) == ("support", "invited")
    assert [(one["role"], one["status"]) for one in changed] == [
        ("super_admin", "invited"),
        ("super_admin", "disabled"),
        ("support", "invited"),
    ]
    assert [one["id"] for one in listed] == [made.json()["id"]]
    actions = AuditEntry.objects.filter(target_id=made.json()["id"]).order_by("id").values_list("action", flat=True)
    assert list(actions) == [
        "operator.added", "operator.role_changed", "operator.disabled", "operator.role_changed", "operator.enabled",
    ]  # fmt: skip


def test_the_api_leaves_the_last_super_admin_and_oneself(operator_at_console, platform_token, visitor, of):
    own = f"/api/v1/operators/{of('operator').pk}/"

    demoted = visitor().api("PATCH", own, body={"role": "support"}, token=platform_token)
    disabled = visitor().api("PATCH", own, body={"is_active": False}, token=platform_token)
    neither = visitor().api("PATCH", own, body={"role": "support", "is_active": False}, token=platform_token)

    assert (demoted.status_code, demoted.json()["code"]) == (409, "last_super_admin")
    assert (disabled.status_code, disabled.json()["code"]) == (409, "own_account")
    assert neither.status_code == 409
    assert of("operator").is_super_admin
    assert of("operator").is_active


def test_nobody_gets_a_link_to_another_operators_account(operator_at_console):
    page = operator_at_console.post("/console/operators/create/", NEW | {"email": people.email_of("support").upper()})

    assert page.status_code == 422
    assert "is an operator already" in page.content.decode()
    assert "set-password" not in page.content.decode()


@pytest.mark.parametrize("changes", [{"name": ""}, {"email": "nonsense"}, {"role": "owner"}, {"role": ""}])
def test_wrong_values_make_nobody(changes, operator_at_console):
    before = Operator.objects.count()

    page = operator_at_console.post("/console/operators/create/", NEW | changes)

    assert page.status_code == 422
    assert Operator.objects.count() == before


def test_a_role_that_was_taken_is_gone_with_the_next_click(operator_at_console, support_at_console, of):
    first = operator_at_console.post(f"/console/operators/{of('support').pk}/role/", {"role": "super_admin"})
    promoted = support_at_console.get("/console/tenants/create/")
    second = operator_at_console.post(f"/console/operators/{of('support').pk}/role/", {"role": "support"})
    demoted = support_at_console.get("/console/tenants/create/")

    assert (first.status_code, second.status_code) == (302, 302)
    assert (promoted.status_code, demoted.status_code) == (200, 403)
    entry = AuditEntry.objects.filter(action="operator.role_changed").first()
    assert entry.facts == {"before": "super_admin", "after": "support"}


def test_who_is_disabled_is_out_at_once_here_and_at_the_issuer(operator_at_console, support_at_console, of):
    answer = operator_at_console.post(f"/console/operators/{of('support').pk}/disable/")
    settle_operator(str(of("support").pk))

    assert answer.status_code == 302
    assert support_at_console.get("/console/tenants/").status_code == 302
    assert not Account.objects.get(pk=of("support").subject).is_active

    operator_at_console.post(f"/console/operators/{of('support').pk}/enable/")
    settle_operator(str(of("support").pk))

    assert of("support").is_active
    assert Account.objects.get(pk=of("support").subject).is_active


def test_the_last_super_admin_stays_one(operator_at_console, of):
    page = operator_at_console.post(f"/console/operators/{of('operator').pk}/role/", {"role": "support"})

    assert page.status_code == 422
    assert "needs an active super admin" in page.content.decode()
    assert of("operator").is_super_admin


def test_the_last_super_admin_is_not_disabled_and_nobody_disables_themselves(of):
    with pytest.raises(LastSuperAdmin):
        disable_operator(operator_id=of("operator").pk, actor=SYSTEM)
    change_role(operator_id=of("support").pk, role="super_admin", actor=SYSTEM)
    with pytest.raises(OwnAccount):
        disable_operator(operator_id=of("operator").pk, actor=of("operator").actor)

    assert of("operator").is_active


def console_pages(settings):
    """Every address of the console: its name, and its path with made-up ids."""
    inside = next(one for one in get_resolver(settings.PLATFORM_URLCONF).url_patterns if str(one.pattern) == "console/")
    for entry in inside.url_patterns:
        if not isinstance(entry, URLPattern):
            assert str(entry.pattern) == "profile/"  # everybody's own
            continue
        path = re.sub(r"<uuid:\w+>", "01a20220-87f3-7000-9040-2c13407d4618", str(entry.pattern))
        yield entry.name, "/console/" + re.sub(r"<slug:answer>", "retry", path).replace("<slug:slug>", "acme-corp")


def test_support_changes_nothing_by_any_page(support_at_console, settings):
    home = support_at_console.get("/console/tenants/")

    answered = {name: support_at_console.post(path, page=home).status_code for name, path in console_pages(settings)}

    changing = {name: status for name, status in answered.items() if status != 405}
    assert set(changing) - OWN - LOOKS
    assert {name: status for name, status in changing.items() if name not in OWN | LOOKS and status != 403} == {}


def test_support_changes_nothing_by_the_api(support_at_console, acme):
    answered = {}
    for method, path, _ in operations(platform=True):
        if method != "get" and not path.startswith("/api/v1/sessions/"):  # everybody's own
            address = filled(path, acme.slug if "{slug}" in path else acme.id)
            answer = call(support_at_console, method, address, BODIES.get((method, path), {}))
            answered[method, path] = (answer.status_code, answer.json()["code"])

    assert len(answered) > 10
    assert set(answered.values()) == {(403, "super_admin_required")}
