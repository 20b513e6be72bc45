"""Operations under failure: retried, undone, taken over; never half done, never done by two."""

from datetime import timedelta

import pytest
from django.db import OperationalError, connections
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from core.actors import SYSTEM
from core.audit.models import AuditEntry
from core.errors import Rejected, Unavailable
from core.tenancy import enter
from events.outbox.models import OutboxMessage
from storage.adapters import store
from storage.adapters.s3.store import S3Store
from storage.buckets import bucket_exists
from storage.keys.models import BucketKey
from tenants.models import Domain, Operation, Tenant
from tenants.schemas.making import existing_objects
from tenants.selectors import get_operation
from tenants.services import leases, work
from tenants.services.answers import retry_operation
from tenants.services.deletion import request_deletion
from tenants.services.provisioning import Provisioning
from tenants.services.work import claim_operation, run_operation
from tenants.steps import tenant_steps
from tests.support.people import step_named
from tests.support.threads import run_apart, run_together

KEYS = [step.key for step in tenant_steps()]


def broken(monkeypatch, key, error, *, times=10**6, after=False):
    """Make a step fail, before or after its work, some times or always."""
    kind = type(step_named(key))
    real, calls = kind.run, []

    def run(self, tenant, inputs):
        calls.append(1)
        if len(calls) > times:
            return real(self, tenant, inputs)
        if after:
            real(self, tenant, inputs)
        raise error

    monkeypatch.setattr(kind, "run", run)
    return calls


def nothing_is_left_of(tenant):
    name = tenant.bucket_name
    return not (existing_objects(tenant.ref) or bucket_exists(name) or store().has_keyholder(name))


@pytest.mark.parametrize(("key", "after"), [(KEYS[0], False), *((key, True) for key in KEYS)])
def test_when_a_step_fails_for_good_everything_is_undone_and_the_slug_is_free(asked, monkeypatch, key, after, go):
    operation = asked()
    broken(monkeypatch, key, Rejected(part="something"), after=after)

    ended = go(operation)
    monkeypatch.undo()

    tenant = ended.tenant
    assert (ended.status, tenant.status, ended.error_code) == (
        Operation.Status.FAILED,
        Tenant.Status.FAILED,
        "rejected",
    )
    assert nothing_is_left_of(tenant)
    assert not Domain.objects.filter(domain=tenant.slug).exists()
    at = KEYS.index(key)
    assert [step.status for step in ended.steps.all()] == ["undone"] * (at + 1) + ["waiting"] * (5 - at)
    assert AuditEntry.objects.filter(action="tenant.provisioning_failed", target_id=tenant.pk).count() == 1
    assert OutboxMessage.objects.filter(tenant_id=tenant.pk, name="plexica.tenant.provisioning_failed").count() == 1
    assert asked(tenant.slug).tenant.pk != tenant.pk


def test_after_a_failure_the_same_slug_can_be_set_up(asked, monkeypatch, go):
    operation = asked()
    broken(monkeypatch, "bucket", Rejected(part="object storage"))
    go(operation)
    monkeypatch.undo()

    again = go(asked(operation.tenant.slug))

    assert again.status == Operation.Status.SUCCEEDED


@pytest.mark.parametrize("error", [Unavailable(part="x"), OperationalError("lost"), BrokerError("no queue")])
def test_a_failure_that_may_pass_is_tried_again(asked, monkeypatch, quick, error, go):
    operation = asked()
    calls = broken(monkeypatch, "bucket", error, times=2)

    ended = go(operation)

    assert ended.status == Operation.Status.SUCCEEDED
    assert len(calls) == 3
    assert [step.attempt for step in ended.steps.all()] == [1, 1, 1, 1, 3, 1]
    assert all(not step.error for step in ended.steps.all())


def test_a_failure_that_does_not_pass_is_given_up(asked, monkeypatch, quick, go):
    operation = asked()
    calls = broken(monkeypatch, "bucket", Unavailable(part="object storage"))

    ended = go(operation)

    assert (ended.status, ended.error_code) == (Operation.Status.FAILED, "unavailable")
    assert len(calls) == Provisioning.max_attempts
    assert nothing_is_left_of(ended.tenant)


def test_between_two_tries_nobody_holds_the_operation_and_it_is_not_due(asked, monkeypatch):
    operation = asked()
    broken(monkeypatch, "bucket", Unavailable(part="object storage"))

    assert run_operation(operation.pk)

    waiting = get_operation(operation.pk)
    assert (waiting.status, waiting.lease_owner, waiting.lease_until) == (Operation.Status.RUNNING, "", None)
    assert waiting.due_at > timezone.now()
    assert not run_operation(operation.pk)
    assert waiting.steps.get(key="bucket").status == "retrying"


def test_an_undo_that_fails_is_repeated_until_it_ends(asked, monkeypatch, quick, go):
    operation, key = asked(), "bucket"
    kind = type(step_named(key))
    real, failures = kind.undo, [Unavailable(part="x"), OSError("x")]
    broken(monkeypatch, key, Rejected(part="x"), after=True)
    monkeypatch.setattr(
        kind, "undo", lambda self, tenant: real(self, tenant) if not failures else _raise(failures.pop())
    )

    ended = go(operation)

    assert ended.status == Operation.Status.FAILED
    assert nothing_is_left_of(ended.tenant)


def _raise(error):
    raise error


def test_an_undo_that_never_ends_is_stuck_for_an_operator_to_see(asked, monkeypatch, quick, go):
    operation, key = asked(), "bucket"
    broken(monkeypatch, key, Rejected(part="x"), after=True)
    monkeypatch.setattr(type(step_named(key)), "undo", lambda self, tenant: _raise(Unavailable(part="object storage")))

    ended = go(operation)

    assert ended.status == Operation.Status.STUCK
    assert ended.tenant.status == Tenant.Status.PROVISIONING  # its slug stays taken
    assert not run_operation(operation.pk)


# Leftovers


def test_looking_for_leftovers_is_tried_again_when_it_cannot_be_done(asked, monkeypatch, quick, go):
    operation = asked()
    kind = type(step_named("bucket"))
    failures = [Unavailable(part="object storage")]
    monkeypatch.setattr(kind, "find_leftovers", lambda self, tenant: _raise(failures.pop()) if failures else [])

    assert go(operation).status == Operation.Status.SUCCEEDED


def test_behind_a_pooler_a_tenant_is_set_up_and_deleted_as_anywhere(asked, monkeypatch, operator, go, settings):
    """Tenants' statements are sent inside transactions: the pooler keeps no role between statements."""
    settings.DATABASE_TRANSACTION_POOLING = True
    monkeypatch.setitem(connections["default"].settings_dict["TENANCY"], "transaction_pooling", True)
    made = go(asked())
    assert (made.status, made.error) == (Operation.Status.SUCCEEDED, "")
    slug = made.tenant.slug

    deletion = request_deletion(tenant_id=made.tenant_id, typed_slug=slug, actor=operator, reason="x", now=True)
    Operation.objects.filter(pk=deletion.pk).update(due_at=timezone.now())

    assert go(deletion).status == Operation.Status.SUCCEEDED


# Leases


class Death(BaseException):
    """The worker is gone, without a word."""


@pytest.mark.parametrize("key", KEYS)
def test_when_a_worker_dies_another_goes_on_after_its_lease(asked, monkeypatch, key, go):
    operation = asked()
    broken(monkeypatch, key, Death(), after=True)
    with pytest.raises(Death):
        run_operation(operation.pk)
    monkeypatch.undo()

    assert not run_operation(operation.pk)  # the lease still runs
    Operation.objects.filter(pk=operation.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    ended = go(operation)

    assert ended.status == Operation.Status.SUCCEEDED
    assert [step.attempt for step in ended.steps.all()] == [2 if step == key else 1 for step in KEYS]


def test_a_beat_finds_what_nobody_was_told_of(asked):
    operation = asked()

    assert work.run_due_operations() >= 1

    assert get_operation(operation.pk).status == Operation.Status.SUCCEEDED


def test_only_one_of_two_workers_gets_an_operation(asked):
    operation = asked()

    claims = run_together(*[lambda n=n: claim_operation(worker=f"w{n}", operation_id=operation.pk) for n in range(4)])

    assert len([claim for claim in claims if claim]) == 1


def test_a_lease_is_renewed_while_a_step_takes_long(asked, monkeypatch, go):
    monkeypatch.setattr(leases, "HEARTBEAT_S", 0.02)
    operation = asked()
    kind = type(step_named("preferences"))
    real = kind.run

    def slow(self, tenant, inputs):
        def shorten():
            Operation.objects.filter(pk=operation.pk).update(lease_until=timezone.now() - timedelta(seconds=1))

        run_apart(shorten)
        deadline = timezone.now() + timedelta(seconds=5)
        while Operation.objects.get(pk=operation.pk).lease_until < timezone.now():
            assert timezone.now() < deadline
        assert not run_apart(lambda: run_operation(operation.pk))
        return real(self, tenant, inputs)

    monkeypatch.setattr(kind, "run", slow)

    assert go(operation).status == Operation.Status.SUCCEEDED


def steal(operation):
    """Another worker takes the operation, as if the lease had run out, and brings it to its end."""

    def other():
        Operation.objects.filter(pk=operation.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
        assert run_operation(operation.pk)

    run_apart(other)


@pytest.mark.parametrize("error", [None, Rejected(part="x"), Unavailable(part="x")], ids=["done", "failed", "retry"])
def test_a_worker_that_lost_its_lease_writes_nothing_more(asked, monkeypatch, error, go):
    """Its step may end or fail: the tenant that another worker has set up meanwhile stays as it is."""
    operation, key = asked(), "bucket"
    kind = type(step_named(key))
    real = kind.run

    def slow(self, tenant, inputs):
        monkeypatch.setattr(kind, "run", real)
        steal(operation)
        if error:
            raise error
        return "late"

    monkeypatch.setattr(kind, "run", slow)
    run_operation(operation.pk)

    ended = go(operation)
    assert (ended.status, ended.tenant.status) == (Operation.Status.SUCCEEDED, Tenant.Status.ACTIVE)
    assert [step.status for step in ended.steps.all()] == ["done"] * 6
    assert ended.steps.get(key="bucket").detail != "late"
    assert len(existing_objects(ended.tenant.ref)) == 2
    assert AuditEntry.objects.filter(action="tenant.activated", target_id=ended.tenant.pk).count() == 1


def test_a_worker_that_stood_still_until_another_took_over_acts_no_more(asked, monkeypatch, go):
    """Between what an outside call made and the row that remembers it: a second key would make the first one worthless."""
    operation = asked()
    real = S3Store.make_key
    made = []

    def make_key_and_stand_still(self, bucket):
        key = real(self, bucket)
        made.append(key.id)
        if len(made) == 1:
            monkeypatch.setattr(leases, "SURE_S", 0.0)  # as if it had slept for longer
            Operation.objects.filter(pk=operation.pk).update(lease_owner="another", lease_until=timezone.now())
        return key

    monkeypatch.setattr(S3Store, "make_key", make_key_and_stand_still)
    run_operation(operation.pk)

    stopped = get_operation(operation.pk)
    with enter(operation.tenant.ref):
        assert not BucketKey.objects.exists()
    assert stopped.lease_owner == "another"
    monkeypatch.setattr(leases, "SURE_S", 8.0)
    ended = go(operation)
    assert ended.tenant.status == Tenant.Status.ACTIVE
    with enter(operation.tenant.ref):
        assert [BucketKey.objects.get().key_id] == store().list_key_ids(operation.tenant.bucket_name) == made[1:]


def test_a_worker_that_cannot_ask_for_its_lease_acts_no_more(asked, monkeypatch):
    operation = asked()
    claimed = claim_operation(worker="me", operation_id=operation.pk)
    monkeypatch.setattr(leases, "SURE_S", 0.0)
    monkeypatch.setattr(leases, "LEASE_S", 0.2)
    monkeypatch.setattr(leases.Lease, "_renew_once", lambda self: None)  # PostgreSQL does not answer

    with leases.Lease(claimed) as lease, pytest.raises(leases.LeaseLost):
        lease.confirm()


def test_a_worker_that_hears_of_its_lost_lease_begins_no_other_step(asked, monkeypatch):
    operation = asked()
    first, second = KEYS[:2]
    kind, real = type(step_named(first)), type(step_named(first)).run
    later = broken(monkeypatch, second, AssertionError("begun"))

    def slow(self, tenant, inputs):
        said = real(self, tenant, inputs)
        Operation.objects.filter(pk=operation.pk).update(lease_owner="another", lease_until=timezone.now())
        return said

    monkeypatch.setattr(kind, "run", slow)
    run_operation(operation.pk)

    assert later == []
    assert get_operation(operation.pk).lease_owner == "another"


def test_an_error_of_ours_speaks_for_itself_and_others_show_their_class():
    assert work.describe_error(Unavailable(part="x")) == f"{Unavailable.detail} (x)"
    assert work.describe_error(KeyError("x")) == "KeyError: 'x'"


def test_a_kind_of_another_release_is_stuck_until_code_knows_it_again(asked, settings, go):
    operation = asked()
    known = settings.OPERATION_KINDS
    settings.OPERATION_KINDS = {name: path for name, path in known.items() if name != operation.kind}

    stuck = go(operation)

    assert (stuck.status, stuck.error_code) == (Operation.Status.STUCK, "step_unknown")
    settings.OPERATION_KINDS = known
    retry_operation(operation_id=operation.pk, actor=SYSTEM)
    assert go(operation).status == Operation.Status.SUCCEEDED


def test_a_step_of_another_release_is_not_undone_by_guessing(asked, monkeypatch, go):
    """The step before it was done; then code came that has it no more, and the operation fails."""
    operation = asked()
    broken(monkeypatch, KEYS[-1], Rejected(part="x"))
    monkeypatch.setattr(
        Provisioning, "steps", lambda self, inputs: [step for step in tenant_steps() if step.key != KEYS[1]]
    )
    operation.steps.filter(key=KEYS[1]).update(status="done", started_at=timezone.now())

    stuck = go(operation)
    monkeypatch.undo()

    assert (stuck.status, stuck.error_code) == (Operation.Status.STUCK, "step_unknown")
    retry_operation(operation_id=operation.pk, actor=SYSTEM)
    assert go(operation).status == Operation.Status.FAILED
    assert nothing_is_left_of(operation.tenant)
