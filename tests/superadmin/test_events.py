"""Events at the console and in the API: how delivery goes, failed ones with their answers, replays."""

import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from core.audit.models import AuditEntry
from events import subscribing
from events.messages import Message
from events.outbox.models import FailedMessage, OutboxMessage, ParkedMessage
from events.subscribing import Subscriber
from events.webhooks.queue.models import AttemptCount, QueuedWebhook

PAYLOAD = {"person_id": "0196aaaa-0000-7000-8000-000000000001"}


def changing(visitor):
    """Calls the API with a session and its CSRF token."""
    page = visitor.get("/console/tenants/").content.decode()
    token = re.search(r'name="csrf-token" content="([^"]+)"', page).group(1)
    headers = {"HTTP_X_CSRFTOKEN": token, "HTTP_ORIGIN": f"http://{visitor.host}"}
    return lambda path, body: visitor.api("POST", f"/api/v1/events/{path}", body=body, **headers)


def text_of(answer):
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


@pytest.fixture(autouse=True)
def subscriber(monkeypatch):
    """The only subscriber there is."""
    one = Subscriber("tests.ledger", ("plexica.member.*",), lambda event, ctx: None, 30.0)
    subscribing.subscribers()  # the others are loaded once, and not into the test's own
    monkeypatch.setattr(subscribing, "_registered", {one.name: one})
    return one


@pytest.fixture
def file(acme, db):
    """Files events that the subscriber could not handle."""

    def make(count=1, *, name="plexica.member.added", subscriber="tests.ledger", tenant_id=acme.id):
        made = []
        for _ in range(count):
            position = 10**6 + FailedMessage.objects.count()
            message = Message(
                position, datetime(2026, 11, 20, 8, tzinfo=UTC), name, 2, tenant_id, "system", None, "r-7", PAYLOAD
            )
            made.append(
                FailedMessage.objects.create(
                    subscriber=subscriber, tenant_id=tenant_id, position=position, name=name,
                    message=message.as_text(), attempts=6, error="ValueError: no room",
                )
            )  # fmt: skip
        return made

    return make


def answered(failed):
    failed.refresh_from_db()
    return failed.status


# --- console


def test_the_page_shows_subscribers_and_what_failed(operator_at_console, file, acme):
    (failed,) = file()

    page = operator_at_console.get("/console/events/")

    for said in (
        "tests.ledger",
        "Nobody consumes",
        "Nobody sends events",
        "plexica.member.added",
        "ValueError: no room",
    ):
        assert said in text_of(page)
    assert acme.name in text_of(page)
    assert f"/console/events/failed/{failed.pk}/" in page.content.decode()
    assert "1 failed" in text_of(operator_at_console.get("/console/tenants/"))


def test_failed_events_are_searched_and_filtered(operator_at_console, file):
    (one,), (other,) = file(name="plexica.member.added"), file(name="plexica.role.made", subscriber="tests.other")
    FailedMessage.objects.filter(pk=other.pk).update(status="dismissed")

    def shown(params):
        page = operator_at_console.get(f"/console/events/{params}", HTTP_HX_REQUEST="true", HTTP_HX_TARGET="rows")
        assert "<html" not in page.content.decode()
        return set(re.findall(r'<th scope="row"><a href="/console/events/failed/([^/]+)/"', page.content.decode()))

    assert shown("") == {str(one.pk)}
    assert shown("?status=dismissed") == {str(other.pk)}
    assert shown("?status=all") == {str(one.pk), str(other.pk)}
    assert shown("?status=all&subscriber=tests.other") == {str(other.pk)}
    assert shown("?status=all&q=member") == {str(one.pk)}
    assert shown("?q=nothing") == set()


def test_one_is_read_with_payload_and_error(operator_at_console, file, acme):
    (failed,) = file()

    page = text_of(operator_at_console.get(f"/console/events/failed/{failed.pk}/"))

    for said in (PAYLOAD["person_id"], "ValueError: no room", "tests.ledger", acme.name, "after 6 tries", "r-7"):
        assert said in page


@pytest.mark.parametrize(("answer", "status"), [("retry", "retried"), ("dismiss", "dismissed")])
def test_one_or_many_are_answered_after_a_question(operator_at_console, file, operator, answer, status):
    failed = file(2)
    ticked = "&".join(f"event={one.pk}" for one in failed)
    question = operator_at_console.get(f"/console/events/answer/?answer={answer}&{ticked}")
    assert "2 events" in text_of(question)

    fields = {"answer": answer, "event": [str(one.pk) for one in failed], "reason": "the ledger is back"}
    done = operator_at_console.post("/console/events/answer/", fields)

    assert done.status_code == 302
    assert [answered(one) for one in failed] == [status, status]
    entries = AuditEntry.objects.filter(action=f"event.{status}", reason="the ledger is back")
    assert {entry.actor_id for entry in entries} == {operator.id}
    assert sorted(entry.facts["position"] for entry in entries) == sorted(one.position for one in failed)
    assert ParkedMessage.objects.filter(subscriber="tests.ledger").count() == (2 if answer == "retry" else 0)


def test_what_was_answered_is_not_asked_about_again(operator_at_console, file):
    (failed,) = file()
    FailedMessage.objects.filter(pk=failed.pk).update(status="dismissed")

    assert operator_at_console.get(f"/console/events/answer/?answer=retry&event={failed.pk}").status_code == 404
    assert "Try again…" not in text_of(operator_at_console.get(f"/console/events/failed/{failed.pk}/"))


def test_support_reads_and_answers_nothing(support_at_console, file):
    (failed,) = file()
    pages = ("/console/events/", f"/console/events/failed/{failed.pk}/")

    for path in pages:
        page = support_at_console.get(path)
        assert page.status_code == 200
        for word in ("Try again…", "Dismiss…", "Replay…"):
            assert word not in text_of(page)
    fields = {"answer": "retry", "event": str(failed.pk)}
    refused = support_at_console.post("/console/events/answer/", fields, page=support_at_console.get(pages[0]))

    assert refused.status_code == 403
    assert answered(failed) == "open"
    assert not ParkedMessage.objects.filter(subscriber="tests.ledger").exists()


@pytest.fixture
def past(acme, db):
    """Three events of acme-corp that were sent, an hour apart."""
    now = timezone.now()
    return [
        OutboxMessage.objects.create(
            occurred_at=now - timedelta(hours=hours), name="plexica.member.added", version=1, tenant_id=acme.id,
            actor_kind="system", request_id="", payload=PAYLOAD, sent_at=now,
        )
        for hours in (2, 1, 0)
    ]  # fmt: skip


def test_a_past_is_replayed_from_a_dialog(operator_at_console, past, operator):
    form = operator_at_console.get("/console/events/replay/?subscriber=tests.ledger").content.decode()
    assert '<option value="tests.ledger" selected>' in form
    since = timezone.localtime(timezone.now() - timedelta(minutes=90)).strftime("%Y-%m-%dT%H:%M")

    fields = {"subscriber": "tests.ledger", "tenant": "acme-corp", "since": since, "reason": "a bug in the ledger"}
    done = operator_at_console.post("/console/events/replay/", fields)

    assert done.status_code == 302
    waiting = ParkedMessage.objects.filter(subscriber="tests.ledger", reason="again")
    assert {one.position for one in waiting} >= {one.pk for one in past[1:]}
    assert past[0].pk not in {one.position for one in waiting}
    assert AuditEntry.objects.get(action="event.replayed").reason == "a bug in the ledger"


@pytest.mark.parametrize(
    ("wrong", "status"),
    [({"tenant": "no-such"}, 404), ({"since": "yesterday"}, 422), ({"since": "2020-01-01T00:00"}, 409)],
)
def test_a_replay_that_makes_no_sense_is_refused(operator_at_console, past, wrong, status):
    since = timezone.now().strftime("%Y-%m-%dT%H:%M")
    fields = {"subscriber": "tests.ledger", "tenant": "acme-corp", "since": since, "reason": ""}

    answer = operator_at_console.post("/console/events/replay/", fields | wrong)

    assert answer.status_code == status
    assert not ParkedMessage.objects.filter(subscriber="tests.ledger").exists()
    assert not AuditEntry.objects.filter(action="event.replayed").exists()


# --- API


def test_programs_read_how_delivery_goes(support_at_console, file):
    file(2)

    status = support_at_console.api("GET", "/api/v1/events/").json()

    assert (status["shards"], status["relayed_shards"], status["failed"]) == (8, 0, 2)
    (one,) = [one for one in status["subscribers"] if one["name"] == "tests.ledger"]
    assert (one["failed"], one["is_consumed"]) == (2, False)


def test_programs_list_and_read_failed_events(support_at_console, file, acme):
    one, other = file(1)[0], file(1, name="plexica.role.made")[0]

    def listed(params=""):
        answer = support_at_console.api("GET", f"/api/v1/events/failed/{params}")
        assert answer.status_code == 200, answer.content
        return [found["id"] for found in answer.json()["results"]]

    assert listed() == [str(other.pk), str(one.pk)]
    assert listed("?event=role") == [str(other.pk)]
    assert listed("?tenant=acme-corp&status=open&subscriber=tests.ledger") == [str(other.pk), str(one.pk)]
    assert listed("?tenant=globex-inc") == []
    assert support_at_console.api("GET", "/api/v1/events/failed/?status=lost").status_code == 422
    read = support_at_console.api("GET", f"/api/v1/events/failed/{one.pk}/").json()
    assert (read["tenant"], read["event"], read["version"], read["payload"]) == (
        "acme-corp", "plexica.member.added", 2, PAYLOAD
    )  # fmt: skip


def test_programs_answer_one_or_many(operator_at_console, support_at_console, file):
    one, *many = file(3)
    ids = [str(failed.pk) for failed in many]

    change = changing(operator_at_console)

    refused = changing(support_at_console)(f"failed/{one.pk}/retry/", {})
    retried = change(f"failed/{one.pk}/retry/", {"reason": "mended"})
    dismissed = change("answers/", {"answer": "dismiss", "ids": ids, "reason": "known"})
    again = change("answers/", {"answer": "retry", "ids": ids})

    assert refused.status_code == 403
    assert (retried.status_code, retried.json()["status"]) == (200, "retried")
    assert (dismissed.json(), again.json()) == ({"answered": 2}, {"answered": 0})
    assert [answered(failed) for failed in many] == ["dismissed", "dismissed"]


def test_programs_replay(operator_at_console, past):
    body = {"subscriber": "tests.ledger", "tenant": "acme-corp", "since": past[1].occurred_at.isoformat()}

    change = changing(operator_at_console)

    def replay(**changed):
        return change("replays/", body | changed)

    nobody, too_old = replay(subscriber="nobody"), replay(since="2020-01-01T00:00:00Z")
    assert (nobody.json()["code"], too_old.json()["code"]) == ("subscriber_not_found", "replay_too_old")
    assert replay(tenant=str(uuid4())).status_code == 404
    assert not ParkedMessage.objects.filter(subscriber="tests.ledger").exists()

    done = replay()

    assert done.status_code == 202
    assert done.json()["events"] == ParkedMessage.objects.filter(subscriber="tests.ledger").count() >= 2


# --- webhooks of tenants


@pytest.fixture
def webhook_queue(acme, globex, db):
    """Acme has deliveries waiting, Globex a webhook that fails and one that is disabled."""
    QueuedWebhook.objects.all().delete()
    now = timezone.now()
    rows = [
        (acme, {"waiting": 7, "waiting_since": now - timedelta(minutes=3), "due_at": now}),
        (globex, {"waiting": 2, "waiting_since": now, "is_failing": True, "due_at": now + timedelta(hours=1)}),
        (globex, {"waiting": 5, "waiting_since": now, "is_disabled": True}),
    ]
    for tenant, values in rows:
        QueuedWebhook.objects.create(tenant_id=tenant.id, webhook_id=uuid4(), **values)
    AttemptCount.objects.update_or_create(result="timeout", defaults={"count": 4711})


def test_the_page_shows_what_tenants_webhooks_have_waiting(operator_at_console, webhook_queue):
    for path in ("/console/events/", "/console/events/webhooks/"):
        page = text_of(operator_at_console.get(path))
        assert "Deliveries waiting 9" in page
        assert "Failing addresses 1" in page
        assert "Disabled addresses 1" in page
        assert re.search(r"Acme Corp Active 7 3 .{1,12} 0 0 0", page)
        assert re.search(r"Globex Inc Active 2 .{1,20} 5 1 1", page)
    assert "No answer in time. 4,711" in page
    assert 'href="/console/tenants/acme-corp/"' in operator_at_console.get("/console/events/").content.decode()


def test_that_nobody_sends_webhooks_is_said(operator_at_console, webhook_queue):
    assert "Nobody sends webhooks" not in text_of(operator_at_console.get("/console/events/"))
    QueuedWebhook.objects.filter(waiting=7).update(due_at=timezone.now() - timedelta(minutes=2))

    assert "Nobody sends webhooks" in text_of(operator_at_console.get("/console/events/"))


def test_programs_read_how_webhooks_go(support_at_console, webhook_queue):
    status = support_at_console.api("GET", "/api/v1/events/").json()["webhooks"]
    by_tenant = support_at_console.api("GET", "/api/v1/events/webhooks/").json()

    assert (status["waiting"], status["held"], status["failing"], status["disabled"]) == (9, 5, 1, 1)
    assert status["attempts"]["timeout"] == 4711
    assert 180 <= status["oldest_s"] < 240
    assert by_tenant["count"] == 2
    first, second = by_tenant["results"]
    assert (first["tenant"], first["waiting"], first["held"], first["failing"], first["disabled"]) == (
        "globex-inc", 2, 5, 1, 1
    )  # fmt: skip
    assert (second["tenant"], second["waiting"]) == ("acme-corp", 7)
