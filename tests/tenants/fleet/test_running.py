"""What a lane sends: statements as their authors wrote them, in the right order, each of them once."""

import importlib
import sys

import pytest
from django.db import connections

from core.tenancy import enter
from tenants.fleet.engine import migrate_fleet
from tenants.fleet.turns import Options
from tenants.schemas.drift import find_drift
from tenants.schemas.making import owner_cursor
from tests.tenants.conftest import TREES, applied
from tests.tenants.fleet.test_engine import CONCURRENTLY, FAIL_IN, PYTHON, QUICK, index_is_valid, records

INSERT = """migrations.RunSQL("INSERT INTO orchard_tree (kind) VALUES ('{}')")"""
UNIQUE = TREES.replace("max_length=20", "max_length=20, unique=True")
NOT_UNIQUE = """migrations.AlterField("tree", "kind", models.CharField(max_length=20))"""
OUTSIDE = "atomic = False"


def kinds(tenant):
    with enter(tenant.ref), connections["ops"].cursor() as cursor:
        cursor.execute("SELECT kind FROM orchard_tree ORDER BY id")
        return [kind for (kind,) in cursor.fetchall()]


def rewrite(orchard, name, before, after):
    """Change a migration that failed, as its author does."""
    path = orchard.folder / orchard.package / f"{name}.py"
    path.write_text(path.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")
    for module in [module for module in sys.modules if module.startswith(orchard.package)]:
        del sys.modules[module]
    importlib.invalidate_caches()


@pytest.fixture
def tenant(orchard, make_tenant):
    """Has the trees."""
    orchard.plant("0001_initial", TREES)
    tenant = make_tenant()
    migrate_fleet(QUICK)
    return tenant


def test_a_statement_that_ends_in_a_comment_runs_in_every_tenant(orchard, make_tenant):
    tenants = [make_tenant(), make_tenant()]
    commented = """migrations.RunSQL("INSERT INTO orchard_tree (kind) VALUES ('x') -- the first one")"""
    orchard.plant("0001_initial", TREES, commented)

    outcome = migrate_fleet(QUICK)

    assert outcome.ok, records(outcome.run)
    assert [kinds(tenant) for tenant in tenants] == [["x"], ["x"]]


def test_a_statement_behind_a_comment_runs_outside_of_transactions_too(orchard, tenant):
    commented = """migrations.RunSQL("-- the first one\\nINSERT INTO orchard_tree (kind) VALUES ('x')")"""
    orchard.plant("0002_steps", commented, CONCURRENTLY, attributes=OUTSIDE)

    assert migrate_fleet(QUICK).ok

    assert kinds(tenant) == ["x"]
    assert index_is_valid(tenant)


def test_rights_of_a_table_that_a_later_migration_makes_stop_no_earlier_one(orchard, make_tenant, settings):
    tenant = make_tenant()
    settings.TENANT_INSERT_ONLY_TABLES = [*settings.TENANT_INSERT_ONLY_TABLES, "orchard_log"]
    orchard.plant("0001_initial", TREES)
    orchard.plant("0002_rows", PYTHON)
    orchard.plant("0003_log", TREES.replace("Tree", "Log"))

    assert migrate_fleet(QUICK).ok

    assert applied(tenant) == ["0001_initial", "0002_rows", "0003_log"]
    assert find_drift([tenant.ref]) == []


def test_a_tenant_that_is_brought_back_from_before_is_migrated_from_the_first_statement(orchard, tenant):
    orchard.plant("0002_index", CONCURRENTLY, attributes=OUTSIDE)
    migrate_fleet(QUICK)
    with owner_cursor(tenant.ref) as cursor:
        cursor.execute("DROP INDEX orchard_kind")
        cursor.execute("DELETE FROM django_migrations WHERE app = 'orchard' AND name = '0002_index'")

    assert migrate_fleet(QUICK).ok

    assert index_is_valid(tenant)


def test_from_a_tenant_that_is_half_through_nobody_else_learns_what_to_run(orchard, make_tenant):
    """Django asks the schema for the name of the constraint: where it is gone, its DROP would not be written."""
    orchard.plant("0001_initial", UNIQUE)
    canary, other = make_tenant(), make_tenant()
    migrate_fleet(QUICK)
    fails = FAIL_IN.format(schemas=canary.schema_name)
    orchard.plant("0002_steps", NOT_UNIQUE, fails, attributes=OUTSIDE)
    both = Options(only=(canary.slug, other.slug), canary=(canary.slug,))
    assert migrate_fleet(both).counts["failed"] == 1
    rewrite(orchard, "0002_steps", canary.schema_name, "nobody")

    assert migrate_fleet(both).ok

    assert [str(one) for one in find_drift([canary.ref, other.ref])] == []


def test_what_an_older_text_reached_does_not_make_the_newer_one_begin_again(orchard, tenant):
    fails = FAIL_IN.format(schemas=tenant.schema_name)
    orchard.plant("0002_steps", INSERT.format("a"), INSERT.format("b"), fails, attributes=OUTSIDE)
    only = Options(only=(tenant.slug,))
    migrate_fleet(only)
    rewrite(orchard, "0002_steps", "VALUES ('b')", "SELECT 1/0")
    migrate_fleet(only)
    assert kinds(tenant) == ["a", "b", "a"]  # another text begins anew

    migrate_fleet(only)

    assert kinds(tenant) == ["a", "b", "a"]
