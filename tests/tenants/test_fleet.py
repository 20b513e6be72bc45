import pytest
from django.db import connections
from django.db.utils import ProgrammingError

from core import audit
from core.actors import SYSTEM
from core.audit.models import AuditEntry
from core.tenancy import current, enter
from tenants import fleet
from tenants.models import Tenant
from tenants.schemas.making import owner_cursor
from tests.support.raw import superuser


def unmigrate(tenant):
    """Take the audit log from a tenant, as if its migration had not come yet."""
    with owner_cursor(tenant.ref) as cursor:
        cursor.execute("DROP TABLE audit_entry")
        cursor.execute("DELETE FROM django_migrations WHERE app = 'audit'")


def test_every_tenant_gets_what_it_lacks_and_keeps_its_walls(new_tenant):
    behind, ahead = new_tenant(), new_tenant()
    unmigrate(behind)

    applied = dict(fleet.migrate_tenants())

    assert (applied[behind.slug], applied[ahead.slug]) == (1, 0)
    assert current() is None
    with enter(behind.ref):
        audit.record(actor=SYSTEM, action="tests.after")
        assert AuditEntry.objects.count() == 1
        with pytest.raises(ProgrammingError, match="permission denied"):
            AuditEntry.objects.update(action="x")


def test_a_second_run_changes_nothing(committed, world):
    list(fleet.migrate_tenants())

    assert set(dict(fleet.migrate_tenants()).values()) <= {0}


def test_only_apps_of_tenants_are_recorded(new_tenant):
    tenant = new_tenant()
    unmigrate(tenant)

    list(fleet.migrate_tenants())

    with superuser() as admin:
        ours, template = (
            set(admin.execute(f"SELECT app, name FROM {schema}.django_migrations").fetchall())
            for schema in (tenant.schema_name, "core_template")
        )
    assert ours == template


@pytest.mark.parametrize("status", ["failed", "deleted", "provisioning"])
def test_tenants_without_a_schema_are_left_aside(new_tenant, status):
    tenant = new_tenant()
    Tenant.objects.filter(pk=tenant.pk).update(status=status)

    assert tenant.slug not in dict(fleet.migrate_tenants())


@pytest.mark.parametrize("status", ["suspended", "deleting"])
def test_tenants_that_are_closed_are_migrated_all_the_same(new_tenant, status):
    tenant = new_tenant()
    Tenant.objects.filter(pk=tenant.pk).update(status=status)

    assert tenant.slug in dict(fleet.migrate_tenants())


def test_the_template_is_nobodys_but_the_owners(committed, world):
    with enter(fleet.TEMPLATE), connections["ops"].cursor() as cursor:
        cursor.execute("SELECT current_user, current_schema()")

        assert cursor.fetchone() == ("px_owner", "core_template")
