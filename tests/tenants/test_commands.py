import io
import json
import secrets

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from core.errors import Rejected
from tenants.models import Operation, Tenant
from tenants.steps import step_named
from tests.support import people
from tests.support.raw import superuser


def run(*words, **options):
    out = io.StringIO()
    call_command(*words, stdout=out, **options)
    return out.getvalue()


@pytest.fixture
def slug(committed, world):
    slug = f"cmd-{secrets.token_hex(4)}"
    yield slug
    for tenant in Tenant.objects.filter(slug=slug):
        Operation.objects.filter(tenant=tenant, status__in=Operation.ACTIVE).update(status=Operation.Status.FAILED)
        people.remove(tenant)


def test_create_tenant_sets_one_up_and_says_where_it_is(slug):
    said = run("create_tenant", slug, "--admin-email", "a@cmd.example", "--here")

    tenant = Tenant.objects.get(slug=slug)
    assert (tenant.status, tenant.name) == (Tenant.Status.ACTIVE, slug.replace("-", " ").title())
    assert f"http://{slug}.localhost:8000" in said
    assert "a@cmd.example" in said


def test_create_tenant_prints_one_json_object(slug):
    said = json.loads(run("create_tenant", slug, "--admin-email", "a@cmd.example", "--here", "--json"))

    assert (said["slug"], said["status"], said["error"]) == (slug, "succeeded", "")
    assert said["address"] == f"http://{slug}.localhost:8000"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["Cmd", "--admin-email", "a@cmd.example"], "slug: "),
        (["admin", "--admin-email", "a@cmd.example"], "slug: "),
        (["cmd-x", "--admin-email", "nobody"], "admin_email: "),
        (["cmd-x", "--admin-email", "a@cmd.example", "--time-zone", "Mars"], "time_zone: "),
        (["acme-corp", "--admin-email", "a@cmd.example"], "acme-corp"),
    ],
)
def test_create_tenant_refuses_with_one_sentence_and_writes_nothing(committed, world, words, reason):
    before = Tenant.objects.count()

    with pytest.raises(CommandError, match=reason) as refusal:
        run("create_tenant", *words, "--here")

    assert refusal.value.returncode == 1
    assert Tenant.objects.count() == before


def test_create_tenant_ends_with_the_reason_when_it_fails(slug, monkeypatch):
    def refuse(self, tenant, inputs):
        raise Rejected(part="object storage")

    monkeypatch.setattr(type(step_named("bucket")), "run", refuse)

    with pytest.raises(CommandError, match=f"{slug} was not set up: "):
        run("create_tenant", slug, "--admin-email", "a@cmd.example", "--here")

    assert Tenant.objects.get(slug=slug).status == Tenant.Status.FAILED


def test_create_tenant_without_a_worker_says_so_and_leaves_it_to_one(slug):
    with pytest.raises(CommandError, match="Does the operations worker run"):
        run("create_tenant", slug, "--admin-email", "a@cmd.example", "--timeout", "0")

    assert Operation.objects.get(tenant__slug=slug).status == Operation.Status.PENDING


def test_migrate_can_be_repeated(committed, world):
    before = connections["ops"].introspection.table_names()

    said = run("migrate", verbosity=0)

    assert "Template of tenants' schemas" in said
    assert connections["ops"].introspection.table_names() == before


def test_migrate_takes_no_app_of_tenants(committed, world):
    with pytest.raises(CommandError, match="migrate_schemas"):
        run("migrate", "people", verbosity=0)


def test_migrate_takes_no_other_login(committed, world):
    with pytest.raises(CommandError, match="PLEXICA_DATABASE_OPS_URL"):
        run("migrate", database="default")


def test_a_plan_of_migrations_changes_nothing(committed, world):
    assert "Template" not in run("migrate", "--plan")


def test_migrate_schemas_calls_our_engine(committed, world):
    said = run("migrate_schemas")

    assert said.endswith("0 migrated.\n")


def test_setup_database_can_be_repeated(committed, world, settings):
    database = connections["default"].settings_dict["NAME"]
    query = (
        "SELECT datacl::text, (SELECT nspacl::text FROM pg_namespace WHERE nspname = 'public'),"
        " (SELECT proacl::text FROM pg_proc WHERE oid = 'pg_catalog.set_config(text, text, boolean)'::regprocedure),"
        " (SELECT array_agg(setconfig::text ORDER BY 1) FROM pg_db_role_setting s WHERE s.setdatabase = d.oid)"
        " FROM pg_database d WHERE datname = %s"
    )
    run("setup_database")
    with superuser() as admin:
        before = admin.execute(query, [database]).fetchone()

    assert run("setup_database") == "Database and roles are ready.\n"

    with superuser() as admin:
        assert admin.execute(query, [database]).fetchone() == before


def test_setup_database_wants_a_superusers_address(committed, settings):
    settings.DATABASE_ADMIN_URL = ""

    with pytest.raises(CommandError, match="PLEXICA_DATABASE_ADMIN_URL"):
        run("setup_database")


def test_setup_database_takes_no_other_names_for_the_logins(committed, settings, monkeypatch):
    monkeypatch.setitem(settings.DATABASES["default"], "USER", "postgres")

    with pytest.raises(CommandError, match="PLEXICA_DATABASE_URL must log in as px_app, not as postgres"):
        run("setup_database")
