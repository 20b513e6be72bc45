"""Tasks and their tenants, through a real worker and broker."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest
from celery.contrib.testing.worker import start_worker
from celery.fixups.django import DjangoWorkerFixup  # type: ignore[attr-defined]
from django.db import connection, transaction
from django.utils import timezone

from accounts.people.models import Role
from core import tasks
from core.celery import app
from core.tenancy import current, enter
from tenants import directory
from tenants.models import Operation, Tenant
from tenants.services.deletion import request_deletion
from tenants.services.work import run_operation
from tests.support.platform import wait_until

seen: list[Any] = []
happened = threading.Event()


@app.task
def look_around(word="done"):
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, current_schema()")
        seen.append((word, current(), cursor.fetchone(), connection.in_atomic_block))
    happened.set()


@app.task
def work_on(name):
    """Write in one transaction, and go on for ever, unless it is the second time."""
    seen.append(name)
    if len(seen) > 1:
        happened.set()
        return
    with transaction.atomic():
        Role.objects.create(name=name, label=name)
        while True:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(0.05)")


@pytest.fixture
def worker(committed, world):
    seen.clear()
    happened.clear()
    app.control.purge()
    with start_worker(app, perform_ping_check=False, pool="solo", queues=["default"]):
        yield
    app.control.purge()


@pytest.fixture
def other_state(committed, world):
    """Gives a tenant another state for the time of the test."""
    changed = []

    def change(ref, state):
        changed.append(ref)
        Tenant.objects.filter(pk=ref.id).update(status=state)
        directory.forget()

    yield change
    for ref in changed:
        Tenant.objects.filter(pk=ref.id).update(status=ref.state)


def look():
    assert happened.wait(timeout=15)
    return seen[-1]


def test_a_task_sent_inside_a_tenant_runs_inside_it(worker, acme):
    with enter(acme):
        look_around.delay()

    _, ref, where, _ = look()
    assert ref == acme
    assert where == (acme.role, acme.schema)


def test_a_task_sent_on_the_platform_runs_on_the_platform(worker):
    look_around.delay()

    assert look()[1:3] == (None, ("px_app", "public"))


def test_a_called_task_runs_where_its_caller_is(committed, acme):
    seen.clear()
    with enter(acme):
        look_around()

    assert seen[-1][1] == acme


@pytest.mark.parametrize("state", ["deleted", "failed"])
def test_a_task_of_a_tenant_that_is_gone_is_dropped(worker, acme, other_state, state):
    other_state(acme, state)
    with enter(acme):
        look_around.delay("dropped")
    look_around.delay("next")

    assert look()[0] == "next"
    assert [word for word, *_ in seen] == ["next"]


def test_a_task_of_a_suspended_tenant_waits_and_then_runs_inside_it(worker, acme, other_state, monkeypatch):
    monkeypatch.setattr(tasks, "POSTPONE_S", 0.2)
    monkeypatch.setattr(look_around, "max_retries", 0)  # waiting is no failed try
    other_state(acme, "suspended")
    with enter(acme):
        look_around.delay()
    look_around.delay("meanwhile")
    assert look()[0] == "meanwhile"
    happened.clear()

    other_state(acme, "active")

    word, ref, where, _ = look()
    assert (word, ref.id, where) == ("done", acme.id, (acme.role, acme.schema))


@pytest.mark.parametrize("state", ["suspended", "deleting"])
def test_a_task_that_runs_when_its_tenant_is_stopped_ends_undone_and_begins_anew(
    worker, acme, other_state, monkeypatch, state
):
    monkeypatch.setattr(tasks, "POSTPONE_S", 0.2)
    monkeypatch.setattr(work_on, "max_retries", 0)
    with enter(acme):
        work_on.delay("half-done")
    wait_until(lambda: seen, timeout_s=15, what=lambda: "the task did not begin")

    other_state(acme, state)
    look_around.delay("meanwhile")  # the one worker takes it as soon as it is free
    wait_until(lambda: len(seen) > 1, timeout_s=15, what=lambda: "the task went on")

    assert seen[1][0] == "meanwhile"
    with enter(acme):
        assert not Role.objects.filter(name="half-done").exists()
    happened.clear()
    other_state(acme, "active")
    assert happened.wait(timeout=15)
    assert seen[-1] == "half-done"


def test_behind_a_pooler_a_tenants_task_is_one_transaction(worker, acme, settings):
    settings.DATABASE_TRANSACTION_POOLING = True
    with enter(acme):
        look_around.delay()

    assert look()[3]


def test_a_task_of_a_tenant_that_waits_for_its_deletion_waits_too(worker, acme, other_state, monkeypatch):
    monkeypatch.setattr(tasks, "POSTPONE_S", 0.2)
    other_state(acme, "deleting")
    with enter(acme):
        look_around.delay()
    look_around.delay("meanwhile")
    assert look()[0] == "meanwhile"
    assert [word for word, *_ in seen] == ["meanwhile"]
    happened.clear()

    other_state(acme, "active")  # the deletion was called off

    assert look()[:2] == ("done", acme)


def test_what_was_queued_for_a_tenant_is_dropped_once_it_is_deleted(new_tenant, operator):
    """The message is in the broker before the tenant is deleted, and is delivered afterwards."""
    seen.clear()
    happened.clear()
    app.control.purge()
    tenant = new_tenant()
    with enter(tenant.ref):
        look_around.delay("of the deleted one")
    deletion = request_deletion(
        tenant_id=tenant.pk, typed_slug=tenant.slug, actor=operator, reason="The contract has ended"
    )
    Operation.objects.filter(pk=deletion.pk).update(due_at=timezone.now())
    assert run_operation(deletion.pk)
    assert Tenant.objects.get(pk=tenant.pk).status == "deleted"
    look_around.delay("next")

    with start_worker(app, perform_ping_check=False, pool="solo", queues=["default"]):
        assert look()[0] == "next"

    assert [word for word, *_ in seen] == ["next"]
    with app.connection_for_read() as broker:
        assert broker.default_channel.client.llen("default") == 0
    directory.forget()


def test_a_childs_pool_of_connections_outlives_its_tasks(committed):
    """Celery closes it around each task by default: a login at PostgreSQL and five threads for each."""
    around = DjangoWorkerFixup(app)
    around.worker = SimpleNamespace(pool_cls="prefork")
    connection.ensure_connection()
    pool = connection.pool

    around.on_task_prerun(look_around)
    around.on_task_postrun(look_around)

    assert not pool.closed
    assert connection.pool is pool


def test_a_message_names_its_tenant_by_id_alone(acme, monkeypatch):
    sent = {}
    monkeypatch.setattr(app, "send_task", lambda *args, **options: sent.update(options))
    with enter(acme):
        look_around.apply_async(headers={"more": "1"})

    assert sent["headers"] == {"more": "1", tasks.HEADER: str(acme.id)}
    assert acme.slug not in repr(sent)
