"""An app's tables stand where the lists of apps say, and nowhere else."""

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection, router

from core.tenancy import enter
from core.tenancy.names import TEMPLATE_SCHEMA
from core.tenancy.router import platform_labels, tenant_labels
from tests.support.raw import superuser


@pytest.fixture(scope="module")
def catalogue(world):
    """Tables without partitions, and recorded migrations' apps, of public, the template and a tenant."""
    with superuser() as admin:
        return {
            schema: (
                {
                    name
                    for (name,) in admin.execute(
                        "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace"
                        " AND relkind IN ('r', 'p') AND NOT relispartition",
                        [schema],
                    )
                },
                {app for (app,) in admin.execute(f"SELECT DISTINCT app FROM {schema}.django_migrations")},
            )
            for schema in ("public", TEMPLATE_SCHEMA, world.acme.schema)
        }


def tables_of(labels):
    models = [model for label in labels for model in apps.get_app_config(label).get_models(include_auto_created=True)]
    return {model._meta.db_table for model in models if model._meta.managed} | {"django_migrations"}


def test_every_app_is_the_platforms_or_the_tenants_and_few_are_both():
    platform_alone, tenants_alone = set(settings.PLATFORM_APPS), set(settings.PEOPLE_APPS)

    assert not platform_alone & tenants_alone
    assert not (platform_alone | tenants_alone) & set(settings.BOTH_APPS)
    assert platform_labels() & tenant_labels() == {
        "sessions",
        "oauth2_provider",
        "identity",
        "browser_sessions",
        "clients",
        "idempotency",
        "audit",
    }


def test_every_app_with_models_is_on_a_list():
    homeless = {
        config.label
        for config in apps.get_app_configs()
        if list(config.get_models()) and config.label not in platform_labels() | tenant_labels()
    }

    assert homeless == {"auth", "contenttypes"}  # their tables exist nowhere


def test_the_platforms_tables_are_those_of_its_apps(catalogue):
    assert catalogue["public"][0] == tables_of(platform_labels())


def test_the_templates_and_a_tenants_tables_are_those_of_the_tenants_apps(catalogue, acme):
    assert catalogue[TEMPLATE_SCHEMA][0] == tables_of(tenant_labels())
    assert catalogue[acme.schema][0] == tables_of(tenant_labels())


def test_migrations_are_recorded_where_their_tables_are(catalogue, acme):
    assert catalogue["public"][1] == platform_labels()
    assert catalogue[TEMPLATE_SCHEMA][1] == tenant_labels()
    assert catalogue[acme.schema][1] == tenant_labels()


@pytest.mark.parametrize(
    ("label", "in_public", "in_a_tenant"),
    [("tenants", True, False), ("people", False, True), ("audit", True, True), ("auth", False, False)],
)
def test_migrations_may_make_tables_only_where_they_belong(acme, label, in_public, in_a_tenant):
    on_platform = router.allow_migrate("ops", label), router.allow_migrate("default", label)
    with enter(acme):
        in_tenant = router.allow_migrate("ops", label), router.allow_migrate("default", label)

    assert on_platform == (in_public, False)
    assert in_tenant == (in_a_tenant, in_a_tenant)  # for dumpdata and loaddata: cursors refuse CREATE there


def test_no_foreign_key_leaves_a_tenants_schema(world):
    with superuser() as admin:
        crossing = admin.execute(
            "SELECT k.conname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class f ON f.oid = k.confrelid"
            " WHERE k.contype = 'f' AND c.relnamespace <> f.relnamespace"
        ).fetchall()

    assert crossing == []


def test_every_moment_is_kept_with_its_zone(world):
    with superuser() as admin:
        naive = admin.execute(
            "SELECT table_schema, table_name, column_name FROM information_schema.columns"
            " WHERE data_type = 'timestamp without time zone' AND table_schema NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()

    assert naive == []


def test_the_session_speaks_utc(db):
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('TimeZone')")

        assert cursor.fetchone() == ("UTC",)
