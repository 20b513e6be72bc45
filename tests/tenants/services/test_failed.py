"""What is kept of tenants that were never set up."""

from datetime import timedelta

from core.errors import Rejected
from tenants.models import Tenant
from tenants.services import failed
from tenants.traces import PersonalData
from tests.support.people import step_named


def test_people_of_a_failed_tenant_are_forgotten_after_a_month(asked, go, monkeypatch):
    def refuse(self, tenant, inputs):
        raise Rejected(part="something")

    monkeypatch.setattr(type(step_named("first_admin")), "run", refuse)
    tenant = go(asked(admin_name="Ada Failed")).tenant
    assert (tenant.status, tenant.admin_name) == (Tenant.Status.FAILED, "Ada Failed")

    failed.forget_people_of_failed_tenants()
    early = PersonalData().count(tenant)
    Tenant.objects.filter(pk=tenant.pk).update(created_at=tenant.created_at - failed.KEPT - timedelta(days=1))
    failed.forget_people_of_failed_tenants()

    assert early > 0
    assert PersonalData().count(tenant) == 0
    assert Tenant.objects.get(pk=tenant.pk).admin_email == ""
