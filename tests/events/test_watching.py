"""The figures of delivery: what waits, where, since when, and what somebody should do about it."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from core.health.metrics import REGISTRY
from events import subscribing
from events.bus.redis_streams import RedisStreams
from events.messages import SHARDS
from events.outbox.models import ParkedMessage, Passed
from events.relay import _connect
from events.selectors import events_status
from events.watching import examine_delivery
from tests.events.conftest import added


@pytest.fixture
def watched(subscriber, bus, monkeypatch):
    """The test's subscriber is the only one."""
    subscribing.subscribers()  # the others are loaded once, and not into the test's own
    monkeypatch.setattr(subscribing, "_registered", {subscriber.name: subscriber})


@pytest.fixture
def alive(watched, relay):
    """A relay serves all shards, and a consumer has just said that it lives."""
    Passed.objects.bulk_create(
        Passed(subscriber="tests.one", shard=shard, passed_at=timezone.now()) for shard in range(SHARDS)
    )


def of(name):
    return next(one for one in events_status().subscribers if one.name == name)


def said():
    out = StringIO()
    try:
        call_command("events_status", "--json", stdout=out)
    except CommandError as error:
        return json.loads(out.getvalue()), error.returncode
    return json.loads(out.getvalue()), 0


def test_what_is_not_sent_is_counted_with_its_age(tenant, alive):
    added(tenant, 3)
    with _connect() as raw:
        raw.execute("UPDATE public.events_outbox SET occurred_at = occurred_at - interval '90 s' WHERE sent_at IS NULL")

    status = events_status()

    assert (status.unsent, status.relayed_shards) == (3, SHARDS)
    assert 90 <= status.unsent_s < 200
    assert status.oldest_s == status.unsent_s


def test_what_waits_on_the_bus_is_counted_for_each_subscriber_with_its_age(tenant, alive, relay, consume):
    consume()
    added(tenant, 4)
    relay()

    before, lag = of("tests.one").waiting, of("tests.one").lag_s
    consume()

    assert before == 4
    assert 0 < lag < 60
    assert (of("tests.one").waiting, of("tests.one").lag_s) == (0, 0.0)


def test_parked_and_failed_events_are_counted(tenant, relay, consume, seen, watched, settings):
    settings.EVENT_RETRY_DELAYS_S = [600]
    bad, *_behind = added(tenant, 3)
    seen.fails_on[bad] = ValueError("no")
    relay()
    consume()

    one = of("tests.one")
    assert (one.parked, one.parked_tenants, one.failed) == (3, 1, 0)
    assert timezone.now() - one.parked_since < timedelta(minutes=1)

    ParkedMessage.objects.update(next_try_at=timezone.now())
    consume()

    one = of("tests.one")
    assert (one.parked, one.failed) == (0, 1)
    assert events_status().failed == 1


def test_a_subscriber_that_left_the_code_is_shown_until_nothing_of_it_is_left(
    tenant, relay, consume, seen, watched, settings
):
    (bad,) = added(tenant)
    seen.fails_on[bad] = ValueError("no")
    relay()
    consume()
    subscribing._registered.clear()

    assert (of("tests.one").is_known, of("tests.one").parked) == (False, 1)
    with _connect() as raw:
        raw.execute("DELETE FROM public.events_parked; DELETE FROM public.events_passed")
    assert events_status().subscribers == []


def test_when_everything_flows_nobody_is_called(alive):
    status, code = said()

    assert (code, status["ok"], status["troubles"]) == (0, True, [])
    assert [(one["name"], one["is_consumed"]) for one in status["subscribers"]] == [("tests.one", True)]
    assert [line.level for line in examine_delivery()] == ["ok"]


def test_who_is_missing_is_named(watched, outbox):
    status, code = said()

    assert code == 1
    assert {line["remedy"] for line in status["troubles"]} == {
        "start: manage.py relay_events",
        "start: manage.py consume_events",
    }
    assert {line.level for line in examine_delivery()} == {"fail"}


def test_a_consumer_that_fell_silent_is_missed(alive):
    Passed.objects.filter(shard=3).update(passed_at=timezone.now() - timedelta(minutes=1))

    assert not of("tests.one").is_consumed


def test_a_bus_that_does_not_answer_is_said_to_and_the_rest_is_told(alive, monkeypatch):
    from events import selectors

    monkeypatch.setattr(selectors, "bus", lambda: RedisStreams("redis://127.0.0.1:1/0"))

    status = events_status()

    assert (status.bus_answers, of("tests.one").waiting, of("tests.one").is_consumed) == (False, None, True)
    assert any("bus" in line.says for line in examine_delivery())


def test_the_table_is_for_people(alive):
    out = StringIO()

    call_command("events_status", stdout=out)

    assert "tests.one" in out.getvalue()
    assert f"{SHARDS} of {SHARDS} shards relayed" in out.getvalue()


def test_prometheus_gets_the_same_figures(tenant, alive):
    added(tenant, 2)

    def figure(name, **labels):
        return REGISTRY.get_sample_value(f"plexica_events_{name}", labels)

    assert figure("unsent") == 2
    assert figure("relayed_shards") == SHARDS
    assert figure("bus_up") == 1
    assert figure("consumed", subscriber="tests.one") == 1
    assert figure("failed", subscriber="tests.one") == 0
    assert figure("waiting", subscriber="tests.one") == 0
