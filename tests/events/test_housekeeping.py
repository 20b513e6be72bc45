"""What nobody can want any more is thrown away, and nothing else is."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from core.tenancy import enter
from events import housekeeping
from events.inbox.models import HandledMessage
from events.messages import SHARDS
from events.outbox.models import FailedMessage, OutboxMessage, Passed
from events.relay import _connect
from events.subscribing import subscribers
from tenants.tasks import clear_old_events
from tests.events.conftest import messages

OLD = datetime(2020, 3, 1, 12, tzinfo=UTC)
DAY = "events_outbox_20200301"


@pytest.fixture
def old_day(outbox):
    """A day of the outbox long ago, with an event that was sent."""
    with _connect() as raw:
        raw.execute(
            "CREATE TABLE public.events_outbox_20200301 PARTITION OF public.events_outbox"
            " FOR VALUES FROM ('2020-03-01 00:00+00') TO ('2020-03-02 00:00+00')"
        )
        raw.execute(
            "INSERT INTO public.events_outbox (occurred_at, name, version, actor_kind, request_id, payload, sent_at)"
            " VALUES (%s, 'tests.old', 1, 'system', '', '{}', %s)",
            [OLD, OLD],
        )
        yield raw
        raw.execute("DROP TABLE IF EXISTS public.events_outbox_20200301")


def passed(name, at, shards=SHARDS):
    Passed.objects.bulk_create(Passed(subscriber=name, shard=shard, passed_at=at) for shard in range(shards))


def test_a_day_that_everybody_has_passed_is_dropped_and_younger_ones_stay(old_day):
    passed("tests.one", timezone.now())
    before = OutboxMessage.objects.count()

    assert housekeeping.drop_old_days(subscribers=["tests.one"]) == [DAY]

    assert OutboxMessage.objects.count() == before - 1
    assert not OutboxMessage.objects.filter(name="tests.old").exists()


@pytest.mark.parametrize("why", ["unsent", "behind", "never", "partly"])
def test_a_day_that_somebody_may_need_stays(old_day, why):
    if why == "unsent":
        old_day.execute("UPDATE public.events_outbox SET sent_at = NULL WHERE name = 'tests.old'")
    if why != "never":
        at = OLD - timedelta(hours=1) if why == "behind" else timezone.now()
        passed("tests.one", at, shards=SHARDS - 1 if why == "partly" else SHARDS)

    assert housekeeping.drop_old_days(subscribers=["tests.one"]) == []

    assert OutboxMessage.objects.filter(name="tests.old").exists()


def test_a_day_that_is_kept_for_replay_stays(old_day):
    passed("tests.one", timezone.now())

    assert housekeeping.drop_old_days(subscribers=["tests.one"], now=OLD + timedelta(days=13)) == []


def test_a_day_that_somebody_reads_is_left_for_the_next_round(old_day, monkeypatch):
    monkeypatch.setattr(housekeeping, "LOCK_TIMEOUT_MS", 50)
    passed("tests.one", timezone.now())
    with _connect() as reader, reader.transaction():
        reader.execute("SELECT 1 FROM public.events_outbox_20200301")
        assert housekeeping.drop_old_days(subscribers=["tests.one"]) == []

    assert housekeeping.drop_old_days(subscribers=["tests.one"]) == [DAY]


def test_notes_of_what_can_come_no_more_are_removed(tenant, outbox):
    long_ago = timezone.now() - timedelta(days=15)
    with enter(tenant.ref):
        for position, at in ((10, long_ago), (11, timezone.now()), (30, long_ago)):
            HandledMessage.objects.create(subscriber="tests.one", position=position, handled_at=at)

        housekeeping.clear_handled(below=20)

        assert set(HandledMessage.objects.values_list("position", flat=True)) == {11, 30}


def test_a_subscriber_that_left_the_code_is_forgotten_after_a_week(outbox, bus):
    passed("tests.gone", timezone.now() - timedelta(days=8))
    passed("tests.leaving", timezone.now() - timedelta(days=6))
    passed("tests.known", timezone.now() - timedelta(days=8))
    with bus.reader("tests.gone") as gone, bus.reader("tests.known") as known:
        for reader in (gone, known):
            reader.read(timeout_s=0.01)  # joins the group

    assert housekeeping.forget_retired(subscribers=["tests.known"]) == ["tests.gone"]

    assert set(Passed.objects.values_list("subscriber", flat=True)) == {"tests.leaving", "tests.known"}
    groups = [group["name"].decode() for shard in range(SHARDS) for group in bus._groups(shard)]
    assert {name.rpartition("@")[0] for name in groups} == {"tests.known"}


def test_answered_events_go_after_a_while_and_open_ones_stay(tenant, outbox):
    (message,) = messages(tenant.pk, [1])
    old = timezone.now() - timedelta(days=91)
    for position, status, at in ((1, "dismissed", old), (2, "retried", timezone.now()), (3, "open", None)):
        FailedMessage.objects.create(
            subscriber="tests.one", tenant_id=tenant.pk, position=position, name="x", message=message.as_text(),
            attempts=6, error="", status=status, answered_at=at, failed_at=old,
        )  # fmt: skip

    housekeeping.drop_answered()

    assert set(FailedMessage.objects.filter(tenant_id=tenant.pk).values_list("position", flat=True)) == {2, 3}


def test_the_task_does_all_of_it(old_day, tenant):
    with enter(tenant.ref):
        HandledMessage.objects.create(subscriber="gone", position=0, handled_at=timezone.now() - timedelta(days=15))

    for name in subscribers():
        passed(name, timezone.now())

    clear_old_events()

    assert not OutboxMessage.objects.filter(name="tests.old").exists()
    with enter(tenant.ref):
        assert not HandledMessage.objects.filter(subscriber="gone").exists()
