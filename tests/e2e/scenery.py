"""Fills a platform's database with what pages need to be looked at; prints the addresses that only it knows, as JSON.

Run by the `platform` fixture as `python -m tests.e2e.scenery`, in the platform's environment.
"""

import json
import os
import sys
from datetime import timedelta

import django

SUSPENDED, WAITING = "hooli", "initech"
STUCK, IN_GRACE, GONE, EXPORTED = "stark", "umbrella", "tyrell", "globex-inc"


def fill() -> dict[str, str]:
    """Give acme-corp a past, make a suspended tenant and one that is being set up; return single-use addresses."""
    from django.db import transaction
    from django.utils import timezone

    from accounts import demo
    from accounts.identity.builtin.links import make_password_link
    from accounts.identity.models import Account
    from core.actors import SYSTEM
    from core.tenancy import enter, enter_platform
    from tenants.models import Operation, Tenant
    from tenants.services.provisioning import request_tenant
    from tests.support import people
    from tests.support.platform import START_S

    demo.seed_tenant(next(tenant for tenant in demo.TENANTS if tenant.slug == "acme-corp"))
    hooli = request_tenant(slug=SUSPENDED, name="Hooli", admin_email="gavin@hooli.example", actor=SYSTEM)
    demo.wait_for(hooli.pk, timeout_s=START_S)
    Tenant.objects.filter(slug=SUSPENDED).update(status=Tenant.Status.SUSPENDED, suspended_at=timezone.now())
    with transaction.atomic():  # leased from the first moment on, so that no worker takes it
        asked = request_tenant(slug=WAITING, name="Initech", admin_email="bill@initech.example", actor=SYSTEM)
        lease = timezone.now() + timedelta(days=1)
        Operation.objects.filter(pk=asked.pk).update(lease_owner="nobody", lease_until=lease)
    states = show_operations()
    with enter(Tenant.objects.get(slug="acme-corp").ref):
        member_link = make_password_link(Account.objects.get(email=people.email_of("member")))
    with enter_platform():
        operator_link = make_password_link(Account.objects.get(email=people.email_of("operator")))
    return {"workspace": member_link, "platform": operator_link, **states}


def show_operations() -> dict[str, str]:
    """Make tenants with a stuck operation, in their grace period and gone, and a run of the fleet; return ids by placeholder."""
    from core.tenancy import enter_platform

    with enter_platform():
        return {"{stuck}": _get_stuck(), "{run}": _migrate(), "{export}": _export(), **_delete()}


def _get_stuck() -> str:
    from django.db import transaction
    from django.utils import timezone

    from core.actors import SYSTEM
    from tenants.models import Operation
    from tenants.services.provisioning import request_tenant

    now = timezone.now()
    with transaction.atomic():
        stuck = request_tenant(slug=STUCK, name="Stark Industries", admin_email="p@stark.example", actor=SYSTEM)
        found = f"schema {stuck.tenant.schema_name}"
        Operation.objects.filter(pk=stuck.pk).update(
            status=Operation.Status.STUCK,
            resumes_as=Operation.Status.RUNNING,
            error_code="leftovers_found",
            error=f"These exist already: {found}. Adopt them, have them removed, or give up.",
            started_at=now,
            finished_at=now,
        )
    return str(stuck.pk)


def _delete() -> dict[str, str]:
    from accounts import demo
    from core.actors import SYSTEM
    from tenants.models import Operation
    from tenants.services.deletion import request_deletion
    from tenants.services.provisioning import request_tenant
    from tests.support.platform import START_S

    def made(slug: str) -> Operation:
        asked = request_tenant(slug=slug, name=slug.title(), admin_email=f"a@{slug}.example", actor=SYSTEM)
        demo.wait_for(asked.pk, timeout_s=START_S)
        return request_deletion(
            tenant_id=asked.tenant_id, typed_slug=slug, actor=SYSTEM, reason="The contract has ended", now=slug == GONE
        )

    made(IN_GRACE)
    deletion = made(GONE)
    demo.wait_for(deletion.pk, timeout_s=START_S)
    return {"{gone}": str(deletion.tenant_id), "{deletion}": str(deletion.pk)}


def _export() -> str:
    from accounts import demo
    from archives.services.exports import request_export
    from core.actors import SYSTEM
    from tenants.selectors import get_tenant
    from tests.support.platform import START_S

    exported = get_tenant(EXPORTED)
    operation = request_export(tenant_id=exported.pk, actor=SYSTEM, reason="They ask for their data")
    demo.wait_for(operation.pk, timeout_s=START_S)
    return str(operation.pk)


def _migrate() -> str:
    from django.utils import timezone

    from tenants.fleet import ledger
    from tenants.fleet.models import Run, TenantRecord
    from tenants.models import Tenant
    from tenants.schemas.template import migrations_hash

    run = ledger.open_run(started_by="root@worker-1", options={}, migrations_hash=migrations_hash())
    refs = [tenant.ref for tenant in Tenant.objects.exclude(slug=STUCK)[:3]]
    records = ledger.add_records(run, refs, ["people.0002_more"], canary={refs[0].id})
    for record in records:
        record.started_at, record.attempts = timezone.now() - timedelta(seconds=2), 1
        failed = record is records[-1]
        status = TenantRecord.Status.FAILED if failed else TenantRecord.Status.DONE
        ledger.end_record(record, status, error="LockNotAvailable: canceling statement" if failed else "")
    ledger.close_run(run, Run.Status.FAILED, reason="1 of 3 tenants failed.")
    return str(run.pk)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "plexica.settings")
    django.setup()
    print(json.dumps(show_operations() if "--operations" in sys.argv else fill()))
