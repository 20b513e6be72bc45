"""Webhooks by the API. Each answer is compared with the API's document."""

from uuid import uuid4

import pytest

from accounts.people.services import make_role, set_roles
from core.actors import SYSTEM
from core.audit.models import AuditEntry
from core.tenancy import enter
from events.webhooks.models import Attempt, Delivery, Webhook
from events.webhooks.services import make_webhook, send_test
from tests.workspace.test_api import caller

PATH = "/api/v1/webhooks/"
WANTED = {"url": "https://hooks.example/in", "events": ["plexica.member.*", "plexica.role.made"]}


@pytest.fixture
def call(owner):
    """Calls the API as the owner, with the CSRF token of their session."""
    return caller(owner)


@pytest.fixture
def theirs(globex, owner):
    """A webhook of the other tenant, with a delivery."""
    with enter(globex):
        webhook = make_webhook(**WANTED, actor=SYSTEM).webhook
        return webhook, send_test(webhook_id=webhook.pk, actor=SYSTEM)


def actions(tenant):
    with enter(tenant):
        return list(
            AuditEntry.objects.filter(action__startswith="webhook.").order_by("id").values_list("action", flat=True)
        )


def test_a_webhook_is_made_changed_rotated_stopped_and_deleted(call, acme):
    made = call("POST", PATH, WANTED | {"description": "Warehouse"})
    assert (made.status_code, made["Cache-Control"]) == (201, "no-store")
    webhook = made.json()
    path = f"{PATH}{webhook['id']}/"
    assert made["Location"].endswith(path)

    changed = call("PATCH", path, {"events": ["plexica.*"]}, HTTP_IF_MATCH="1")
    rotated = call("POST", f"{path}rotate-secret/", {})
    disabled = call("POST", f"{path}disable/", {})
    enabled = call("POST", f"{path}enable/", {})
    read = call("GET", path)
    listed = call("GET", f"{PATH}?q=ware").json()["results"]
    deleted = call("DELETE", path)

    assert webhook["secret"].startswith("whsec_")
    assert (changed.json()["events"], changed.json()["url"]) == (["plexica.*"], WANTED["url"])
    assert rotated.json()["secret"] not in ("", webhook["secret"])
    assert rotated.json()["previous_secret_valid_until"]
    assert (disabled.json()["state"], disabled.json()["disabled_because"]) == ("disabled", "person")
    assert enabled.json()["state"] == "active"
    assert "secret" not in read.json()
    assert listed == [read.json()]
    assert deleted.status_code == 204
    assert call("GET", path).status_code == 404
    assert actions(acme) == [
        f"webhook.{what}" for what in ("made", "changed", "secret_rotated", "disabled", "enabled", "deleted")
    ]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_change_of_a_version_that_is_no_more_is_refused(call, acme, method):
    path = f"{PATH}{call('POST', PATH, WANTED).json()['id']}/"
    call("PATCH", path, {"description": "Newer"})

    answer = call(method, path, {"description": "Late"} if method == "PATCH" else None, HTTP_IF_MATCH='"1"')

    assert (answer.status_code, answer.json()["code"]) == (412, "webhook_changed")
    with enter(acme):
        assert Webhook.objects.get().description == "Newer"


@pytest.mark.parametrize(
    ("more", "fields"),
    [
        ({"url": "http://hooks.example/in"}, ["url"]),
        ({"url": "https://10.0.0.1/"}, ["url"]),
        ({"url": "https://u:p@hooks.example/"}, ["url"]),
        ({"url": "hooks"}, ["url"]),
        ({"events": ["plexica.member.*", "plexica.nothing"]}, ["events"]),
        ({"events": ["*"]}, ["events"]),
        ({"events": []}, ["events"]),
        ({"description": "x" * 201}, ["description"]),
        ({"url": "ftp://x", "events": ["x"]}, ["events", "url"]),
        ({"secret": "whsec_mine"}, ["secret"]),
        ({"status": "disabled"}, ["status"]),
    ],
)
def test_wrong_values_are_named_all_at_once_and_nothing_is_written(call, acme, more, fields):
    answer = call("POST", PATH, WANTED | more)

    assert (answer.status_code, sorted(answer.json()["errors"])) == (422, fields)
    with enter(acme):
        assert not Webhook.objects.exists()
    assert actions(acme) == []


def test_a_test_and_its_outcome_can_be_read(call, acme):
    path = f"{PATH}{call('POST', PATH, WANTED).json()['id']}/"

    sent = call("POST", f"{path}test/", {})
    waiting = call("POST", f"{path}deliveries/{sent.json()['id']}/redeliver/", {})
    with enter(acme):
        delivery = Delivery.objects.get()
        Attempt.objects.create(
            delivery=delivery,
            started_at=delivery.created_at,
            duration_ms=12,
            address="93.184.215.14",
            request_headers={"webhook-id": str(delivery.pk)},
            status_code=500,
            response_body="<b>sorry</b>",
        )
        Delivery.objects.update(status="failed")
    read = call("GET", f"{path}deliveries/{sent.json()['id']}/").json()
    failed = call("GET", f"{path}deliveries/?status=failed").json()["results"]
    again = call("POST", f"{path}deliveries/{sent.json()['id']}/redeliver/", {})

    assert (sent.status_code, sent.json()["is_test"], sent.json()["event"]) == (202, True, "plexica.webhook.test")
    assert sent["Location"].endswith(f"/deliveries/{sent.json()['id']}/")
    assert (waiting.status_code, waiting.json()["code"]) == (409, "delivery_waiting")
    assert (read["log"][0]["status_code"], read["log"][0]["response_body"]) == (500, "<b>sorry</b>")
    assert (read["attempts"], read["next_try_at"]) == (1, None)
    assert [one["id"] for one in failed] == [sent.json()["id"]]
    assert call("GET", f"{path}deliveries/?status=x").status_code == 422
    assert (again.status_code, again.json()["status"]) == (202, "waiting")
    assert again.json()["next_try_at"]


def test_to_a_disabled_webhook_nothing_is_sent_not_even_a_test(call, acme):
    path = f"{PATH}{call('POST', PATH, WANTED).json()['id']}/"
    call("POST", f"{path}disable/", {})

    answer = call("POST", f"{path}test/", {})

    assert (answer.status_code, answer.json()["code"]) == (409, "webhook_disabled")
    with enter(acme):
        assert not Delivery.objects.exists()


def test_a_copied_webhook_needs_a_secret_before_it_works(call, acme):
    path = f"{PATH}{call('POST', PATH, WANTED).json()['id']}/"
    with enter(acme):
        Webhook.objects.update(secret="", status="disabled", disabled_because="copied")

    refused = call("POST", f"{path}enable/", {})
    rotated = call("POST", f"{path}rotate-secret/", {})
    enabled = call("POST", f"{path}enable/", {})

    assert (refused.status_code, refused.json()["code"]) == (409, "webhook_without_secret")
    assert rotated.json()["previous_secret_valid_until"] is None
    assert enabled.json()["state"] == "active"


def test_there_is_an_end_to_webhooks(call, acme, monkeypatch):
    monkeypatch.setattr("events.webhooks.services.MAX_WEBHOOKS", 1)
    call("POST", PATH, WANTED)

    answer = call("POST", PATH, WANTED)

    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_webhooks")
    with enter(acme):
        assert Webhook.objects.count() == 1


def test_the_catalogue_names_what_can_be_chosen(call):
    events = call("GET", "/api/v1/webhook-events/").json()

    chosen = {"url": WANTED["url"], "events": [one["name"] for one in events] + [events[0]["pattern"], "plexica.*"]}
    assert call("POST", PATH, chosen).status_code == 201


def test_webhooks_and_deliveries_of_another_tenant_are_not_there(call, acme, globex, theirs):
    webhook, delivery = theirs
    path, one = f"{PATH}{webhook.pk}/", f"{PATH}{webhook.pk}/deliveries/{delivery.pk}/"
    tries = [
        *[("GET", address) for address in (path, f"{path}deliveries/", one)],
        *[("POST", f"{path}{verb}/") for verb in ("rotate-secret", "enable", "disable", "test")],
        ("POST", f"{one}redeliver/"),
        ("DELETE", path),
    ]

    answers = [call(method, address, {} if method == "POST" else None).status_code for method, address in tries]
    answers.append(call("PATCH", path, {"url": "https://evil.example/"}).status_code)

    assert set(answers) == {404}
    assert call("GET", PATH).json()["results"] == []
    with enter(globex):
        assert Webhook.objects.get().url == WANTED["url"]
        assert Webhook.objects.get().version == 1
        assert Delivery.objects.count() == 1


def test_a_delivery_is_read_at_its_own_webhook_alone(call, acme):
    one, other = (call("POST", PATH, WANTED).json()["id"] for _ in range(2))
    delivery = call("POST", f"{PATH}{one}/test/", {}).json()["id"]

    assert call("GET", f"{PATH}{other}/deliveries/{delivery}/").status_code == 404
    assert call("POST", f"{PATH}{other}/deliveries/{delivery}/redeliver/", {}).status_code == 404
    assert call("GET", f"{PATH}{uuid4()}/deliveries/").status_code == 404
    assert call("GET", f"{PATH}{one}/deliveries/{delivery}/").status_code == 200


def test_the_permission_alone_opens_webhooks(member, acme, person_of):
    call = caller(member)
    before = call("POST", PATH, WANTED)
    with enter(acme):
        role = make_role(label="Integrator", permissions=["webhook.manage"], actor=SYSTEM)
        set_roles(person_id=person_of("member").pk, role_ids=[role.pk], actor=SYSTEM)

    after = call("POST", PATH, WANTED)

    assert (before.status_code, before.json()["code"]) == (403, "permission_missing")
    assert after.status_code == 201
    with enter(acme):
        assert Webhook.objects.get().created_by_name == person_of("member").name
