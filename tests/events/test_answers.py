"""Operators' answers: failed events are retried or dismissed, and a past is replayed."""

from datetime import timedelta

import pytest
from django.utils import timezone

from core.audit.models import AuditEntry
from events import subscribing
from events.answers import ReplayTooOld, SubscriberNotFound, dismiss_failed_events, replay_events, retry_failed_events
from events.outbox.models import FailedMessage, OutboxMessage, ParkedMessage
from tests.events.conftest import added, effects


@pytest.fixture
def known(subscriber, monkeypatch):
    monkeypatch.setitem(subscribing._registered, subscriber.name, subscriber)


@pytest.fixture
def filed(tenant, relay, consume, seen, settings):
    """An event that failed for good, with one behind it that went through."""
    settings.EVENT_RETRY_DELAYS_S = []
    bad, fine = added(tenant, 2)
    seen.fails_on[bad] = ValueError("no")
    relay()
    consume()
    ParkedMessage.objects.filter(tenant_id=tenant.pk).update(next_try_at=timezone.now())
    consume()
    consume()
    assert effects(tenant) == [fine]
    return FailedMessage.objects.get(tenant_id=tenant.pk)


def test_a_failed_event_that_is_retried_is_handled(tenant, filed, consume, seen, operator):
    seen.fails_on.clear()

    assert retry_failed_events(ids=[filed.pk], actor=operator) == 1
    consume()

    assert len(effects(tenant)) == 2
    filed.refresh_from_db()
    assert (filed.status, filed.answered_at is None) == ("retried", False)
    assert AuditEntry.objects.filter(action="event.retried", facts__position=filed.position).count() == 1
    assert retry_failed_events(ids=[filed.pk], actor=operator) == 0  # the second click


def test_a_dismissed_event_is_handled_no_more(tenant, filed, consume, seen, operator):
    seen.fails_on.clear()

    assert dismiss_failed_events(ids=[filed.pk], actor=operator, reason="known") == 1
    consume()

    assert len(effects(tenant)) == 1
    assert retry_failed_events(ids=[filed.pk], actor=operator) == 0
    assert AuditEntry.objects.filter(action="event.dismissed", reason="known").count() == 1


def test_a_past_is_replayed_in_order_and_what_is_new_waits_behind_it(tenant, relay, consume, seen, known, operator):
    ids = added(tenant, 3)
    relay()
    consume()
    _forget_effects(tenant)
    late = added(tenant, 2)
    relay()
    since = OutboxMessage.objects.filter(tenant_id=tenant.pk).order_by("id")[1].occurred_at

    replayed = replay_events(subscriber="tests.one", tenant=tenant.ref, since=since, actor=operator)
    consume()

    assert replayed.events == 4  # two of the past, and two that the bus brings as well
    assert effects(tenant) == [*ids[1:], *late]
    assert AuditEntry.objects.filter(action="event.replayed", facts__count=4).count() == 1


def test_a_replay_of_what_is_not_kept_says_so_and_changes_nothing(tenant, relay, consume, known, operator):
    added(tenant, 1)
    relay()
    consume()

    with pytest.raises(ReplayTooOld):
        replay_events(
            subscriber="tests.one", tenant=tenant.ref, since=timezone.now() - timedelta(days=99), actor=operator
        )
    with pytest.raises(SubscriberNotFound):
        replay_events(subscriber="nobody", tenant=tenant.ref, since=timezone.now(), actor=operator)

    assert not ParkedMessage.objects.filter(tenant_id=tenant.pk).exists()
    assert len(effects(tenant)) == 1


def _forget_effects(tenant):
    from accounts.people.models import Role
    from core.tenancy import enter

    with enter(tenant.ref):
        Role.objects.filter(label="effect").delete()
