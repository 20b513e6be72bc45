"""`kill -9` at every moment of every kind of operation: the next worker finishes or undoes what it finds.

Each test is one operation whose workers die in turn, one at each moment of each step; nobody but the last one lives. A new
kind of operation joins by saying in `BEGIN` how one of it begins, and in `ENDED` what there is when it has succeeded.
"""

import io
import secrets
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.people.models import Person
from archives import content, place
from archives.models import Archive
from archives.selectors import list_exports
from archives.services.exports import request_export
from archives.services.imports import import_archive, request_clone
from core.tenancy import enter
from storage.adapters import store
from tenants.kinds import kind_of
from tenants.models import Operation, Tenant
from tenants.removal import what_is_left
from tenants.selectors import get_operation
from tenants.services.deletion import request_deletion
from tenants.steps import tenant_steps
from tests.support import people
from tests.support.dying import MOMENTS, Death, let_a_worker_die


def _provision(asked, new_tenant, operator):
    return asked()


def _delete(asked, new_tenant, operator):
    tenant = new_tenant()
    return request_deletion(tenant_id=tenant.pk, typed_slug=tenant.slug, actor=operator, reason="x", now=True)


def _export(asked, new_tenant, operator):
    return request_export(tenant_id=new_tenant().pk, actor=operator, reason="x")


def _import(asked, new_tenant, operator):
    archive = io.BytesIO()
    content.write_archive(archive, new_tenant())
    archive.seek(0)
    return import_archive(source=archive, slug=f"im-{secrets.token_hex(5)}", actor=operator)


def _clone(asked, new_tenant, operator):
    return request_clone(tenant_id=new_tenant().pk, slug=f"cl-{secrets.token_hex(5)}", actor=operator, reason="x")


def _is_active(tenant):
    assert tenant.status == Tenant.Status.ACTIVE
    owned = {kind for step in tenant_steps() for kind in step.makes}
    assert {kind for kind, count in what_is_left(tenant).items() if count} >= owned


def _is_deleted(tenant):
    assert tenant.status == Tenant.Status.DELETED
    left = what_is_left(tenant)
    assert left.pop("messages") == 1  # the one that says so
    assert not any(left.values()), left


def _is_exported(tenant):
    _is_active(tenant)
    with place.reading(list_exports(tenant.pk).get()) as source:
        assert content.read_archive(source).manifest.tenant.id == str(tenant.pk)


def _is_restored(tenant):
    _is_active(tenant)
    _has_no_archive(tenant)
    with enter(tenant.ref):
        assert Person.objects.get().email == tenant.admin_email


def _has_no_archive(tenant):
    archive = Archive.objects.get(operation__tenant=tenant)
    assert archive.removed_at
    with pytest.raises(FileNotFoundError), store().read(*place.address_of(archive)):
        pass


def _is_not_exported(tenant, asked, go):
    _is_active(tenant)
    _has_no_archive(tenant)


def _is_gone(tenant, asked, go):
    owned = {kind for step in tenant_steps() for kind in step.makes}
    assert not any(what_is_left(tenant)[kind] for kind in owned)
    assert go(asked(tenant.slug)).status == Operation.Status.SUCCEEDED


def _is_gone_with_its_archive(tenant, asked, go):
    _has_no_archive(tenant)
    _is_gone(tenant, asked, go)


Kind = Operation.Kind
BEGIN = {
    Kind.PROVISION: _provision,
    Kind.DELETE: _delete,
    Kind.EXPORT: _export,
    Kind.IMPORT: _import,
    Kind.CLONE: _clone,
}
ENDED = {
    Kind.PROVISION: _is_active,
    Kind.DELETE: _is_deleted,
    Kind.EXPORT: _is_exported,
    Kind.IMPORT: _is_restored,
    Kind.CLONE: _is_restored,
}
UNDONE = {
    Kind.PROVISION: _is_gone,
    Kind.EXPORT: _is_not_exported,
    Kind.IMPORT: _is_gone_with_its_archive,
    Kind.CLONE: _is_gone_with_its_archive,
}
KINDS = list(Operation.Kind)


@pytest.fixture
def operation(request, asked, new_tenant, operator):
    begun = BEGIN[request.param](asked, new_tenant, operator)
    yield begun
    Operation.objects.filter(pk=begun.pk, status__in=Operation.ACTIVE).update(status=Operation.Status.FAILED)
    people.remove(begun.tenant)


def let_the_next_one_take_it(operation):
    """The dead worker's lease has run out, and what waited is due."""
    past = timezone.now() - timedelta(seconds=1)
    Operation.objects.filter(pk=operation.pk).exclude(lease_until=None).update(lease_until=past)
    Operation.objects.filter(pk=operation.pk).update(due_at=past)


def keys_of(operation):
    return [step.key for step in operation.steps.all()]


def deaths_forward(keys):
    return [Death(key, moment) for key in keys for moment in MOMENTS]


def deaths_backward(keys):
    return [Death(key, moment, undoing=True) for key in reversed(keys) for moment in MOMENTS]


def test_every_kind_of_operation_is_killed():
    assert set(BEGIN) == set(ENDED) == set(Operation.Kind)


@pytest.mark.parametrize("operation", KINDS, indirect=True)
def test_workers_killed_at_every_moment_are_followed_by_one_that_finishes(operation, go, asked):
    for death in deaths_forward(keys_of(operation)):
        let_the_next_one_take_it(operation)
        let_a_worker_die(operation.pk, death)
    let_the_next_one_take_it(operation)

    ended = go(operation)

    assert (ended.status, ended.error) == (Operation.Status.SUCCEEDED, "")
    ENDED[ended.kind](ended.tenant)
    # "begun" and "inside" count as attempts; the one that died after it found it done
    assert [step.attempt for step in ended.steps.all()] == [3] * len(keys_of(operation))


@pytest.mark.parametrize("operation", [kind for kind in KINDS if kind_of(Operation(kind=kind)).undoes], indirect=True)
def test_workers_killed_at_every_moment_of_undoing_are_followed_by_one_that_undoes(operation, go, asked):
    keys = keys_of(operation)
    for death in deaths_backward(keys):
        let_the_next_one_take_it(operation)
        let_a_worker_die(operation.pk, death, failing=keys[-1])
    let_the_next_one_take_it(operation)

    ended = go(operation)

    assert (ended.status, ended.error_code) == (Operation.Status.FAILED, "rejected")
    assert [step.status for step in ended.steps.all()] == ["undone"] * len(keys)
    UNDONE[ended.kind](ended.tenant, asked, go)


def test_the_slug_of_a_tenant_whose_deletion_was_killed_is_free_again(new_tenant, operator, asked, go):
    deletion = _delete(asked, new_tenant, operator)
    let_the_next_one_take_it(deletion)
    let_a_worker_die(deletion.pk, Death("schema", "inside"))
    let_the_next_one_take_it(deletion)

    ended = go(deletion)

    _is_deleted(ended.tenant)
    assert go(asked(ended.tenant.slug)).status == Operation.Status.SUCCEEDED


def test_a_killed_worker_keeps_its_lease_until_it_runs_out(asked, go):
    operation = asked()
    let_a_worker_die(operation.pk, Death("bucket", "inside"))

    held = go(operation)

    assert held.status == Operation.Status.RUNNING
    assert held.lease_until > timezone.now()
    assert held.steps.get(key="bucket").status == "running"
    assert get_operation(operation.pk).lease_owner == held.lease_owner != ""
