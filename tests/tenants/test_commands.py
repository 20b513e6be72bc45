import io
import json
import secrets

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from core.errors import Rejected
from tenants.models import Domain, Operation, Tenant
from tests.support import people
from tests.support.people import step_named
from tests.support.raw import superuser
from tests.support.threads import run_together


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


@pytest.mark.parametrize("answer", ["--adopt", "--clean"])
def test_create_tenant_says_beforehand_what_to_do_about_leftovers(slug, answer):
    run("create_tenant", slug, "--admin-email", "a@cmd.example", "--here", answer)

    assert Operation.objects.get(tenant__slug=slug).inputs["leftovers"] == answer.removeprefix("--")


@pytest.fixture
def gone(slug):
    """A tenant that is gone and still has the address."""
    run("create_tenant", slug, "--admin-email", "a@cmd.example", "--here")
    tenant = Tenant.objects.get(slug=slug)
    people.remove(tenant)
    Domain.objects.create(domain=slug, tenant=tenant)
    return slug


def test_an_operation_that_stopped_at_leftovers_is_answered_by_a_command(gone):
    with pytest.raises(CommandError, match=r"address .* retry_operation"):
        run("create_tenant", gone, "--admin-email", "a@cmd.example", "--here")
    assert Tenant.objects.get(slug=gone, status="provisioning")

    said = run("retry_operation", gone, "--adopt", "--here", "--reason", "it is theirs")

    assert "Done" in said
    assert Tenant.objects.get(slug=gone, status="active")
    with pytest.raises(CommandError, match="Set up is Done"):
        run("retry_operation", gone)


def test_giving_up_is_a_command_too(gone):
    with pytest.raises(CommandError):
        run("create_tenant", gone, "--admin-email", "a@cmd.example", "--here")
    operation = Operation.objects.get(tenant__slug=gone, status="stuck")

    said = json.loads(run("retry_operation", str(operation.pk), "--give-up", "--here", "--json"))

    assert (said["slug"], said["status"], said["error_code"]) == (gone, "failed", "leftovers_found")


@pytest.fixture
def living(slug):
    run("create_tenant", slug, "--admin-email", "a@cmd.example", "--here")
    return slug


def test_delete_tenant_waits_for_the_grace_period_and_can_be_called_off(living):
    said = run("delete_tenant", living, "--confirm", living, "--reason", "x")

    assert f"delete_tenant {living} --undo" in said
    assert Tenant.objects.get(slug=living).status == Tenant.Status.DELETING
    assert run("delete_tenant", living, "--undo") == f"{living} is active again.\n"
    assert Tenant.objects.get(slug=living).status == Tenant.Status.ACTIVE
    with pytest.raises(CommandError, match=f"{living} is Active"):
        run("delete_tenant", living, "--undo")


@pytest.mark.parametrize("waiting", [False, True])
def test_delete_tenant_now_shows_the_steps_and_prints_the_proof(living, waiting):
    words = ["delete_tenant", living, "--confirm", living, "--reason", "x"]
    if waiting:
        run(*words)

    said = json.loads(run(*words, "--now", "--here", "--json"))

    assert (said["status"], set(said["facts"]["left"].values())) == ("succeeded", {0})
    assert {"schema", "role", "realm", "bucket", "key", "address", "cache_entries"} <= set(said["facts"]["left"])
    assert not Tenant.objects.filter(slug=living).exclude(status="deleted").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--reason", "x"], "--confirm"),
        (["--confirm", "another", "--reason", "x"], "typed_slug"),
        (["--confirm", "acme-corp"], "reason"),
    ],
)
def test_delete_tenant_refuses_with_one_sentence_and_deletes_nothing(committed, acme, words, sentence):
    with pytest.raises(CommandError, match=sentence):
        run("delete_tenant", "acme-corp", *words)

    assert Tenant.objects.get(pk=acme.id).status == Tenant.Status.ACTIVE


def test_delete_tenant_that_gets_stuck_says_what_to_do(living, monkeypatch):
    def refuse(self, tenant):
        raise Rejected(part="object storage")

    monkeypatch.setattr(type(step_named("bucket")), "undo", refuse)

    with pytest.raises(CommandError, match=f"{living} is not deleted yet: .* retry_operation"):
        run("delete_tenant", living, "--confirm", living, "--reason", "x", "--now", "--here")

    monkeypatch.undo()
    assert "Done" in run("retry_operation", living, "--here")
    with pytest.raises(CommandError, match="The operation is not stuck"):
        run("retry_operation", living)


def test_migrate_can_be_repeated(committed, world):
    before = connections["ops"].introspection.table_names()

    said = run("migrate", verbosity=0)

    assert "Template of tenants' schemas" in said
    assert connections["ops"].introspection.table_names() == before


def test_migrate_takes_no_app_of_tenants(committed, world):
    with pytest.raises(CommandError, match="migrate_fleet"):
        run("migrate", "people", verbosity=0)


def test_migrate_takes_no_other_login(committed, world):
    with pytest.raises(CommandError, match="PLEXICA_DATABASE_OPS_URL"):
        run("migrate", database="default")


def test_a_plan_of_migrations_changes_nothing(committed, world):
    assert "Template" not in run("migrate", "--plan")


def test_migrate_schemas_calls_our_engine(committed, world):
    said = run("migrate_schemas")

    assert said.endswith("tenants, nothing to migrate.\n")


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


def test_setup_database_may_be_run_by_several_machines_at_once(committed, world):
    said = run_together(*[lambda: run("setup_database")] * 8)

    assert said == ["Database and roles are ready.\n"] * 8


def test_setup_database_wants_a_superusers_address(committed, settings):
    settings.DATABASE_ADMIN_URL = ""

    with pytest.raises(CommandError, match="PLEXICA_DATABASE_ADMIN_URL"):
        run("setup_database")


def test_setup_database_takes_no_other_names_for_the_logins(committed, settings, monkeypatch):
    monkeypatch.setitem(settings.DATABASES["default"], "USER", "postgres")

    with pytest.raises(CommandError, match="PLEXICA_DATABASE_URL must log in as px_app, not as postgres"):
        run("setup_database")
