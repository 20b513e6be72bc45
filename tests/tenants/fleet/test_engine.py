"""The engine on real schemas: what it does to each tenant, and what it does when something goes wrong."""

import time

import pytest
from django.db import connections
from django.db.utils import ProgrammingError

from core import audit
from core.actors import SYSTEM
from core.audit.models import AuditEntry
from core.tenancy import current, enter
from tenants.fleet import engine, selectors
from tenants.fleet.engine import FleetBusy, migrate_fleet, plan_fleet
from tenants.fleet.models import Run, TenantRecord
from tenants.fleet.plans import kind_of, make_plan
from tenants.fleet.states import read_groups
from tenants.fleet.turns import Options, Silent
from tenants.models import Tenant
from tenants.schemas import making
from tenants.schemas.making import owner_cursor
from tenants.schemas.template import TEMPLATE, TemplateMissing
from tests.support.raw import superuser
from tests.support.threads import run_together
from tests.tenants.conftest import HEIGHT, TREES, applied, columns

QUICK = Options(lock_timeout_s=0.2, patience_s=10)
FAIL_IN = """migrations.RunSQL("DO $$ BEGIN IF current_schema() = ANY('{{{schemas}}}') THEN RAISE 'no room'; END IF; END $$")"""


def records(run):
    return {record.slug: record for record in TenantRecord.objects.filter(run=run)}


def everybody():
    return [tenant for group in read_groups() for tenant in group.tenants]


def test_every_tenant_gets_what_it_lacks(orchard, make_tenant):
    ours = make_tenant()
    orchard.plant("0001_initial", TREES)
    orchard.plant("0002_height", HEIGHT)

    outcome = migrate_fleet(QUICK)

    assert outcome.ok
    assert outcome.counts == {"done": 3}
    assert columns(ours, "orchard_tree") == {"id", "kind", "height"}
    assert {tuple(applied(ref_of(slug))) for slug in ("acme-corp", "globex-inc", ours.slug)} == {
        ("0001_initial", "0002_height")
    }
    assert len(read_groups()) == 1
    assert current() is None


def ref_of(slug):
    return Tenant.objects.get(slug=slug)


def test_a_replayed_schema_is_like_the_one_that_django_made(orchard, make_tenant):
    tenants = [make_tenant() for _ in range(3)]
    orchard.plant(
        "0001_initial",
        TREES,
        """migrations.CreateModel("Fruit", [
            ("id", models.BigAutoField(primary_key=True)),
            ("name", models.CharField(max_length=9, unique=True, db_default="100% ripe; isn't it")),
            ("tree", models.ForeignKey("orchard.tree", models.CASCADE))])""",
        """migrations.AddConstraint("fruit", models.CheckConstraint(condition=~models.Q(name="x%s"), name="no_x"))""",
    )

    migrate_fleet(QUICK)

    query = """
        SELECT pg_get_constraintdef(c.oid, true), conname FROM pg_constraint c WHERE connamespace = %s::regnamespace
          AND conrelid::regclass::text LIKE '%%orchard%%'
        UNION SELECT pg_get_indexdef(indexrelid, 0, true), '' FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
          WHERE c.relnamespace = %s::regnamespace AND c.relname LIKE 'orchard%%'
        UNION SELECT table_name || column_name, column_default FROM information_schema.columns
          WHERE table_schema = %s AND table_name LIKE 'orchard%%'"""
    with superuser() as admin:
        seen = []
        for schema in [tenant.schema_name for tenant in tenants] + [TEMPLATE.schema]:
            rows = admin.execute(query, [schema, schema, schema]).fetchall()
            seen.append({tuple(str(value).replace(f"{schema}.", "") for value in row) for row in rows})
    assert seen[0]
    assert all(one == seen[0] for one in seen)


def test_a_migrated_tenant_keeps_its_walls(orchard, make_tenant):
    tenant, other = make_tenant(), make_tenant()
    with owner_cursor(tenant.ref) as cursor:
        cursor.execute("DROP TABLE audit_entry")
        cursor.execute("DELETE FROM django_migrations WHERE app = 'audit'")
    orchard.plant("0001_initial", TREES)

    outcome = migrate_fleet(QUICK)

    assert outcome.ok
    with enter(tenant.ref):
        audit.record(actor=SYSTEM, action="tests.after")
        with connections["default"].cursor() as cursor:
            cursor.execute("INSERT INTO orchard_tree (kind) VALUES ('apple')")
        with pytest.raises(ProgrammingError, match="permission denied"):
            AuditEntry.objects.update(action="x")
    with enter(other.ref), connections["default"].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM orchard_tree")
        assert cursor.fetchone() == (0,)
        with pytest.raises(ProgrammingError, match="permission denied"):
            cursor.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('x', 'y', now())")


def test_a_second_run_finds_nobody_and_leaves_no_row(orchard, make_tenant):
    orchard.plant("0001_initial", TREES)
    migrate_fleet(QUICK)

    again = migrate_fleet(QUICK)

    assert (again.run, again.tenant_count, again.counts) == (None, 2, {})
    assert Run.objects.count() == 1


def test_the_ledger_says_who_when_how_long_and_what(orchard, make_tenant):
    tenant = make_tenant()
    orchard.plant("0001_initial", TREES)

    run = migrate_fleet(QUICK).run

    (listed,) = selectors.list_runs()
    assert (listed.pk, listed.status, listed.counts) == (run.pk, "succeeded", {"done": 3})
    assert "@" in listed.started_by
    record = selectors.list_tenant_records(run).get(tenant_id=tenant.pk)
    assert (record.status, record.migrations, record.attempts) == ("done", ["orchard.0001_initial"], 1)
    assert 0 < record.took.total_seconds() < 10
    assert selectors.get_run(run.pk).finished_at >= record.finished_at
    assert not selectors.is_run_under_way()


def test_a_tenants_line_is_written_without_touching_an_index(own_database):
    """It is written in each tenant's transaction, where every index that must follow counts."""
    with superuser() as admin:
        indexed = admin.execute(
            "SELECT attname FROM pg_attribute JOIN pg_index ON indrelid = attrelid AND attnum = ANY(indkey)"
            " WHERE attrelid = 'fleet_tenantrecord'::regclass"
        ).fetchall()
        options = admin.execute("SELECT reloptions FROM pg_class WHERE relname = 'fleet_tenantrecord'").fetchone()

    assert {name for (name,) in indexed} == {"id", "run_id", "tenant_id"}
    assert options == (["fillfactor=50"],)


def test_a_run_that_ended_needs_no_counting(orchard, make_tenant, django_assert_num_queries):
    make_tenant()
    orchard.plant("0001_initial", TREES)
    run = migrate_fleet(QUICK).run

    with django_assert_num_queries(1):
        (listed,) = selectors.list_runs()
    TenantRecord.objects.using(making.OPS).update(status="failed")  # told from what was kept

    assert listed.counts == selectors.get_run(run.pk).counts == {"done": 3}


def test_a_run_without_counts_is_counted_line_by_line(orchard, make_tenant):
    make_tenant()
    orchard.plant("0001_initial", TREES)
    run = migrate_fleet(QUICK).run
    Run.objects.using(making.OPS).update(counts=None, status="running")  # as one whose process is gone

    seen = selectors.get_run(run.pk)

    assert (seen.counts, seen.status) == ({"done": 3}, "interrupted")


def test_a_tenant_is_done_in_the_ledger_only_with_its_migration(orchard, make_tenant, monkeypatch):
    """The line is written in the tenant's transaction: one cannot be without the other."""
    tenant = make_tenant()
    orchard.plant("0001_initial", TREES)
    monkeypatch.setattr("tenants.fleet.ledger.end_record", lambda *args, **kwargs: None)
    monkeypatch.setattr("tenants.fleet.ledger.close_run", lambda *args, **kwargs: None)

    run = migrate_fleet(QUICK).run

    assert records(run)[tenant.slug].status == "done"


@pytest.mark.parametrize("status", ["failed", "deleted"])
def test_tenants_that_are_gone_are_left_aside(orchard, make_tenant, status):
    tenant = make_tenant(status=status)
    orchard.plant("0001_initial", TREES)

    migrate_fleet(QUICK)

    assert applied(tenant) == []


@pytest.mark.parametrize("status", ["suspended", "deleting", "provisioning"])
def test_tenants_that_are_closed_are_migrated_all_the_same(orchard, make_tenant, status):
    tenant = make_tenant(status=status)
    orchard.plant("0001_initial", TREES)

    migrate_fleet(QUICK)

    assert applied(tenant) == ["0001_initial"]


def test_a_tenant_without_a_schema_is_left_to_those_who_make_it(orchard, make_tenant):
    tenant = make_tenant(status="provisioning")
    making.drop_schema(tenant.ref)
    orchard.plant("0001_initial", TREES)

    assert migrate_fleet(QUICK).counts == {"done": 2}


def test_groups_have_plans_of_their_own(orchard, make_tenant):
    orchard.plant("0001_initial", TREES)
    ahead = make_tenant()
    orchard.plant("0002_height", HEIGHT)

    plans, count = plan_fleet()

    assert count == 3
    assert {tuple(ref.slug for ref in plan.group.tenants): plan.names for plan in plans} == {
        ("acme-corp", "globex-inc"): ["orchard.0001_initial", "orchard.0002_height"],
        (ahead.slug,): ["orchard.0002_height"],
    }
    assert migrate_fleet(QUICK).ok
    assert columns(ahead, "orchard_tree") == {"id", "kind", "height"}


def test_planning_changes_nothing(orchard, make_tenant):
    tenant = make_tenant()
    orchard.plant("0001_initial", TREES)

    plan_fleet()

    assert applied(tenant) == []
    assert not Run.objects.exists()


PYTHON = """migrations.RunPython(lambda apps, editor: apps.get_model("orchard", "Tree").objects.using(
    editor.connection.alias).create(kind=__import__("core.tenancy").tenancy.current().slug))"""


def test_python_runs_in_every_tenant_for_itself(orchard, make_tenant):
    tenants = [make_tenant(), make_tenant()]
    orchard.plant("0001_initial", TREES)
    orchard.plant("0002_rows", PYTHON)
    orchard.plant("0003_height", HEIGHT)

    outcome = migrate_fleet(QUICK)

    assert outcome.ok
    for tenant in tenants:
        with enter(tenant.ref), connections["ops"].cursor() as cursor:
            cursor.execute("SELECT kind, height FROM orchard_tree")
            assert cursor.fetchall() == [(tenant.slug, None)]


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        (TREES, "replay"),
        (HEIGHT, "replay"),
        (PYTHON, "django"),
        ("migrations.SeparateDatabaseAndState(database_operations=[" + PYTHON + "])", "django"),
        ('migrations.AddField("tree", "salt", models.CharField(default=__import__("secrets").token_hex))', "django"),
        ('migrations.AddField("tree", "facts", models.JSONField(default=dict))', "replay"),
        ('type("Own", (migrations.RunSQL,), {})("SELECT 1")', "django"),
    ],
)
def test_only_what_is_the_same_for_all_is_replayed(orchard, operation, kind):
    orchard.write("0001_initial", TREES)
    orchard.write("0002_next", operation)

    plan = make_plan(read_groups()[0])

    assert kind_of(plan.segments[-1].migrations[-1]) == kind


def test_a_secret_made_by_a_default_differs_between_tenants(orchard, make_tenant):
    tenants = [make_tenant(), make_tenant()]
    orchard.plant("0001_initial", TREES, "migrations.RunSQL(\"INSERT INTO orchard_tree (kind) VALUES ('x')\")")
    salt = (
        'migrations.AddField("tree", "salt", models.CharField(max_length=64, default=__import__("secrets").token_hex))'
    )
    orchard.plant("0002_salt", salt)

    migrate_fleet(QUICK)

    salts = set()
    for tenant in tenants:
        with enter(tenant.ref), connections["ops"].cursor() as cursor:
            cursor.execute("SELECT salt FROM orchard_tree")
            salts |= set(cursor.fetchall())
    assert len(salts) == 2


# --- what goes wrong ----------------------------------------------------------------------------------


def test_a_failure_in_one_tenant_leaves_it_as_it_was_and_all_others_migrated(orchard, make_tenant):
    bad, good = make_tenant(), make_tenant()
    fails = FAIL_IN.format(schemas=bad.schema_name)
    orchard.plant("0001_initial", TREES, fails)

    outcome = migrate_fleet(QUICK)

    assert not outcome.ok
    assert (outcome.run.status, outcome.counts) == ("failed", {"done": 3, "failed": 1})
    assert records(outcome.run)[bad.slug].error.startswith("RaiseException: no room")
    assert (applied(bad), columns(bad, "orchard_tree")) == ([], set())
    assert applied(good) == ["0001_initial"]


def test_who_failed_is_taken_up_by_the_next_run(orchard, make_tenant):
    bad = make_tenant()
    with owner_cursor(bad.ref) as cursor:
        cursor.execute("CREATE TABLE orchard_tree ()")
    orchard.plant("0001_initial", TREES)
    assert not migrate_fleet(QUICK).ok
    with owner_cursor(bad.ref) as cursor:
        cursor.execute("DROP TABLE orchard_tree")

    outcome = migrate_fleet(Options(retry_failed=True))

    assert (outcome.ok, outcome.counts) == (True, {"done": 1})
    assert applied(bad) == ["0001_initial"]


def test_a_failing_canary_ends_the_run(orchard, make_tenant):
    bad, other = make_tenant(), make_tenant()
    orchard.plant("0001_initial", TREES, FAIL_IN.format(schemas=bad.schema_name))

    outcome = migrate_fleet(Options(canary=(bad.slug,)))

    assert (outcome.run.status, outcome.run.reason) == ("stopped", "a canary was not migrated")
    assert {slug: record.status for slug, record in records(outcome.run).items()} == {
        bad.slug: "failed",
        other.slug: "unreached",
        "acme-corp": "unreached",
        "globex-inc": "unreached",
    }
    assert applied(other) == []


def test_the_canary_is_looked_at_for_a_while(orchard, make_tenant):
    tenant = make_tenant()
    orchard.plant("0001_initial", TREES)
    seen = []

    class Watcher(Silent):
        def pausing(self, seconds):
            seen.append((seconds, applied(tenant), applied(ref_of("acme-corp"))))

    began = time.monotonic()
    outcome = migrate_fleet(Options(canary=(tenant.slug,), pause_s=0.5), Watcher())

    assert outcome.ok
    assert seen == [(0.5, ["0001_initial"], [])]
    assert time.monotonic() - began > 0.5


def test_the_run_ends_after_so_many_failures(orchard, make_tenant):
    tenants = [make_tenant() for _ in range(4)]
    schemas = ",".join(tenant.schema_name for tenant in tenants)
    orchard.plant("0001_initial", TREES, FAIL_IN.format(schemas=schemas))

    outcome = migrate_fleet(Options(canary=0, stop_after=2, concurrency=1))

    assert (outcome.run.status, outcome.run.reason) == ("stopped", "2 tenants failed")
    assert [record.status for record in records(outcome.run).values()].count("unreached") == 2


def test_a_busy_tenant_is_put_aside_and_done_when_the_others_are(orchard, make_tenant, holding):
    orchard.plant("0001_initial", TREES)
    busy, free = make_tenant(), [make_tenant() for _ in range(3)]
    migrate_fleet(QUICK)
    orchard.plant("0002_height", HEIGHT)
    report = holding(busy, "orchard_tree")
    order = []

    class Watcher(Silent):
        def postponed(self, slug, *, again_in_s):
            order.append(("postponed", slug))
            if len(order) > 6:
                report.rollback()

        def ended(self, record):
            order.append((record.status, record.slug))

    began = time.monotonic()
    outcome = migrate_fleet(Options(canary=0, lock_timeout_s=0.1, patience_s=20, concurrency=1), Watcher())

    assert outcome.ok
    assert order[-1] == ("done", busy.slug)
    assert ("postponed", busy.slug) in order
    assert {slug for status, slug in order[:-1] if status == "done"} == {
        "acme-corp",
        "globex-inc",
        *(tenant.slug for tenant in free),
    }
    assert records(outcome.run)[busy.slug].attempts > 1
    assert time.monotonic() - began < 10


def test_who_is_busy_to_the_end_is_named_and_nobody_else_suffers(orchard, make_tenant, holding):
    orchard.plant("0001_initial", TREES)
    busy = make_tenant()
    migrate_fleet(QUICK)
    orchard.plant("0002_height", HEIGHT)
    holding(busy, "orchard_tree")

    outcome = migrate_fleet(Options(lock_timeout_s=0.1, patience_s=0.3))

    assert (outcome.run.status, outcome.counts) == ("failed", {"done": 2, "busy": 1})
    assert records(outcome.run)[busy.slug].error.startswith("LockNotAvailable")


def test_nobody_waits_behind_a_busy_tenant_longer_than_the_lock_timeout(orchard, make_tenant, holding):
    """The migration wants two tables; the second is taken. Whoever reads the first one waits for it."""
    other = TREES.replace("Tree", "Bush")
    orchard.plant("0001_initial", TREES, other)
    busy = make_tenant()
    migrate_fleet(QUICK)
    orchard.plant("0002_height", HEIGHT, HEIGHT.replace("tree", "bush"))
    holding(busy, "orchard_bush")
    waits = []

    def read():
        until = time.monotonic() + 2
        while time.monotonic() < until:
            began = time.monotonic()
            with enter(busy.ref), connections["default"].cursor() as cursor:
                cursor.execute("SELECT count(*) FROM orchard_tree")
            waits.append(time.monotonic() - began)
            time.sleep(0.005)

    run_together(read, lambda: migrate_fleet(Options(canary=0, lock_timeout_s=0.5, patience_s=1)))

    assert max(waits) > 0.05, "nobody waited: this test shows nothing"
    assert max(waits) < 0.5


def test_a_tenant_deleted_meanwhile_is_no_failure(orchard, make_tenant):
    gone = make_tenant()
    orchard.plant("0001_initial", TREES)

    class Watcher(Silent):
        def started(self, slug):
            if slug == gone.slug:
                Tenant.objects.filter(pk=gone.pk).update(status="deleted")
                making.drop_schema(gone.ref)

    outcome = migrate_fleet(QUICK, Watcher())

    assert (outcome.ok, outcome.counts) == (True, {"done": 2, "gone": 1})


def test_a_tenant_made_from_the_old_template_meanwhile_is_found(orchard, make_tenant):
    """Workers of the old code go on making tenants from their own template."""
    old = template_of_now()
    orchard.plant("0001_initial", TREES)
    late = []

    class Watcher(Silent):
        def started(self, slug):
            if not late:
                late.append(make_tenant())
                making.drop_schema(late[0].ref)
                making.make_schema(late[0].ref, old)

    outcome = migrate_fleet(QUICK, Watcher())

    assert outcome.ok
    assert applied(late[0]) == ["0001_initial"]


def template_of_now():
    from tenants.schemas.template import current_template

    return current_template()


def test_a_tenant_made_from_the_new_template_lacks_nothing(orchard, make_tenant):
    orchard.plant("0001_initial", TREES)
    migrate_fleet(QUICK)

    tenant = make_tenant()

    assert applied(tenant) == ["0001_initial"]
    assert migrate_fleet(QUICK).run is None


def test_a_lost_connection_is_made_anew(orchard, make_tenant):
    tenant = make_tenant()
    orchard.plant("0001_initial", TREES)
    cut = []

    class Watcher(Silent):
        def started(self, slug):
            if slug == tenant.slug and not cut:
                cut.append(slug)
                with superuser() as admin:
                    admin.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'px_ops'"
                        " AND datname = current_database() AND query NOT LIKE '%advisory%'"
                    )

    outcome = migrate_fleet(Options(canary=("acme-corp",), concurrency=1), Watcher())

    assert cut
    assert outcome.ok, outcome.run.reason
    assert applied(tenant) == ["0001_initial"]


def test_only_one_run_at_a_time(orchard):
    orchard.plant("0001_initial", TREES)

    with engine.only_run():
        assert selectors.is_run_under_way()
        with pytest.raises(FleetBusy):
            migrate_fleet(QUICK)

    assert not Run.objects.exists()


def test_without_the_template_of_this_code_nothing_is_migrated(orchard, make_tenant):
    tenant = make_tenant()
    orchard.write("0001_initial", TREES)

    with pytest.raises(TemplateMissing):
        migrate_fleet(QUICK)

    assert applied(tenant) == []


# --- outside of transactions --------------------------------------------------------------------------

CONCURRENTLY = """AddIndexConcurrently("tree", models.Index(fields=["kind"], name="orchard_kind"))"""


def index_is_valid(tenant):
    with enter(tenant.ref), connections["ops"].cursor() as cursor:
        cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('orchard_kind')")
        row = cursor.fetchone()
    return row and row[0]


def test_an_index_is_made_concurrently_in_every_tenant(orchard, make_tenant):
    tenants = [make_tenant() for _ in range(3)]
    orchard.plant("0001_initial", TREES)
    orchard.plant("0002_index", CONCURRENTLY, attributes="atomic = False")

    assert [segment.kind for segment in plan_fleet()[0][0].segments] == ["replay", "stepwise"]
    outcome = migrate_fleet(QUICK)

    assert outcome.ok
    assert all(map(index_is_valid, tenants))
    assert {tuple(applied(tenant)) for tenant in tenants} == {("0001_initial", "0002_index")}


def test_an_invalid_index_of_an_earlier_attempt_is_made_anew(orchard, make_tenant):
    orchard.plant("0001_initial", TREES)
    tenant = make_tenant()
    migrate_fleet(QUICK)
    orchard.plant("0002_index", CONCURRENTLY, attributes="atomic = False")
    with superuser() as admin:
        admin.execute(f"CREATE INDEX orchard_kind ON {tenant.schema_name}.orchard_tree (kind)")
        admin.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass",
            [f"{tenant.schema_name}.orchard_kind"],
        )

    outcome = migrate_fleet(QUICK)

    assert outcome.ok
    assert index_is_valid(tenant)


def test_what_was_reached_outside_of_transactions_is_not_run_again(orchard, make_tenant):
    orchard.plant("0001_initial", TREES)
    tenant = make_tenant()
    migrate_fleet(QUICK)
    count = "migrations.RunSQL(\"INSERT INTO orchard_tree (kind) VALUES ('counted')\")"
    fails = FAIL_IN.format(schemas=tenant.schema_name)
    orchard.plant("0002_steps", count, CONCURRENTLY, fails, attributes="atomic = False")

    first = migrate_fleet(Options(only=(tenant.slug,)))
    record = records(first.run)[tenant.slug]
    second = migrate_fleet(Options(only=(tenant.slug,)))

    assert (record.status, record.reached_migration, record.reached_statement) == ("failed", "orchard.0002_steps", 2)
    assert second.counts == {"failed": 1}
    with enter(tenant.ref), connections["ops"].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM orchard_tree")
        assert cursor.fetchone() == (1,)
    assert index_is_valid(tenant)


# --- the template -------------------------------------------------------------------------------------


def test_the_template_is_nobodys_but_the_owners(committed, world):
    with enter(TEMPLATE), connections["ops"].cursor() as cursor:
        cursor.execute("SELECT current_user, current_schema()")

        assert cursor.fetchone() == ("px_owner", "core_template")
