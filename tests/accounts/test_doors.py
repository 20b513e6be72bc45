"""What is told of a tenant that stops or goes on, so that its realm follows."""

import pytest
from django.conf import settings
from redis import Redis

from accounts import doors
from tenants.models import Tenant
from tenants.services.deletion import request_deletion, undo_deletion
from tenants.services.lifecycle import reactivate_tenant, suspend_tenant

TASK = b"accounts.tasks.match_realms"


@pytest.fixture
def queue():
    """The operations worker's real queue."""
    with Redis.from_url(settings.CELERY_BROKER_URL) as valkey:
        valkey.delete("operations")
        yield lambda: sum(TASK in message for message in valkey.lrange("operations", 0, -1))
        valkey.delete("operations")


@pytest.fixture
def elsewhere(acme, db):
    """acme-corp, as if its realm were at a Keycloak."""
    Tenant.objects.filter(pk=acme.id).update(identity_server="keycloak")
    return acme


def stop(tenant, operator):
    suspend_tenant(tenant_id=tenant.id, actor=operator, reason="the invoice")


def test_the_worker_is_told_of_each_change_after_its_commit(
    elsewhere, operator, queue, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        stop(elsewhere, operator)
        assert queue() == 0
    assert queue() == 1

    with django_capture_on_commit_callbacks(execute=True):
        reactivate_tenant(tenant_id=elsewhere.id, actor=operator, reason="paid")
    assert queue() == 2

    with django_capture_on_commit_callbacks(execute=True):
        request_deletion(tenant_id=elsewhere.id, typed_slug=elsewhere.slug, actor=operator, reason="left")
        undo_deletion(tenant_id=elsewhere.id, actor=operator)
    assert queue() == 4


def test_nobody_is_told_of_a_tenant_at_the_built_in_issuer(
    acme, operator, queue, django_capture_on_commit_callbacks, db
):
    with django_capture_on_commit_callbacks(execute=True):
        stop(acme, operator)

    assert queue() == 0


def test_only_realms_that_differ_are_visited(elsewhere, globex, operator):
    assert list(doors._different()) == []

    stop(elsewhere, operator)
    assert [tenant.slug for tenant in doors._different()] == [elsewhere.slug]

    Tenant.objects.filter(pk=elsewhere.id).update(identity_open=False)
    assert list(doors._different()) == []
    reactivate_tenant(tenant_id=elsewhere.id, actor=operator, reason="paid")
    assert [tenant.slug for tenant in doors._different()] == [elsewhere.slug]
