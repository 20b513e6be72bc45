"""What operators type: plans, states, repairs, and their exit codes."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from tenants.fleet.engine import only_run
from tenants.fleet.models import Run
from tenants.fleet.status import read_status
from tenants.models import Tenant
from tenants.schemas import making
from tenants.schemas.making import owner_cursor
from tests.support.raw import superuser
from tests.tenants.conftest import HEIGHT, TREES, applied


def run(*words, **options):
    out = io.StringIO()
    call_command(*words, stdout=out, **options)
    return out.getvalue()


def test_a_plan_says_what_would_run_where_and_how(orchard, make_tenant):
    orchard.plant("0001_initial", TREES)
    ahead = make_tenant()
    orchard.plant("0002_height", HEIGHT)

    said = run("migrate_fleet", "--plan")
    listed = json.loads(run("migrate_fleet", "--plan", "--json"))

    assert (
        "2 tenants (acme-corp, globex-inc):\n  replay    orchard.0001_initial\n  replay    orchard.0002_height" in said
    )
    assert (
        f"1 tenants ({ahead.slug}):\n  replay    orchard.0002_height\n  ! orchard.0002_height: Add field height" in said
    )
    assert listed["tenants"] == 3
    assert [len(plan["hazards"]) for plan in listed["plans"]] == [0, 1]
    assert not Run.objects.exists()


def test_migrate_fleet_prints_one_json_object(orchard, make_tenant):
    tenant = make_tenant()
    orchard.plant("0001_initial", TREES)

    said = json.loads(run("migrate_fleet", "--json"))

    assert (said["status"], said["tenants"], said["counts"], said["not_migrated"]) == ("succeeded", 3, {"done": 3}, [])
    assert Run.objects.get(pk=said["run"]).status == "succeeded"
    assert applied(tenant) == ["0001_initial"]


def test_migrate_fleet_names_who_failed_and_ends_with_1(orchard, make_tenant):
    tenant = make_tenant()
    with owner_cursor(tenant.ref) as cursor:
        cursor.execute("CREATE TABLE orchard_tree ()")
    orchard.plant("0001_initial", TREES)
    out = io.StringIO()

    with pytest.raises(CommandError) as end:
        call_command("migrate_fleet", "--canary", "acme-corp", stdout=out)

    assert end.value.returncode == 1
    assert f'{tenant.slug}: failed  DuplicateTable: relation "orchard_tree" already exists' in out.getvalue()
    assert "1 failed" in out.getvalue()


def test_a_plan_of_those_who_failed_names_nobody_else_who_is_behind(orchard, make_tenant):
    tenant = make_tenant()
    with owner_cursor(tenant.ref) as cursor:
        cursor.execute("CREATE TABLE orchard_tree ()")
    orchard.plant("0001_initial", TREES)
    with pytest.raises(CommandError):
        run("migrate_fleet", "--canary", "acme-corp")
    orchard.plant("0002_height", HEIGHT)

    everybody = json.loads(run("migrate_fleet", "--plan", "--json"))
    failed = json.loads(run("migrate_fleet", "--plan", "--retry-failed", "--json"))

    assert sorted(slug for plan in everybody["plans"] for slug in plan["tenants"]) == sorted(
        ["acme-corp", "globex-inc", tenant.slug]
    )
    assert [plan["tenants"] for plan in failed["plans"]] == [[tenant.slug]]


def test_migrate_fleet_ends_with_3_if_somebody_was_busy_to_the_end(orchard, make_tenant, holding):
    orchard.plant("0001_initial", TREES)
    tenant = make_tenant()
    orchard.plant("0002_height", HEIGHT)
    run("migrate_fleet", "--only", "acme-corp,globex-inc")
    holding(tenant, "orchard_tree")

    with pytest.raises(CommandError) as end:
        run("migrate_fleet", "--canary", "0", "--lock-timeout", "0.1", "--patience", "0.2")

    assert end.value.returncode == 3


def test_migrate_fleet_ends_with_4_while_another_runs(orchard):
    orchard.plant("0001_initial", TREES)

    with only_run(), pytest.raises(CommandError) as end:
        run("migrate_fleet")

    assert end.value.returncode == 4


@pytest.mark.parametrize(
    "words",
    [
        ("--concurrency", "0"),
        ("--concurrency", "1000"),
        ("--pause", "-1"),
        ("--pause", "nan"),
        ("--lock-timeout", "0"),
        ("--patience", "inf"),
        ("--stop-after", "-1"),
        ("--canary", ""),
        ("--only", ","),
    ],
)
def test_words_that_mean_nothing_are_refused(words):
    with pytest.raises(CommandError, match=f"argument {words[0]}: '{words[1]}' "):
        run("migrate_fleet", "=".join(words))


@pytest.mark.parametrize("plan", [[], ["--plan"]], ids=["run", "plan"])
@pytest.mark.parametrize("option", ["--canary", "--only"])
def test_a_tenant_that_is_not_there_is_refused_also_if_nobody_is_behind(own_database, option, plan):
    with pytest.raises(CommandError, match="nope") as refusal:
        run("migrate_fleet", option, "nope", *plan)

    assert refusal.value.returncode == 1


def test_only_the_named_tenants_are_migrated(orchard, make_tenant):
    one, other = make_tenant(), make_tenant()
    orchard.plant("0001_initial", TREES)

    run("migrate_fleet", "--only", one.slug)

    assert (applied(one), applied(other)) == (["0001_initial"], [])


def test_migrate_schemas_is_another_name_for_it(orchard, make_tenant):
    tenant = make_tenant()
    orchard.plant("0001_initial", TREES)

    run("migrate_schemas")

    assert applied(tenant) == ["0001_initial"]


# --- fleet_status -------------------------------------------------------------------------------------


@pytest.fixture
def alone(own_database, monkeypatch):
    """Roles belong to the server: those of other test processes are nobody's here."""
    monkeypatch.setattr("tenants.fleet.status._roles_without_tenant", tuple)


def test_a_fleet_that_is_right_says_so(alone, make_tenant):
    make_tenant()

    assert "Everybody is up to date, and every schema is as the template." in run("fleet_status")
    assert json.loads(run("fleet_status", "--json"))["ok"] is True


def test_fleet_status_names_who_is_behind_and_who_is_ahead(orchard, make_tenant):
    ahead = make_tenant()
    with owner_cursor(ahead.ref) as cursor:
        cursor.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('people', '0099_later', now())")
    orchard.plant("0001_initial", TREES)

    status = read_status()

    groups = {tuple(ref.slug for ref in group.tenants): (group.missing, group.unknown) for group in status.groups}
    assert groups == {
        ("acme-corp", "globex-inc"): (("orchard.0001_initial",), ()),
        (ahead.slug,): (("orchard.0001_initial",), ("people.0099_later",)),
    }
    assert status.not_compared == 3
    assert not status.ok


def test_fleet_status_prints_drift_and_its_repair(alone, make_tenant):
    tenant = make_tenant()
    with owner_cursor(tenant.ref) as cursor:
        cursor.execute("ALTER TABLE people_person ADD COLUMN extra int")
    out = io.StringIO()

    with pytest.raises(CommandError) as end:
        call_command("fleet_status", stdout=out)
    with superuser() as admin:
        admin.execute(run("fleet_status", "--repair"))

    assert end.value.returncode == 1
    assert f"drift  {tenant.slug}: column people_person.extra does not belong there: integer" in out.getvalue()
    assert read_status().ok


def test_what_belongs_to_nobody_is_named(own_database, make_tenant):
    orphan, bare = make_tenant(), make_tenant()
    Tenant.objects.filter(pk=orphan.pk).update(status="deleted")
    making.drop_schema(bare.ref)

    said = json.loads(_failing("fleet_status", "--json"))

    assert said["schemas_without_tenant"] == [orphan.schema_name]
    assert orphan.role_name in said["roles_without_tenant"]
    assert said["tenants_without_schema"] == [bare.slug]


def _failing(*words):
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command(*words, stdout=out)
    return out.getvalue()


# --- inside a tenant ----------------------------------------------------------------------------------


def test_tenant_shell_works_under_the_tenants_role(world, committed):
    code = (
        "from django.db import connection; c = connection.cursor(); c.execute('SELECT current_user, current_schema()');"
    )

    said = json.loads(
        run("tenant_shell", "acme-corp", "-c", f"{code} print(*c.fetchone(), Person.objects.count())", "--json")
    )

    assert said == {"ok": True, "output": f"{world.acme.role} {world.acme.schema} 3\n", "error": ""}


def test_tenant_shell_cannot_look_into_another_tenant(world, committed):
    code = f"from django.db import connection; connection.cursor().execute('SELECT * FROM {world.globex.schema}.people_person')"

    with pytest.raises(CommandError, match="permission denied"):
        run("tenant_shell", "acme-corp", "-c", code)


def test_tenant_shell_names_a_tenant_that_is_not_there(world, committed):
    with pytest.raises(CommandError, match="There is no such tenant: nobody-here"):
        run("tenant_shell", "nobody-here", "-c", "1")


def test_a_command_runs_in_every_tenant_for_itself(world, committed):
    said = json.loads(run("run_in_tenant", "--json", "--all", "dumpdata", "people.person"))

    people = {one["slug"]: len(json.loads(one["output"])) for one in said["tenants"]}
    assert (people["acme-corp"], people["globex-inc"]) == (3, 1)


def test_a_command_that_fails_in_one_tenant_is_named(world, committed, monkeypatch):
    from django.contrib.sessions.management.commands.clearsessions import Command

    from core.tenancy import require

    done = []

    def handle(self, **options):
        if require().slug == "acme-corp":
            raise ValueError("not here")
        done.append(require().slug)

    monkeypatch.setattr(Command, "handle", handle)

    with pytest.raises(CommandError, match="acme-corp: ValueError: not here") as end:
        run("run_in_tenant", "--all", "clearsessions")

    assert end.value.returncode == 1
    assert "globex-inc" in done


@pytest.mark.parametrize(
    "words", [[], ["acme-corp"], ["acme-corp", "no_such"], ["acme-corp", "migrate"], ["nobody", "check"]]
)
def test_run_in_tenant_refuses_what_makes_no_sense(world, committed, words):
    with pytest.raises(CommandError) as end:
        run("run_in_tenant", *words)

    assert end.value.returncode == 2
