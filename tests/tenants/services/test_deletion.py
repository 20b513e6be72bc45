"""Deletion: stopped at once, called off until it begins, and never reported done while anything is left."""

import os
import threading
import time
from datetime import timedelta

import psycopg
import pytest
from django.conf import settings
from django.core.cache import cache
from django.utils import timezone

from core.audit.models import AuditEntry
from core.errors import Invalid, Rejected, TenantSuspended, Unavailable
from core.idempotency.models import IdempotencyKey
from core.tenancy import enter
from events import publish
from events.outbox.models import FailedMessage, OutboxMessage, ParkedMessage
from events.webhooks.queue.services import put_in_line
from plexica_sdk.events import TenantSuspended as TenantSuspendedEvent
from storage.buckets import bucket_exists
from tenants import directory
from tenants.errors import (
    DeletionBegun,
    TenantBusy,
    TenantChanged,
    TenantNotActive,
    TenantNotDeleting,
)
from tenants.fleet.models import Run, TenantRecord
from tenants.models import Domain, Operation, Tenant
from tenants.removal import tenant_traces, what_is_left
from tenants.schemas import making
from tenants.schemas.making import existing_objects
from tenants.selectors import get_operation, is_slug_free, proof_of
from tenants.services.answers import retry_operation
from tenants.services.deletion import SETTLE, Deletion, delete_now, request_deletion, undo_deletion
from tenants.services.lifecycle import reactivate_tenant, suspend_tenant
from tenants.services.work import run_operation
from tenants.steps import tenant_steps
from tests.support import people
from tests.support.people import step_named
from tests.support.threads import run_together

WHY = "The contract has ended"


@pytest.fixture
def tenant(new_tenant):
    tenant = new_tenant()
    yield tenant
    Operation.objects.filter(tenant=tenant, status__in=Operation.ACTIVE).update(status=Operation.Status.FAILED)


def ask(tenant, operator, **more):
    more = {"typed_slug": tenant.slug, "reason": WHY, **more}
    return request_deletion(tenant_id=tenant.pk, actor=operator, **more)


def begin(operation):
    """The grace period is over."""
    Operation.objects.filter(pk=operation.pk).update(due_at=timezone.now() - timedelta(seconds=1))
    return operation


def status_of(tenant):
    return Tenant.objects.get(pk=tenant.pk).status


def _raise(error):
    raise error


def test_a_deletion_stops_the_tenant_at_once_and_waits_for_the_grace_period(tenant, operator, visitor, go):
    operation = ask(tenant, operator)
    directory.forget()

    assert status_of(tenant) == Tenant.Status.DELETING
    assert visitor(tenant.ref).get("/").status_code == TenantSuspended.status
    assert timedelta(days=7) == settings.DELETION_GRACE
    assert abs(operation.due_at - timezone.now() - settings.DELETION_GRACE) < timedelta(seconds=10)
    assert go(operation).status == Operation.Status.PENDING
    entry = AuditEntry.objects.get(action="tenant.deletion_requested", target_id=tenant.pk)
    assert (entry.actor_id, entry.reason, entry.facts["now"]) == (operator.id, WHY, False)
    assert OutboxMessage.objects.filter(name="plexica.tenant.deletion_requested", tenant_id=tenant.pk).count() == 1


@pytest.mark.parametrize("suspended", [False, True])
def test_until_it_begins_one_call_brings_the_tenant_back_as_it_was(tenant, operator, go, suspended):
    if suspended:
        suspend_tenant(tenant_id=tenant.pk, actor=operator, reason=WHY)
    before = Tenant.objects.get(pk=tenant.pk)
    operation = ask(tenant, operator)

    undo_deletion(tenant_id=tenant.pk, actor=operator)

    after = Tenant.objects.get(pk=tenant.pk)
    assert (after.status, after.suspended_at) == (before.status, before.suspended_at)
    assert get_operation(operation.pk).status == Operation.Status.CANCELLED
    assert go(begin(operation)).status == Operation.Status.CANCELLED
    assert AuditEntry.objects.filter(action="tenant.deletion_undone", target_id=tenant.pk).count() == 1
    assert OutboxMessage.objects.filter(name="plexica.tenant.deletion_undone", tenant_id=tenant.pk).count() == 1
    assert ask(tenant, operator).pk != operation.pk


def remember_everything_of(tenant):
    """Leave every trace that a tenant may leave."""
    with enter(tenant.ref):
        for number in range(1500):
            cache.set(f"key-{number}", number)
        cache.set("another-version", 1, version=7)
        put_in_line({tenant.pk: 1}, due_at=timezone.now())
    publish(TenantSuspendedEvent(tenant_id=tenant.pk))
    message = {"subscriber": "tests", "tenant_id": tenant.pk, "position": 1, "message": "{}", "error": "it was Ada"}
    ParkedMessage.objects.create(shard=0, reason="failed", **message)
    FailedMessage.objects.create(name="plexica.member.added", attempts=6, **message)
    for path in ("/api/v1/tenants/", f"/api/v1/tenants/{tenant.slug}/suspend/"):
        IdempotencyKey.objects.create(
            principal="x",
            method="POST",
            path=path,
            key=tenant.slug,
            body_hash="",
            status=202,
            location=str(tenant.operations.earliest("created_at").pk),
        )


def test_everything_is_removed_and_the_record_proves_it(tenant, operator, go, asked):
    remember_everything_of(tenant)
    before = what_is_left(tenant)
    assert all(before.values()), before

    ended = go(begin(ask(tenant, operator)))

    assert (ended.status, ended.error) == (Operation.Status.SUCCEEDED, "")
    assert ended.facts["left"] == dict.fromkeys(before, 0)
    assert ended.facts["removed"]["cache_entries"] > 1500
    assert {count for _, count in proof_of(ended)} == {0}
    assert all(label for label, _ in proof_of(ended))
    assert existing_objects(tenant.ref) == []
    assert not bucket_exists(tenant.bucket_name)
    assert not Domain.objects.filter(domain=tenant.slug).exists()
    tombstone = Tenant.objects.get(pk=tenant.pk)
    assert (tombstone.status, tombstone.admin_name, tombstone.admin_email) == (Tenant.Status.DELETED, "", "")
    assert tombstone.deleted_at
    assert AuditEntry.objects.get(action="tenant.deleted", target_id=tenant.pk).facts["left"] == ended.facts["left"]
    names = OutboxMessage.objects.filter(tenant_id=tenant.pk).values_list("name", flat=True)
    assert list(names) == ["plexica.tenant.deleted"]
    for kind in (ParkedMessage, FailedMessage):
        assert not kind.objects.filter(tenant_id=tenant.pk).exists()
    assert is_slug_free(tenant.slug)
    assert go(asked(tenant.slug)).status == Operation.Status.SUCCEEDED


def test_nothing_of_another_tenant_is_touched(tenant, operator, go, globex):
    with enter(globex):
        cache.set("mine", 1)
    before = what_is_left(Tenant.objects.get(pk=globex.id))

    go(begin(ask(tenant, operator)))

    assert what_is_left(Tenant.objects.get(pk=globex.id)) == before
    with enter(globex):
        assert cache.get("mine") == 1


def test_now_is_soon_and_written_down(tenant, operator, go, monkeypatch):
    operation = ask(tenant, operator, now=True)

    assert operation.due_at - timezone.now() < timedelta(seconds=3)
    assert AuditEntry.objects.get(action="tenant.deletion_requested", target_id=tenant.pk).facts["now"] is True


def test_a_waiting_deletion_can_be_hastened(tenant, operator, go):
    operation = ask(tenant, operator)
    Operation.objects.filter(pk=operation.pk).update(created_at=timezone.now() - timedelta(seconds=5))

    delete_now(tenant_id=tenant.pk, typed_slug=tenant.slug, actor=operator, reason="They wait for it")

    assert go(operation).status == Operation.Status.SUCCEEDED
    entry = AuditEntry.objects.get(action="tenant.deletion_hastened", target_id=tenant.pk)
    assert (entry.actor_id, entry.reason) == (operator.id, "They wait for it")


def test_a_hasty_deletion_waits_until_every_process_has_heard_of_it(tenant, operator):
    operation = ask(tenant, operator)

    hastened = delete_now(tenant_id=tenant.pk, typed_slug=tenant.slug, actor=operator, reason="At once")

    assert hastened.due_at - operation.created_at >= SETTLE


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"typed_slug": "another"}, "typed_slug"),
        ({"typed_slug": ""}, "typed_slug"),
        ({"reason": " "}, "reason"),
    ],
)
def test_a_deletion_wants_the_slug_typed_and_a_reason(acme, operator, db, values, field):
    with pytest.raises(Invalid) as refusal:
        ask(Tenant.objects.get(pk=acme.id), operator, **values)

    assert field in refusal.value.facts["errors"]
    assert Tenant.objects.get(pk=acme.id).status == Tenant.Status.ACTIVE
    assert not Operation.objects.filter(tenant_id=acme.id, kind=Operation.Kind.DELETE).exists()
    assert not AuditEntry.objects.filter(action="tenant.deletion_requested", target_id=acme.id).exists()


def test_where_there_are_no_exports_none_can_be_asked_for(tenant, operator, settings):
    settings.DELETION_EXPORT_STEP = ""

    with pytest.raises(Invalid) as refusal:
        request_deletion(
            tenant_id=tenant.pk, typed_slug=tenant.slug, actor=operator, reason="Contract ended", export=True
        )

    assert set(refusal.value.facts["errors"]) == {"export"}
    assert Tenant.objects.get(pk=tenant.pk).status == Tenant.Status.ACTIVE


def test_a_deletion_begins_with_the_export_where_there_is_one(tenant, operator, settings):
    settings.DELETION_EXPORT_STEP = settings.TENANT_STEPS[1]

    keys = [step.key for step in Deletion().steps({"export": True})]

    assert keys[0] == "schema"
    assert [step.key for step in Deletion().steps({})] == keys[1:]


def test_whoever_looked_at_an_older_version_is_told(acme, operator, db):
    tenant = Tenant.objects.get(pk=acme.id)

    for change in (
        lambda: ask(tenant, operator, expected_version=tenant.version + 1),
        lambda: undo_deletion(tenant_id=tenant.pk, actor=operator, expected_version=tenant.version + 1),
    ):
        with pytest.raises(TenantChanged):
            change()

    assert Tenant.objects.get(pk=acme.id).status == Tenant.Status.ACTIVE


def test_without_a_deletion_there_is_nothing_to_call_off(acme, operator, db):
    with pytest.raises(TenantNotDeleting):
        undo_deletion(tenant_id=acme.id, actor=operator)
    with pytest.raises(TenantNotDeleting):
        delete_now(tenant_id=acme.id, typed_slug=acme.slug, actor=operator, reason=WHY)


def test_once_begun_it_cannot_be_called_off(tenant, operator, go, monkeypatch):
    operation = begin(ask(tenant, operator))
    monkeypatch.setattr(type(step_named("bucket")), "undo", lambda self, tenant: _raise(Unavailable(part="x")))
    assert go(operation).status == Operation.Status.RUNNING

    with pytest.raises(DeletionBegun):
        undo_deletion(tenant_id=tenant.pk, actor=operator)
    with pytest.raises(DeletionBegun):
        delete_now(tenant_id=tenant.pk, typed_slug=tenant.slug, actor=operator, reason=WHY)

    assert status_of(tenant) == Tenant.Status.DELETING
    assert not AuditEntry.objects.filter(action="tenant.deletion_undone", target_id=tenant.pk).exists()


def test_a_deleted_tenant_is_deleted_no_second_time(tenant, operator, go):
    go(begin(ask(tenant, operator)))

    with pytest.raises(TenantNotActive):
        ask(tenant, operator)


def test_calling_off_what_is_about_to_end_stops_neither(tenant, operator, monkeypatch):
    operation = begin(ask(tenant, operator))
    ending = threading.Event()
    succeeded = Deletion.succeeded

    def slowly(kind, operation):
        ending.set()
        time.sleep(1.5)
        succeeded(kind, operation)

    monkeypatch.setattr(Deletion, "succeeded", slowly)

    ran, called_off = run_together(
        lambda: run_operation(operation.pk),
        lambda: ending.wait(20) and undo_deletion(tenant_id=tenant.pk, actor=operator),
    )

    assert ran is True
    assert isinstance(called_off, DeletionBegun)
    assert status_of(tenant) == Tenant.Status.DELETED


# It always comes to an end, or to an operator


def test_whoever_holds_a_table_does_not_hold_the_worker(tenant, operator, go, quick, monkeypatch):
    """A report that somebody left open: the step fails in time and says why, and is tried again."""
    monkeypatch.setattr(making, "DROP_WAIT_S", 0.2)
    monkeypatch.setattr(Deletion, "max_attempts", 2)
    operation = begin(ask(tenant, operator))
    with psycopg.connect(os.environ["PLEXICA_DATABASE_OPS_URL"]) as holder:
        holder.execute(f'SET ROLE px_owner; LOCK TABLE "{tenant.schema_name}".people_person IN ACCESS SHARE MODE')
        stuck = go(operation)
        assert (stuck.status, stuck.steps.get(key="schema").status) == (Operation.Status.STUCK, "failed")
        assert "lock timeout" in stuck.error

    retry_operation(operation_id=stuck.pk, actor=operator)

    assert go(stuck).status == Operation.Status.SUCCEEDED


def test_an_error_at_the_very_end_is_shown_to_an_operator(tenant, operator, go, monkeypatch):
    monkeypatch.setattr(Deletion, "succeeded", lambda kind, operation: _raise(ZeroDivisionError("x")))

    stuck = go(begin(ask(tenant, operator)))

    assert (stuck.status, stuck.error, stuck.resumes_as) == (Operation.Status.STUCK, "ZeroDivisionError: x", "running")
    assert status_of(tenant) == Tenant.Status.DELETING
    monkeypatch.undo()
    retry_operation(operation_id=stuck.pk, actor=operator)
    assert go(stuck).status == Operation.Status.SUCCEEDED


class Killed(BaseException):
    """The process is gone: nothing of it catches this."""


def test_a_step_that_ends_its_worker_each_time_is_shown_to_an_operator(tenant, operator, monkeypatch):
    operation = begin(ask(tenant, operator))
    monkeypatch.setattr(type(step_named("bucket")), "undo", lambda self, tenant: _raise(Killed))

    for _ in range(Deletion.max_attempts):
        with pytest.raises(Killed):
            run_operation(operation.pk)
        Operation.objects.filter(pk=operation.pk).update(lease_until=None)
    run_operation(operation.pk)

    stuck = get_operation(operation.pk)
    assert (stuck.status, stuck.steps.get(key="bucket").status) == (Operation.Status.STUCK, "failed")
    assert str(Deletion.max_attempts) in stuck.error


def test_what_an_outside_system_refuses_is_said_by_its_own_word(tenant, operator, go, monkeypatch):
    refused = Rejected(part="object storage", code="AccessDenied")
    monkeypatch.setattr(type(step_named("bucket")), "undo", lambda self, tenant: _raise(refused))

    stuck = go(begin(ask(tenant, operator)))

    assert stuck.status == Operation.Status.STUCK
    assert stuck.error.endswith("(object storage: AccessDenied)")


# Never reported done while anything is left


def test_what_errors_quoted_of_the_rows_goes_too(tenant, operator, go):
    quoted = "Key (email)=(ada@acme.example) is duplicated."
    tenant.operations.update(error=quoted)
    run = Run.objects.using("ops").create(started_by="x", migrations_hash="x")
    record = TenantRecord.objects.using("ops").create(run=run, tenant_id=tenant.pk, slug=tenant.slug, error=quoted)

    go(begin(ask(tenant, operator)))

    record.refresh_from_db()
    assert record.error == ""
    assert not tenant.operations.exclude(error="").exists()
    run.delete()


@pytest.mark.parametrize("key", [step.key for step in tenant_steps() if step.makes])
def test_a_step_that_leaves_something_does_not_count_as_done(tenant, operator, go, monkeypatch, quick, key):
    monkeypatch.setattr(type(step_named(key)), "undo", lambda self, tenant: None)

    stuck = go(begin(ask(tenant, operator)))

    assert (stuck.status, stuck.error_code) == (Operation.Status.STUCK, "something_left")
    assert stuck.steps.get(key=key).status == "failed"
    assert stuck.steps.get(key=key).attempt == Deletion.max_attempts
    assert status_of(tenant) == Tenant.Status.DELETING
    assert not is_slug_free(tenant.slug)
    monkeypatch.undo()
    retry_operation(operation_id=stuck.pk, actor=operator)
    assert go(stuck).status == Operation.Status.SUCCEEDED


@pytest.mark.parametrize("trace", tenant_traces(), ids=lambda trace: trace.key)
def test_a_trace_that_stays_is_found_by_the_last_look(tenant, operator, go, monkeypatch, quick, trace):
    remember_everything_of(tenant)
    monkeypatch.setattr(type(trace), "remove", lambda self, tenant: None)

    stuck = go(begin(ask(tenant, operator)))

    assert (stuck.status, stuck.error_code) == (Operation.Status.STUCK, "something_left")
    assert str(trace.label) in stuck.error
    assert "left" not in stuck.facts
    assert status_of(tenant) == Tenant.Status.DELETING
    assert not AuditEntry.objects.filter(action="tenant.deleted", target_id=tenant.pk).exists()
    monkeypatch.undo()
    retry_operation(operation_id=stuck.pk, actor=operator, reason="mended")
    assert go(stuck).facts["left"] == dict.fromkeys(what_is_left(tenant), 0)


def test_what_comes_back_meanwhile_is_removed_once_more(tenant, operator, go, monkeypatch):
    """A request that was under way writes to the cache after it was cleared."""
    proof = type(Deletion().steps({})[-1])
    real = proof.run

    def late(self, tenant, inputs):
        with enter(tenant.ref):
            cache.set("late", 1)
        return real(self, tenant, inputs)

    monkeypatch.setattr(proof, "run", late)

    ended = go(begin(ask(tenant, operator)))

    assert ended.status == Operation.Status.SUCCEEDED
    assert what_is_left(tenant)["cache_entries"] == 0


def test_what_fails_for_good_is_stuck_and_never_undone(tenant, operator, go, monkeypatch):
    monkeypatch.setattr(type(step_named("schema")), "undo", lambda self, tenant: _raise(Rejected(part="x")))
    made = []
    for step in tenant_steps():
        monkeypatch.setattr(type(step), "run", lambda self, tenant, inputs: made.append(self))

    stuck = go(begin(ask(tenant, operator)))

    assert stuck.status == Operation.Status.STUCK
    assert made == []
    assert AuditEntry.objects.filter(action="operation.stuck", target_id=tenant.pk).count() == 1
    monkeypatch.undo()
    retry_operation(operation_id=stuck.pk, actor=operator)
    assert go(stuck).status == Operation.Status.SUCCEEDED


def test_an_outage_is_waited_for(tenant, operator, go, monkeypatch, quick):
    kind = type(step_named("bucket"))
    real, failures = kind.undo, [Unavailable(part="object storage")] * 8
    monkeypatch.setattr(kind, "undo", lambda self, tenant: _raise(failures.pop()) if failures else real(self, tenant))

    ended = go(begin(ask(tenant, operator)))

    assert ended.status == Operation.Status.SUCCEEDED
    assert ended.steps.get(key="bucket").attempt == 9


# Two at once


def test_of_two_who_ask_at_once_one_is_told_of_the_other(tenant, operator):
    answers = run_together(*[lambda: ask(tenant, operator)] * 2)

    (operation,) = [answer for answer in answers if isinstance(answer, Operation)]
    (refusal,) = [answer for answer in answers if isinstance(answer, Exception)]
    assert isinstance(refusal, TenantBusy)
    assert refusal.facts == {"operation": "Deletion", "slug": tenant.slug, "operation_id": str(operation.pk)}
    assert Operation.objects.filter(tenant=tenant, kind=Operation.Kind.DELETE).count() == 1


def test_of_calling_off_and_beginning_at_once_one_happens(tenant, operator, go):
    operation = begin(ask(tenant, operator))

    run_together(lambda: go(operation), lambda: undo_deletion(tenant_id=tenant.pk, actor=operator))

    ended = (get_operation(operation.pk).status, status_of(tenant))
    assert ended in [
        (Operation.Status.SUCCEEDED, Tenant.Status.DELETED),
        (Operation.Status.CANCELLED, Tenant.Status.ACTIVE),
    ]


def test_a_tenant_that_is_being_set_up_or_deleted_is_neither_suspended_nor_deleted(asked, tenant, operator):
    made = asked().tenant
    ask(tenant, operator)

    for busy in (made, tenant):
        with pytest.raises(TenantBusy):
            ask(busy, operator)
        with pytest.raises(TenantNotActive):
            suspend_tenant(tenant_id=busy.pk, actor=operator, reason=WHY)


def test_suspending_and_reactivating_do_not_ask_what_else_is_done_to_the_tenant(tenant, operator):
    """An export or a migration, say: any operation that leaves the tenant active."""
    Operation.objects.create(tenant=tenant, kind=Operation.Kind.PROVISION, actor_kind="system", actor_name="x")

    suspend_tenant(tenant_id=tenant.pk, actor=operator, reason=WHY)
    reactivate_tenant(tenant_id=tenant.pk, actor=operator, reason=WHY)

    assert status_of(tenant) == Tenant.Status.ACTIVE
    with pytest.raises(TenantBusy):
        ask(tenant, operator)


def test_people_can_be_removed_from_the_database_of_tests(new_tenant):
    """`people.remove` and a deletion leave the same: tests that use the shortcut prove something."""
    tenant = new_tenant()

    people.remove(tenant)

    left = what_is_left(tenant)
    assert not any(left[kind] for kind in ("schema", "role", "realm", "bucket", "address"))
