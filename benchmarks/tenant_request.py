"""A signed-in JSON read (`GET /api/v1/me/`) with tenant routing, role and session, beside plain Django doing the same.

Both run under the same granian, with the same pool, session engine and cache, and are asked in turns, so that the ratio
holds on a noisy machine. Making 2,000 tenants takes minutes.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg

from benchmarks.harness import Bar, Figure, Ground, run_module
from benchmarks.load import Load, load, request_for
from deploy.embedded import ports

PATH = "/api/v1/me/"
FEW = 10
ROUNDS, SECONDS = 15, 0.8  # many short rounds: what else the machine does comes and goes within seconds
LOGS = Path("var/bench")
# what a copy takes over from the model: everything that a signed-in read touches
COPIED = (
    "identity_realm",
    "people_role",
    "people_person",
    "people_roleassignment",
    "people_permissionsversion",
    "django_session",
    "browser_sessions_browsersession",
    "preferences_preferences",
)
MANY_ROLES = (2_000, 10_000)


def run(ground: Ground, size: int = 2_000) -> Iterator[Figure]:
    """Have the tenants made, start both servers, and yield the figures."""
    slugs, key, our_queries = _fill(ground, size)
    with ground.plain_database("benchmarks.plain.settings") as plain_env:
        plain = json.loads(run_module("benchmarks.plain.fill", plain_env))
        with ExitStack() as running:
            our_port = running.enter_context(_web("plexica.wsgi:application", _our_environment(ground)))
            plain_port = running.enter_context(_web("benchmarks.plain.wsgi:application", plain_env))
            ours = [request_for(f"{slug}.localhost:{our_port}", PATH, f"px_session_{our_port}={key}") for slug in slugs]
            others = [request_for("localhost", PATH, f"sessionid={plain['key']}")]
            ground.say("asking both in turns")
            yield from _beside_plain(our_port, ours[:FEW], plain_port, others)
            yield Figure("queries", our_queries, "", note="of one read")
            yield Figure("plain_queries", plain["queries"], "", note="of one read")
            ground.say(f"visiting {size} tenants")
            yield from _growth(ground, our_port, ours)
            ground.say(f"{FEW} tenants and {size} in turns")
            yield from _many_beside_few(our_port, ours)
    ground.say("a statement after a GRANT")
    yield from _after_a_grant(ground)


# --- figures ----------------------------------------------------------------------------------------------


def _beside_plain(port: int, ours: Sequence[bytes], plain_port: int, plain: Sequence[bytes]) -> Iterator[Figure]:
    for target, requests in ((port, ours), (plain_port, plain)):
        _good(load(target, requests, seconds=1))
    pairs = _in_turns((port, ours), (plain_port, plain))
    yield Figure("vs_plain_django", _ratio(pairs), "x", Bar("at_least", 0.8), "requests per second")
    yield Figure("requests", round(statistics.median(one.per_second for one, _ in pairs)), "/s")
    yield Figure("plain_requests", round(statistics.median(other.per_second for _, other in pairs)), "/s")
    taken = statistics.median(taken for one, _ in pairs for taken in one.times_s)
    yield Figure("request_p50", round(taken * 1e3, 2), "ms", note="four at a time")


def _many_beside_few(port: int, requests: Sequence[bytes]) -> Iterator[Figure]:
    pairs = _in_turns((port, requests), (port, requests[:FEW]))
    yield Figure(f"tenants_{len(requests)}_vs_{FEW}", _ratio(pairs), "x", Bar("at_least", 0.9), "round robin over all")


def _growth(ground: Ground, port: int, requests: Sequence[bytes]) -> Iterator[Figure]:
    """How much a web worker and its connections hold more after a visit to every tenant."""
    worker, backends = _worker_mb(port), _backend_mb(ground)
    for _ in range(2):  # each of the connections comes to know most tenants
        _good(load(port, requests))
    yield Figure("worker_growth", round(_worker_mb(port) - worker, 1), "MB", Bar("at_most", 50))
    note = "the largest connection; it ends after 10 minutes"
    yield Figure("backend_growth", round(_backend_mb(ground) - backends, 1), "MB", Bar("at_most", 100), note)


def _after_a_grant(ground: Ground) -> Iterator[Figure]:
    """What the first SET ROLE costs when memberships have to be walked again."""
    with ground.admin() as admin, psycopg.connect(os.environ["PLEXICA_DATABASE_URL"], autocommit=True) as app:
        present = _number(admin, "SELECT count(*) FROM pg_auth_members WHERE member = 'px_app'::regrole")
        role = _text(admin, "SELECT role_name FROM tenants_tenant WHERE status = 'active' LIMIT 1")
        made: list[str] = []
        try:
            for wanted in MANY_ROLES:
                for number in range(len(made), max(wanted - present, len(made))):
                    name = f"px_bench_{os.getpid()}_{number}"
                    admin.execute(f"CREATE ROLE {name}".encode())
                    made.append(name)
                    admin.execute(f"GRANT {name} TO px_app WITH SET TRUE, INHERIT FALSE".encode())
                took = round(_first_role(admin, app, role), 1)
                yield Figure(f"after_grant_{present + len(made)}_roles", took, "ms", note="the next SET ROLE")
        finally:
            for name in made:
                admin.execute(f"DROP ROLE {name}".encode())


def _first_role(admin: "psycopg.Connection[Any]", app: "psycopg.Connection[Any]", role: str) -> float:
    times = []
    for _ in range(5):
        admin.execute("CREATE ROLE px_bench_granted")
        admin.execute("GRANT px_bench_granted TO px_ops")
        begin = time.perf_counter()
        app.execute(f'SET ROLE "{role}"'.encode())
        times.append((time.perf_counter() - begin) * 1e3)
        app.execute("RESET ROLE")
        admin.execute("DROP ROLE px_bench_granted")
    return statistics.median(times)


Asked = tuple[int, Sequence[bytes]]  # a port, and what is sent there


def _in_turns(one: Asked, other: Asked) -> list[tuple[Load, Load]]:
    """Ask both in each round, each first in every second one: who comes first pays for what was before."""
    pairs = []
    for number in range(ROUNDS):
        order = (one, other) if number % 2 else (other, one)
        answers = {id(asked): _good(load(*asked, seconds=SECONDS)) for asked in order}
        pairs.append((answers[id(one)], answers[id(other)]))
    return pairs


def _ratio(pairs: Sequence[tuple[Load, Load]]) -> float:
    return round(statistics.median(one.per_second / other.per_second for one, other in pairs), 2)


def _good(result: Load) -> Load:
    if result.errors:
        raise RuntimeError(f"{len(result.errors)} wrong answers, the first: {result.errors[0]}")
    return result


def _worker_mb(port: int) -> float:
    """The largest of the processes below the one that listens, in memory of its own."""
    return max(process.memory_full_info().uss for process in _family(port)) / 2**20


def _family(port: int) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter()
        if f"--port={port}" in process.cmdline() or any(f"--port={port}" in up.cmdline() for up in process.parents())
    ]


def _backend_mb(ground: Ground) -> float:
    """The largest of the web worker's PostgreSQL processes, in memory of its own."""
    statement = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND usename = 'px_app'"
    with ground.admin() as admin:
        pids = [int(row[0]) for row in admin.execute(statement, [ground.database]).fetchall()]
    return max((_anonymous_kb(pid) for pid in pids), default=0) / 1024


def _anonymous_kb(pid: int) -> int:
    found = re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found.group(1)) if found else 0


# --- ground -----------------------------------------------------------------------------------------------


def _fill(ground: Ground, count: int) -> tuple[list[str], str, int]:
    """Have `count` tenants that one session's key opens; return their slugs, the key, and the queries of a read."""
    from django.db import connections
    from psycopg import sql

    from tenants.models import Domain
    from tenants.schemas import making

    model, key = _model_tenant()
    copies = ground.make_tenants(count - 1)
    ground.say("copying a person and a session into each")
    for tenant in copies:
        with making.owner_cursor(tenant.ref) as cursor:
            for table in COPIED:
                source, name = sql.Identifier(model.schema_name, table), sql.Identifier(table)
                cursor.execute(sql.SQL("DELETE FROM {}").format(name))
                cursor.execute(sql.SQL("INSERT INTO {} SELECT * FROM {}").format(name, source))
    Domain.objects.bulk_create(Domain(domain=tenant.slug, tenant=tenant) for tenant in copies)
    connections.close_all()
    return [model.slug, *(tenant.slug for tenant in copies)], key, _queries(model.slug, key)


def _model_tenant() -> tuple[Any, str]:
    """A tenant from the real provisioning, whose admin has a session."""
    from datetime import timedelta

    from django.contrib.sessions.backends.cached_db import SessionStore
    from django.utils import timezone

    from accounts.people.models import Person
    from accounts.sessions.models import SESSION_ID, BrowserSession
    from core.actors import SYSTEM
    from core.tenancy import enter
    from tenants.models import Tenant
    from tenants.services.provisioning import request_tenant
    from tenants.services.work import run_operation

    operation = request_tenant(slug="bench-model", name="Model", admin_email="a@bench.example", actor=SYSTEM)
    run_operation(operation.pk)
    tenant = Tenant.objects.get(slug="bench-model", status="active")
    with enter(tenant.ref):
        person = Person.objects.get()
        row = BrowserSession.objects.create(
            principal_id=person.pk,
            realm_id=person.realm_id,
            subject=person.subject,
            access_expires_at=timezone.now() + timedelta(hours=6),  # longer than the bench: none is renewed
        )
        session = SessionStore()
        session[SESSION_ID] = str(row.pk)
        session.save()
    return tenant, str(session.session_key)


def _queries(slug: str, key: str) -> int:
    from django.conf import settings
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(headers={"Host": f"{slug}.{settings.PUBLIC_NETLOC}"})
    client.cookies[settings.SESSION_COOKIE_NAME] = key
    client.get(PATH)
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(PATH)
    if answer.status_code != 200 or answer.json()["roles"] != ["admin"]:
        raise RuntimeError(f"the read is answered with {answer.status_code}: {answer.content[:300]!r}")
    return len(queries)


def _our_environment(ground: Ground) -> dict[str, str]:
    """What production has: its own settings, its usual pool, a line of log for each request, no operations login."""
    env = {name: value for name, value in os.environ.items() if name != "PLEXICA_DATABASE_OPS_URL"}
    own = {"DJANGO_SETTINGS_MODULE": "plexica.settings", "PLEXICA_LOG_LEVEL": "INFO", "PLEXICA_LOG_FORMAT": "json"}
    return env | own | {"PLEXICA_DATABASE_POOL_MAX": "16"}


@contextmanager
def _web(application: str, env: dict[str, str]) -> Iterator[int]:
    """The application under granian, as production runs it, on a port of its own."""
    port = ports.choose(("web",))["web"]
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{application.partition(':')[0]}.log"
    own = {**env, "PLEXICA_PUBLIC_URL": f"http://localhost:{port}"}
    granian = Path(sys.prefix) / "bin" / "granian"
    options = ["--host=127.0.0.1", f"--port={port}", "--workers=1", "--blocking-threads=4"]
    with log.open("wb") as out:
        server = subprocess.Popen([granian, "--interface=wsgi", application, *options], env=own, stdout=out, stderr=out)
        try:
            _wait_for(port, server, log)
            yield port
        finally:
            server.terminate()
            server.wait(20)


def _wait_for(port: int, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"the server ended:\n{log.read_text()[-2000:]}")
        try:
            urllib.request.urlopen(f"http://localhost:{port}/health", timeout=5).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the server does not answer")


def _number(admin: "psycopg.Connection[Any]", statement: str, *values: object) -> int:
    row = admin.execute(statement.encode(), values or None).fetchone()
    return int(row[0]) if row else 0


def _text(admin: "psycopg.Connection[Any]", statement: str) -> str:
    row = admin.execute(statement.encode()).fetchone()
    return str(row[0]) if row else ""
