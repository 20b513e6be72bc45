"""One AddField and index over all tenants: ours, the bare SQL over as many connections, and django-tenants' executor.

The bare replay does what no tool can leave out: it connects as often as ours has lanes, and sends each tenant's
transaction with DDL and the row of `django_migrations` in one message. It is told the SQL and who needs it. Ours finds out
both, and besides tries a canary, waits for locks within limits, keeps a second process off, and writes the ledger. Both
begin without a connection.
"""

import statistics
import threading
from collections.abc import Iterator
from typing import Any

from psycopg import sql

from benchmarks.harness import Bar, Figure, Ground, median, timed

ROUNDS = 7
WHOLE_ROUNDS = 5  # each a second; django-tenants' takes twenty
KEY = "INSERT INTO django_migrations (app, name, applied) VALUES ('shop', '0002_stock', now());"
# what the migration's SQL is; the engine has to find it out each time
BARE = """
    ALTER TABLE "shop_article" ADD COLUMN "stock" integer NULL;
    CREATE INDEX "shop_article_stock" ON "shop_article" ("stock");
"""


def run(ground: Ground, size: int = 200) -> Iterator[Figure]:
    """Measure it on `size` tenants."""
    from django.conf import settings
    from django.db import connections

    from tenants.fleet.engine import migrate_fleet
    from tenants.fleet.turns import Options
    from tenants.schemas.template import known_migrations, update_template

    tenants = ground.make_tenants(size)
    settings.MIGRATION_MODULES["shop"] = "benchmarks.shop.migrations"
    known_migrations.cache_clear()
    update_template()
    lanes = Options().concurrency
    ours: list[float] = []
    bare: list[float] = []
    ground.say("ours and the bare SQL in turn")
    for _ in range(ROUNDS):
        for series, way in ((bare, lambda: _replay(tenants, lanes)), (ours, migrate_fleet)):
            ground.settle()
            connections.close_all()
            series.append(timed(way))
            _undo(ground, tenants)
    ours_whole = []
    for _ in range(WHOLE_ROUNDS):
        ours_whole.append(ground.manage("migrate_fleet", BENCH_SHOP="migrations"))
        _undo(ground, tenants)
    theirs = ("migrate_schemas", "--tenant", "--executor=multiprocessing")
    ground.say("django-tenants, for the first time")
    ground.manage(*theirs, settings="benchmarks.django_tenants_settings", BENCH_SHOP="first")  # see fleet-check
    ground.say("django-tenants")
    compared = ground.manage(*theirs, settings="benchmarks.django_tenants_settings", BENCH_SHOP="migrations")
    yield Figure("tenants", len(tenants), "")
    yield Figure("in_process", round(median(ours) * 1000, 1), "ms")
    yield Figure("bare_replay", round(median(bare) * 1000, 1), "ms", note=f"{lanes} connections each")
    ratio = statistics.median(one / other for one, other in zip(ours, bare, strict=True))
    yield Figure("vs_bare_replay", round(ratio, 2), "x", Bar("at_most", 2), note="the middle one of pairs")
    yield Figure("whole_command", round(median(ours_whole), 2), "s")
    note = f"migrate_schemas --executor=multiprocessing took {compared:.1f} s"
    yield Figure("vs_multiprocessing", round(compared / median(ours_whole), 1), "x", Bar("at_least", 20), note)


def _replay(tenants: list[Any], lanes: int) -> None:
    """The least that can be done: one transaction for each tenant, its text known before."""
    from tenants.fleet.running import connect

    names, lock = [tenant.schema_name for tenant in tenants], threading.Lock()

    def work() -> None:
        with connect(role="px_owner") as connection:
            while True:
                with lock:
                    if not names:
                        return
                    name = names.pop()
                path = sql.Identifier(name).as_string(None)
                connection.execute(f"BEGIN; SET LOCAL search_path = {path}; {BARE} {KEY} COMMIT".encode())

    threads = [threading.Thread(target=work) for _ in range(lanes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _undo(ground: Ground, tenants: list[Any]) -> None:
    with ground.admin() as admin:
        for tenant in tenants:
            path = sql.Identifier(tenant.schema_name).as_string(None)
            text = (
                f"BEGIN; SET LOCAL search_path = {path}; ALTER TABLE shop_article DROP COLUMN stock;"
                " DELETE FROM django_migrations WHERE app = 'shop' AND name = '0002_stock'; COMMIT"
            )
            admin.execute(text.encode())
