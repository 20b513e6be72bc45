"""Real processes: a tenant that people use while it is migrated, and a migration that is killed."""

import json
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from tenants.fleet import selectors
from tenants.fleet.engine import migrate_fleet
from tenants.fleet.models import Run, TenantRecord
from tenants.fleet.turns import Options
from tests.support import people
from tests.support.http import HttpVisitor
from tests.support.platform import Platform, wait_until
from tests.tenants.conftest import TREES, applied

PER_SECOND = 50
LOCK_TIMEOUT_S = 2.0
REPORT_S = 3.0
PERSON = """migrations.RunSQL([
    "ALTER TABLE people_person ADD COLUMN shoe_size integer",
    "ALTER TABLE preferences_preferences ADD COLUMN shoe_size integer",
    "CREATE INDEX orchard_shoe ON people_person (shoe_size)"])"""


@dataclass
class Traffic:
    """Somebody's requests at a steady pace, whatever the server does."""

    visitors: list[HttpVisitor]
    path: str
    answers: list[tuple[int, float]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        with ThreadPoolExecutor(len(self.visitors)) as pool:
            began, number = time.monotonic(), 0
            while not self.over.is_set():
                pool.submit(self._ask, self.visitors[number % len(self.visitors)])
                number += 1
                time.sleep(max(0.0, began + number / PER_SECOND - time.monotonic()))

    def _ask(self, visitor: HttpVisitor) -> None:
        began = time.monotonic()
        status = visitor.client.get(self.path).status_code
        self.answers.append((status, time.monotonic() - began))


@pytest.fixture
def platform(django_db_setup):
    with Platform("fleet").life("web") as platform:
        yield platform


def test_a_tenant_being_migrated_keeps_working(platform, orchard):
    orchard.write("0001_initial", TREES, PERSON)
    done = orchard.manage("migrate", "--verbosity", "0", env=platform.env)
    assert done.wait() == 0, done.stderr.read()
    visitor = HttpVisitor(platform.port, host="acme-corp.localhost")
    visitor.sign_in(people.email_of("owner"), people.PASSWORD)
    visitors = [visitor.twin() for _ in range(16)]
    traffic = Traffic(visitors, "/api/v1/me/")
    sender = threading.Thread(target=traffic.run)
    (acme,) = platform.sql("SELECT schema_name FROM tenants_tenant WHERE slug = 'acme-corp'")

    with platform.connect() as report:  # a long report: the migration finds people_person taken
        report.execute("SET ROLE px_owner")
        table = f"{acme['schema_name']}.people_person"
        report.execute(f"SELECT count(*) FROM {table}")
        sender.start()
        words = ("migrate_fleet", "--canary", "0", "--lock-timeout", str(LOCK_TIMEOUT_S), "--json")
        began = time.monotonic()
        migrating = orchard.manage(*words, env=platform.env)
        wait_until(lambda: _somebody_waits_for(platform, table), timeout_s=40, what=lambda: "no migration waits")
        time.sleep(REPORT_S)
    said, errors = migrating.communicate(timeout=60)
    took_s = time.monotonic() - began
    traffic.over.set()
    sender.join()

    assert migrating.returncode == 0, (said, errors)
    assert json.loads(said.splitlines()[-1])["counts"] == {"done": 2}
    (record,) = platform.sql("SELECT attempts FROM fleet_tenantrecord WHERE slug = 'acme-corp'")
    slowest = max(answered_in for _, answered_in in traffic.answers)
    print(f"{len(traffic.answers)} requests in {took_s:.1f} s, slowest {slowest:.2f} s, {record['attempts']} attempts")
    assert {status for status, _ in traffic.answers} == {200}
    assert record["attempts"] > 1, "nobody was in the way: this test shows nothing"
    assert slowest < LOCK_TIMEOUT_S
    assert len(traffic.answers) > 0.8 * PER_SECOND * took_s


def _somebody_waits_for(platform, table):
    waiting = "SELECT count(*) AS count FROM pg_locks WHERE relation = %s::regclass AND mode = 'AccessExclusiveLock'"
    return platform.sql(waiting, table)[0]["count"] > 0


def test_a_run_that_was_killed_is_gone_on_with(orchard, make_tenant):
    tenants = [make_tenant() for _ in range(8)]
    orchard.plant("0001_initial", TREES, 'migrations.RunSQL("SELECT pg_sleep(0.2)")')
    process = orchard.manage("migrate_fleet", "--concurrency", "2", "--canary", "1")
    done = TenantRecord.objects.filter(status="done")
    wait_until(lambda: done.count() >= 3, timeout_s=40, what=process.stderr.read)

    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_until(lambda: not selectors.is_run_under_way(), timeout_s=10, what=lambda: "the lock is still held")
    (killed,) = selectors.list_runs()
    outcome = migrate_fleet(Options(lock_timeout_s=1))

    assert killed.status == Run.Status.INTERRUPTED
    assert outcome.ok
    assert {tuple(applied(tenant)) for tenant in tenants} == {("0001_initial",)}
    before, after = selectors.get_run(killed.pk), selectors.get_run(outcome.run.pk)
    assert before.status == Run.Status.INTERRUPTED
    assert 3 <= before.counts["done"] < 10
    assert before.counts["unreached"] == after.counts["done"] or before.counts["done"] + after.counts["done"] >= 10


def test_a_run_told_to_end_finishes_who_it_is_at(orchard, make_tenant):
    for _ in range(6):
        make_tenant()
    orchard.plant("0001_initial", TREES, 'migrations.RunSQL("SELECT pg_sleep(0.3)")')
    process = orchard.manage("migrate_fleet", "--concurrency", "1")
    done = TenantRecord.objects.filter(status="done")
    wait_until(lambda: done.count() >= 2, timeout_s=40, what=process.stderr.read)

    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=20)

    (run,) = selectors.list_runs()
    assert process.returncode == 130, errors
    assert (run.status, run.reason) == ("stopped", "ended by a signal")
    assert run.counts["done"] + run.counts["unreached"] == 8
    assert "failed" not in run.counts
