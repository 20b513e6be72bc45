"""Operations under failure: retried, undone, taken over; never half done, never done by two."""

import secrets
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import OperationalError, connections
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError
from psycopg import sql

from core.actors import SYSTEM
from core.audit.models import AuditEntry
from core.errors import Rejected, Unavailable
from events.outbox.models import OutboxMessage
from storage.adapters import store
from storage.buckets import bucket_exists, ensure_bucket
from tenants.models import Domain, Operation, Tenant
from tenants.schemas.making import existing_objects
from tenants.selectors import get_operation
from tenants.services import operations
from tenants.services.operations import claim_operation, run_operation
from tenants.services.provisioning import request_tenant
from tenants.steps import step_at
from tests.support import people
from tests.support.threads import run_apart, run_together


@pytest.fixture
def asked(committed, world):
    """Asks for tenants and takes away whatever their operations left."""
    made = []

    def ask(slug=None):
        slug = slug or f"op-{secrets.token_hex(5)}"
        operation = request_tenant(slug=slug, name="Op", admin_email="a@op.example", actor=SYSTEM)
        made.append(operation)
        return operation

    yield ask
    for operation in made:
        Operation.objects.filter(pk=operation.pk, status__in=Operation.ACTIVE).update(status=Operation.Status.FAILED)
        people.remove(operation.tenant)


@pytest.fixture
def quick(monkeypatch):
    """Retries are due at once."""
    monkeypatch.setattr(operations, "BACKOFF_S", (-1.0,))


def go(operation):
    """Run the operation as often as it is due; return it as it is then."""
    for _ in range(40):
        if not run_operation(operation.pk):
            break
    return get_operation(operation.pk)


def broken(monkeypatch, path, error, *, times=10**6, after=False):
    """Make a step fail, before or after its work, some times or always."""
    kind = type(step_at(path))
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


@pytest.mark.parametrize(
    ("path", "after"), [(settings.TENANT_STEPS[0], False), *((path, True) for path in settings.TENANT_STEPS)]
)
def test_when_a_step_fails_for_good_everything_is_undone_and_the_slug_is_free(asked, monkeypatch, path, after):
    operation = asked()
    broken(monkeypatch, path, Rejected(part="something"), after=after)

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
    at = settings.TENANT_STEPS.index(path)
    assert [step.status for step in ended.steps.all()] == ["undone"] * (at + 1) + ["waiting"] * (4 - at)
    assert AuditEntry.objects.filter(action="tenant.provisioning_failed", target_id=tenant.pk).count() == 1
    assert OutboxMessage.objects.filter(tenant_id=tenant.pk, name="plexica.tenant.provisioning_failed").count() == 1
    assert asked(tenant.slug).tenant.pk != tenant.pk


def test_after_a_failure_the_same_slug_can_be_set_up(asked, monkeypatch):
    operation = asked()
    broken(monkeypatch, settings.TENANT_STEPS[3], Rejected(part="object storage"))
    go(operation)
    monkeypatch.undo()

    again = go(asked(operation.tenant.slug))

    assert again.status == Operation.Status.SUCCEEDED


@pytest.mark.parametrize("error", [Unavailable(part="x"), OperationalError("lost"), BrokerError("no queue")])
def test_a_failure_that_may_pass_is_tried_again(asked, monkeypatch, quick, error):
    operation = asked()
    calls = broken(monkeypatch, settings.TENANT_STEPS[3], error, times=2)

    ended = go(operation)

    assert ended.status == Operation.Status.SUCCEEDED
    assert len(calls) == 3
    assert [step.attempt for step in ended.steps.all()] == [1, 1, 1, 3, 1]
    assert all(not step.error for step in ended.steps.all())


def test_a_failure_that_does_not_pass_is_given_up(asked, monkeypatch, quick):
    operation = asked()
    calls = broken(monkeypatch, settings.TENANT_STEPS[3], Unavailable(part="object storage"))

    ended = go(operation)

    assert (ended.status, ended.error_code) == (Operation.Status.FAILED, "unavailable")
    assert len(calls) == operations.MAX_ATTEMPTS
    assert nothing_is_left_of(ended.tenant)


def test_between_two_tries_nobody_holds_the_operation_and_it_is_not_due(asked, monkeypatch):
    operation = asked()
    broken(monkeypatch, settings.TENANT_STEPS[3], Unavailable(part="object storage"))

    assert run_operation(operation.pk)

    waiting = get_operation(operation.pk)
    assert (waiting.status, waiting.lease_owner, waiting.lease_until) == (Operation.Status.RUNNING, "", None)
    assert waiting.due_at > timezone.now()
    assert not run_operation(operation.pk)
    assert waiting.steps.all()[3].status == "retrying"


def test_an_undo_that_fails_is_repeated_until_it_ends(asked, monkeypatch, quick):
    operation, path = asked(), settings.TENANT_STEPS[3]
    kind = type(step_at(path))
    real, failures = kind.undo, [Unavailable(part="x"), OSError("x")]
    broken(monkeypatch, path, Rejected(part="x"), after=True)
    monkeypatch.setattr(
        kind, "undo", lambda self, tenant: real(self, tenant) if not failures else _raise(failures.pop())
    )

    ended = go(operation)

    assert ended.status == Operation.Status.FAILED
    assert nothing_is_left_of(ended.tenant)


def _raise(error):
    raise error


def test_an_undo_that_never_ends_is_stuck_for_an_operator_to_see(asked, monkeypatch, quick):
    operation, path = asked(), settings.TENANT_STEPS[3]
    broken(monkeypatch, path, Rejected(part="x"), after=True)
    monkeypatch.setattr(type(step_at(path)), "undo", lambda self, tenant: _raise(Unavailable(part="object storage")))

    ended = go(operation)

    assert ended.status == Operation.Status.STUCK
    assert ended.tenant.status == Tenant.Status.PROVISIONING  # its slug stays taken
    assert not run_operation(operation.pk)


# Leftovers


def make_leftover(kind, tenant):
    with connections["ops"].cursor() as cursor, connections["ops"].as_login():
        match kind:
            case "role":
                cursor.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(tenant.role_name)))
            case "bucket":
                ensure_bucket(tenant.bucket_name)
            case "key":
                store().make_key(tenant.bucket_name)
    if kind == "schema":
        with connections["ops"].cursor() as cursor:
            cursor.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(tenant.schema_name)))


@pytest.mark.parametrize("kind", ["schema", "role", "bucket", "key"])
def test_leftovers_are_named_and_not_touched(asked, kind):
    operation = asked()
    tenant = operation.tenant
    make_leftover(kind, tenant)
    before = existing_objects(tenant.ref), bucket_exists(tenant.bucket_name)

    ended = go(operation)

    assert (ended.status, ended.error_code) == (Operation.Status.FAILED, "leftovers_found")
    assert f"{kind} " in ended.error
    assert (existing_objects(tenant.ref), bucket_exists(tenant.bucket_name)) == before
    assert Tenant.objects.get(pk=tenant.pk).status == Tenant.Status.FAILED


def test_a_worker_that_died_after_finding_leftovers_does_not_get_them_removed(asked):
    """The operation says "undoing" then, and nothing of what exists is its own."""
    operation = asked()
    make_leftover("schema", operation.tenant)
    Operation.objects.filter(pk=operation.pk).update(status=Operation.Status.UNDOING)
    operation.steps.filter(position=1).update(attempt=2, status="failed")

    ended = go(operation)

    assert ended.status == Operation.Status.FAILED
    assert dict(existing_objects(operation.tenant.ref)) == {"schema": operation.tenant.schema_name}


def test_looking_for_leftovers_is_tried_again_when_it_cannot_be_done(asked, monkeypatch, quick):
    operation = asked()
    kind = type(step_at(settings.TENANT_STEPS[3]))
    failures = [Unavailable(part="object storage")]
    monkeypatch.setattr(kind, "find_leftovers", lambda self, tenant: _raise(failures.pop()) if failures else [])

    assert go(operation).status == Operation.Status.SUCCEEDED


# Leases


class Death(BaseException):
    """The worker is gone, without a word."""


@pytest.mark.parametrize("path", settings.TENANT_STEPS)
def test_when_a_worker_dies_another_goes_on_after_its_lease(asked, monkeypatch, path):
    operation = asked()
    broken(monkeypatch, path, Death(), after=True)
    with pytest.raises(Death):
        run_operation(operation.pk)
    monkeypatch.undo()

    assert not run_operation(operation.pk)  # the lease still runs
    Operation.objects.filter(pk=operation.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    ended = go(operation)

    assert ended.status == Operation.Status.SUCCEEDED
    at = settings.TENANT_STEPS.index(path)
    assert [step.attempt for step in ended.steps.all()] == [2 if n == at else 1 for n in range(5)]


def test_a_beat_finds_what_nobody_was_told_of(asked):
    operation = asked()

    assert operations.run_due_operations() >= 1

    assert get_operation(operation.pk).status == Operation.Status.SUCCEEDED


def test_only_one_of_two_workers_gets_an_operation(asked):
    operation = asked()

    claims = run_together(*[lambda n=n: claim_operation(worker=f"w{n}", operation_id=operation.pk) for n in range(4)])

    assert len([claim for claim in claims if claim]) == 1


def test_a_lease_is_renewed_while_a_step_takes_long(asked, monkeypatch):
    monkeypatch.setattr(operations, "HEARTBEAT_S", 0.02)
    operation = asked()
    kind = type(step_at(settings.TENANT_STEPS[1]))
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
def test_a_worker_that_lost_its_lease_writes_nothing_more(asked, monkeypatch, error):
    """Its step may end or fail: the tenant that another worker has set up meanwhile stays as it is."""
    operation, path = asked(), settings.TENANT_STEPS[3]
    kind = type(step_at(path))
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
    assert [step.status for step in ended.steps.all()] == ["done"] * 5
    assert ended.steps.all()[3].detail != "late"
    assert len(existing_objects(ended.tenant.ref)) == 2
    assert AuditEntry.objects.filter(action="tenant.activated", target_id=ended.tenant.pk).count() == 1


def test_a_worker_that_hears_of_its_lost_lease_begins_no_other_step(asked, monkeypatch):
    operation = asked()
    first, second = settings.TENANT_STEPS[:2]
    kind, real = type(step_at(first)), type(step_at(first)).run
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
    assert operations.describe_error(Unavailable(part="x")) == str(Unavailable.detail)
    assert operations.describe_error(KeyError("x")) == "KeyError: 'x'"
