import io
import json
import time

import pytest
from django.core.management import CommandError, call_command

from core.audit.models import AuditEntry
from core.errors import Invalid
from events.outbox.models import OutboxMessage
from tenants.errors import TenantChanged, TenantNotActive, TenantNotSuspended
from tenants.models import Tenant
from tenants.services.lifecycle import reactivate_tenant, suspend_tenant

REASON = "The invoice is three months old"


@pytest.fixture
def suspended_tenant(acme, operator, db):
    return suspend_tenant(tenant_id=acme.id, actor=operator, reason=REASON)


def test_suspending_is_recorded_with_its_reason_and_announced(acme, operator, db):
    tenant = suspend_tenant(tenant_id=acme.id, actor=operator, reason=REASON)

    assert tenant.status == Tenant.Status.SUSPENDED
    entry = AuditEntry.objects.get(action="tenant.suspended", target_id=acme.id)
    assert (entry.actor_id, entry.reason) == (operator.id, REASON)
    assert OutboxMessage.objects.filter(name="plexica.tenant.suspended", tenant_id=acme.id).count() == 1


def test_a_suspended_tenant_cannot_be_suspended_again(suspended_tenant, operator):
    with pytest.raises(TenantNotActive) as refusal:
        suspend_tenant(tenant_id=suspended_tenant.pk, actor=operator, reason="again")

    assert refusal.value.facts["slug"] == suspended_tenant.slug
    assert AuditEntry.objects.filter(action="tenant.suspended", target_id=suspended_tenant.pk).count() == 1


def test_an_active_tenant_cannot_be_reactivated(acme, operator, db):
    with pytest.raises(TenantNotSuspended):
        reactivate_tenant(tenant_id=acme.id, actor=operator, reason=REASON)

    assert not AuditEntry.objects.filter(action="tenant.reactivated", target_id=acme.id).exists()


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501])
def test_without_a_sensible_reason_nothing_happens(acme, operator, db, reason):
    with pytest.raises(Invalid):
        suspend_tenant(tenant_id=acme.id, actor=operator, reason=reason)

    assert Tenant.objects.get(pk=acme.id).status == Tenant.Status.ACTIVE


def test_whoever_looked_at_an_older_version_is_told(acme, operator, db):
    version = Tenant.objects.get(pk=acme.id).version

    with pytest.raises(TenantChanged):
        suspend_tenant(tenant_id=acme.id, actor=operator, reason=REASON, expected_version=version - 1)

    assert Tenant.objects.get(pk=acme.id).status == Tenant.Status.ACTIVE


def test_pages_and_sign_in_refuse_within_a_second_and_come_back(new_tenant, operator, visitor):
    tenant = new_tenant()
    somebody = visitor(tenant.ref)
    assert somebody.get("/").status_code == 302

    suspend_tenant(tenant_id=tenant.pk, actor=operator, reason=REASON)
    time.sleep(1)

    for path in ("/", "/op/sign-in/", "/api/v1/me/"):
        assert somebody.get(path).status_code == 403, path
    reactivate_tenant(tenant_id=tenant.pk, actor=operator, reason="Paid")
    time.sleep(1)
    assert somebody.get("/").status_code == 302


def test_an_operator_suspends_and_reactivates_on_the_tenants_page(operator_at_console, acme):
    page = operator_at_console.get("/console/tenants/acme-corp/")
    answer = operator_at_console.post("/console/tenants/acme-corp/suspend/", {"reason": REASON}, page=page)

    assert answer.status_code == 302
    page = operator_at_console.get("/console/tenants/acme-corp/")
    assert "is suspended" in page.content.decode()
    operator_at_console.post("/console/tenants/acme-corp/reactivate/", {"reason": "Paid"}, page=page)
    assert Tenant.objects.get(pk=acme.id).status == Tenant.Status.ACTIVE


def test_the_commands_say_what_they_did_and_refuse_with_one_sentence(acme, db):
    out = io.StringIO()

    call_command("suspend_tenant", "acme-corp", "--reason", REASON, "--json", stdout=out)

    assert json.loads(out.getvalue())["status"] == "suspended"
    with pytest.raises(CommandError, match="not active"):
        call_command("suspend_tenant", "acme-corp", "--reason", REASON)
    call_command("reactivate_tenant", "acme-corp", "--reason", "Paid", stdout=out)
    assert Tenant.objects.get(pk=acme.id).status == Tenant.Status.ACTIVE
