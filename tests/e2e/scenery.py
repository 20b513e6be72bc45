"""Fills a platform's database with what pages need to be looked at; prints the addresses that only it knows, as JSON.

Run by the `platform` fixture as `python -m tests.e2e.scenery`, in the platform's environment.
"""

import json
import os
import sys
from datetime import timedelta

import django

SUSPENDED, WAITING = "hooli", "initech"
STUCK, IN_GRACE, GONE = "stark", "umbrella", "tyrell"


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
    """Make a tenant with a stuck operation, one in its grace period and one that is gone; return ids by placeholder."""
    from django.db import transaction
    from django.utils import timezone

    from accounts import demo
    from core.actors import SYSTEM
    from core.tenancy import enter_platform
    from tenants.models import Operation, Tenant
    from tenants.services.deletion import request_deletion
    from tenants.services.provisioning import request_tenant
    from tests.support.platform import START_S

    with enter_platform():
        with transaction.atomic():
            stuck = request_tenant(slug=STUCK, name="Stark Industries", admin_email="p@stark.example", actor=SYSTEM)
            schema = f"schema {stuck.tenant.schema_name}"
            found = f"These exist already: {schema}. Adopt them, have them removed, or give up."
            now = timezone.now()
            Operation.objects.filter(pk=stuck.pk).update(
                status=Operation.Status.STUCK, resumes_as=Operation.Status.RUNNING, error_code="leftovers_found",
                error=found, started_at=now, finished_at=now,
            )  # fmt: skip
        asked = {
            slug: request_tenant(slug=slug, name=slug.title(), admin_email=f"a@{slug}.example", actor=SYSTEM)
            for slug in (IN_GRACE, GONE)
        }
        for slug, operation in asked.items():
            demo.wait_for(operation.pk, timeout_s=START_S)
            tenant = Tenant.objects.get(slug=slug)
            deletion = request_deletion(
                tenant_id=tenant.pk, typed_slug=slug, actor=SYSTEM, reason="The contract has ended", now=slug == GONE
            )
        demo.wait_for(deletion.pk, timeout_s=START_S)
    return {"{stuck}": str(stuck.pk), "{gone}": str(tenant.pk), "{deletion}": str(deletion.pk)}


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "plexica.settings")
    django.setup()
    print(json.dumps(show_operations() if "--operations" in sys.argv else fill()))
