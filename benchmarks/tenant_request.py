"""A signed-in JSON read (`GET /api/v1/me/`) with tenant routing, role and session, beside plain Django doing the same.

Both run under the same granian, with the same pool, session engine and cache, and are asked in turns, so that the ratio
holds on a noisy machine. The tenants are made once (some minutes for 2,000) and kept in a database of their own.

    python -m benchmarks.tenant_request [--tenants 2000] [--rounds 6] [--seconds 2] [--json]
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg

from benchmarks.load import Load, load, request_for
from deploy.embedded import ports, progress, testing
from deploy.embedded.paths import Tree
from deploy.embedded.servers import USUAL
from deploy.embedded.stack import Stack

NAME = "tenant-request"
PATH = "/api/v1/me/"
FEW = 10
OURS, PLAIN = "px_bench_requests", "px_bench_plain"
CACHE, PLAIN_CACHE, QUEUES = 2, 3, 4  # Valkey's databases
# what a copy takes over from the model: everything that a signed-in read touches
COPIED = ("identity_realm", "people_role", "people_person", "people_roleassignment", "django_session", "preferences_preferences")
MANY_ROLES = (2_000, 10_000)
Figure = dict[str, Any]


def measure(*, tenants: int = 2_000, rounds: int = 6, seconds: float = 2.0, say: Callable[[str], None]) -> list[Figure]:
    """Make what is missing, start both servers, and return the figures."""
    tree = Tree.here()
    stack = Stack(tree, say)
    with stack.in_use(), ExitStack() as running:
        stack.up(USUAL)
        env = _environment(tree, stack)
        os.environ.update(env)
        slugs, cookie, our_queries = _fill(tenants, say)
        plain = _fill_plain(env)
        log = tree.root / "var" / "bench"
        our_port = running.enter_context(_web("plexica.wsgi:application", env, log / "ours.log"))
        plain_port = running.enter_context(_web("benchmarks.plain.wsgi:application", env, log / "plain.log"))
        ours = [request_for(f"{slug}.localhost:{our_port}", PATH, cookie(our_port)) for slug in slugs]
        others = [request_for("localhost", PATH, f"sessionid={plain['key']}")]
        figures = [_figure("queries", our_queries, ""), _figure("plain_queries", plain["queries"], "")]
        say("asking both in turns")
        figures += _beside_plain(our_port, ours[:FEW], plain_port, others, rounds, seconds)
        say(f"visiting {tenants} tenants")
        figures += _growth(our_port, ours, log / "ours.log")
        say(f"{FEW} tenants and {tenants} in turns")
        figures += _many_beside_few(our_port, ours, rounds, seconds)
    say("a statement after a GRANT")
    return [*figures, *_after_a_grant()]


def _figure(name: str, value: float, unit: str) -> Figure:
    return {"name": name, "value": round(value, 3), "unit": unit}


# --- figures ----------------------------------------------------------------------------------------------


def _beside_plain(
    port: int, ours: Sequence[bytes], plain_port: int, plain: Sequence[bytes], rounds: int, seconds: float
) -> list[Figure]:
    for target, requests in ((port, ours), (plain_port, plain)):
        _good(load(target, requests, seconds=1))
    pairs = [
        (_good(load(port, ours, seconds=seconds)), _good(load(plain_port, plain, seconds=seconds)))
        for _ in range(rounds)
    ]
    return [
        _figure("vs_plain_django", _ratio(pairs), "x"),
        _figure("requests", statistics.median(one.per_second for one, _ in pairs), "/s"),
        _figure("plain_requests", statistics.median(other.per_second for _, other in pairs), "/s"),
        _figure("p50", statistics.median(time for one, _ in pairs for time in one.times_s) * 1e3, "ms"),
    ]


def _many_beside_few(port: int, requests: Sequence[bytes], rounds: int, seconds: float) -> list[Figure]:
    pairs = [
        (_good(load(port, requests, seconds=seconds)), _good(load(port, requests[:FEW], seconds=seconds)))
        for _ in range(rounds)
    ]
    return [_figure(f"tenants_{len(requests)}_vs_{FEW}", _ratio(pairs), "x")]


def _growth(port: int, requests: Sequence[bytes], log: Path) -> list[Figure]:
    """How much a web worker and its connections hold more after a visit to every tenant."""
    worker, backends = _worker_mb(port), _backend_mb()
    for _ in range(2):  # each of the connections comes to know most tenants
        _good(load(port, requests))
    return [
        _figure("worker_growth", _worker_mb(port) - worker, "MB"),
        _figure("backend_growth", _backend_mb() - backends, "MB"),
    ]


def _after_a_grant() -> list[Figure]:
    """What the first SET ROLE costs when memberships have to be walked again."""
    figures = []
    with _admin(OURS) as admin, psycopg.connect(os.environ["PLEXICA_DATABASE_URL"], autocommit=True) as app:
        present = _number(admin, "SELECT count(*) FROM pg_auth_members WHERE member = 'px_app'::regrole")
        made: list[str] = []
        try:
            for wanted in MANY_ROLES:
                names = [f"px_bench_{number}" for number in range(len(made), max(wanted - present, len(made)))]
                for name in names:
                    admin.execute(f"CREATE ROLE {name}".encode())
                    admin.execute(f"GRANT {name} TO px_app WITH SET TRUE, INHERIT FALSE".encode())
                made += names
                role = _text(admin, "SELECT role_name FROM tenants_tenant LIMIT 1")
                figures.append(_figure(f"after_grant_{present + len(made)}_roles", _first_role(admin, app, role), "ms"))
        finally:
            for name in made:
                admin.execute(f"DROP ROLE {name}".encode())
    return figures


def _first_role(admin: "psycopg.Connection[Any]", app: "psycopg.Connection[Any]", role: str) -> float:
    times = []
    for _ in range(5):
        admin.execute("CREATE ROLE px_bench_other")
        admin.execute("GRANT px_bench_other TO px_ops")
        begin = time.perf_counter()
        app.execute(f'SET ROLE "{role}"'.encode())
        times.append((time.perf_counter() - begin) * 1e3)
        app.execute("RESET ROLE")
        admin.execute("DROP ROLE px_bench_other")
    return statistics.median(times)


def _ratio(pairs: Sequence[tuple[Load, Load]]) -> float:
    return statistics.median(one.per_second / other.per_second for one, other in pairs)


def _good(result: Load) -> Load:
    if result.errors:
        raise SystemExit(f"{len(result.errors)} wrong answers, the first: {result.errors[0]}")
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


def _backend_mb() -> float:
    """The largest of the web worker's PostgreSQL processes, in memory of its own."""
    with _admin("postgres") as admin:
        rows = admin.execute("SELECT pid FROM pg_stat_activity WHERE datname = %s AND usename = 'px_app'", [OURS])
        pids = [int(row[0]) for row in rows.fetchall()]
    return max((_anonymous_kb(pid) for pid in pids), default=0) / 1024


def _anonymous_kb(pid: int) -> int:
    found = re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found.group(1)) if found else 0


# --- ground -----------------------------------------------------------------------------------------------


def _environment(tree: Tree, stack: Stack) -> dict[str, str]:
    env = testing.environment(tree, stack, {})
    for variable in ("PLEXICA_DATABASE_URL", "PLEXICA_DATABASE_OPS_URL"):
        env[variable] = _other(env[variable], OURS)
    plain_cache = _other(env["PLEXICA_REDIS_URL"], str(PLAIN_CACHE))
    return {
        **env,
        "PLEXICA_REDIS_URL": _other(env["PLEXICA_REDIS_URL"], str(CACHE)),
        "PLEXICA_BROKER_URL": _other(env["PLEXICA_BROKER_URL"], str(QUEUES)),
        "PLEXICA_LOG_FORMAT": "json",
        "PLEXICA_MAIL_DIR": str(tree.root / "var" / "bench" / "mail"),
        "PLAIN_DATABASE_URL": _other(env["PLEXICA_DATABASE_ADMIN_URL"], PLAIN),
        "PLAIN_REDIS_URL": plain_cache,
        "DJANGO_SETTINGS_MODULE": "plexica.settings",
    }


def _fill(count: int, say: Callable[[str], None]) -> tuple[list[str], Callable[[int], str], int]:
    """Have `count` tenants that one cookie is signed in to; return their slugs, the cookie, and the queries of a read."""
    import django

    django.setup()
    from django.core.management import call_command

    call_command("setup_database", verbosity=0)
    call_command("migrate", verbosity=0)
    model, key = _model_tenant()
    missing = count - 1 - _copies()
    if missing > 0:
        say(f"making {missing} tenants")
        _make_copies(model, missing)
    from tenants.models import Tenant

    slugs = list(Tenant.objects.filter(status="active").order_by("created_at").values_list("slug", flat=True)[:count])

    def cookie(port: int) -> str:
        return f"px_session_{port}={key}"

    return slugs, cookie, _queries(slugs[0], key)


def _model_tenant() -> tuple[Any, str]:
    """A tenant from the real provisioning, whose admin has a session."""
    from django.contrib.auth import BACKEND_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.cached_db import SessionStore
    from django.contrib.sessions.models import Session

    from accounts.people.models import Person
    from core.actors import SYSTEM
    from core.tenancy import enter
    from tenants.models import Tenant
    from tenants.services.operations import run_operation
    from tenants.services.provisioning import request_tenant

    tenant = Tenant.objects.filter(slug="bench-model", status="active").first()
    if tenant is None:
        operation = request_tenant(slug="bench-model", name="Model", admin_email="a@bench.example", actor=SYSTEM)
        run_operation(operation.pk)
        tenant = Tenant.objects.get(slug="bench-model", status="active")
    with enter(tenant.ref):
        row = Session.objects.order_by("-expire_date").first()
        if row is not None and "_auth_user_id" in row.get_decoded():
            return tenant, str(row.session_key)
        session = SessionStore()
        session[SESSION_KEY] = str(Person.objects.get().pk)
        session[BACKEND_SESSION_KEY] = "accounts.identity.relying_party.RealmBackend"
        session.set_expiry(10 * 365 * 24 * 3600)
        session.save()
    return tenant, str(session.session_key)


def _copies() -> int:
    from tenants.models import Tenant

    return Tenant.objects.filter(slug__startswith="bench-copy-", status="active").count()


def _make_copies(model: Any, count: int) -> None:
    from django.db import connections
    from psycopg import sql

    from tenants.fleet import current_template
    from tenants.models import Domain, Tenant
    from tenants.schemas import making
    from tenants.selectors import installation_code

    template, first, installation = current_template(), _copies(), installation_code()

    def make(number: int) -> None:
        slug = f"bench-copy-{number}"
        tenant = Tenant.new(
            installation=installation, slug=slug, name=slug, admin_email="a@bench.example", admin_name="A", status="active"
        )
        making.make_schema(tenant.ref, template)
        with making.owner_cursor(tenant.ref) as cursor:
            for table in COPIED:
                source, name = sql.Identifier(model.schema_name, table), sql.Identifier(table)
                cursor.execute(sql.SQL("DELETE FROM {}").format(name))
                cursor.execute(sql.SQL("INSERT INTO {} SELECT * FROM {}").format(name, source))
        tenant.save(force_insert=True)
        Domain.objects.create(domain=slug, tenant=tenant)

    def make_some(numbers: Sequence[int]) -> None:
        try:
            for number in numbers:
                make(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as threads:
        numbers = range(first, first + count)
        list(threads.map(make_some, [numbers[0::2], numbers[1::2]]))


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
        raise SystemExit(f"the read is answered with {answer.status_code}: {answer.content[:300]!r}")
    return len(queries)


def _fill_plain(env: dict[str, str]) -> dict[str, Any]:
    with _admin("postgres") as admin:
        if not _number(admin, "SELECT count(*) FROM pg_database WHERE datname = %s", PLAIN):
            admin.execute(f"CREATE DATABASE {PLAIN}".encode())
    made = subprocess.run(
        [sys.executable, "-m", "benchmarks.plain.fill"],
        env={**env, "DJANGO_SETTINGS_MODULE": "benchmarks.plain.settings", "PLEXICA_REDIS_URL": env["PLAIN_REDIS_URL"]},
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise SystemExit(f"plain Django could not be set up:\n{made.stderr}")
    answer: dict[str, Any] = json.loads(made.stdout)
    return answer


@contextmanager
def _web(application: str, env: dict[str, str], log: Path) -> Iterator[int]:
    """The application under granian, as production runs it, on a port of its own."""
    port = ports.choose(("web",))["web"]
    log.parent.mkdir(parents=True, exist_ok=True)
    is_ours = application.startswith("plexica")
    own = {**env, "PLEXICA_PUBLIC_URL": f"http://localhost:{port}"}
    own.pop("PLEXICA_DATABASE_OPS_URL")
    if not is_ours:
        own |= {"DJANGO_SETTINGS_MODULE": "benchmarks.plain.settings", "PLEXICA_REDIS_URL": env["PLAIN_REDIS_URL"]}
    granian = Path(sys.prefix) / "bin" / "granian"
    options = ["--host=127.0.0.1", f"--port={port}", "--workers=1", "--blocking-threads=4"]
    with log.open("wb") as out:
        server = subprocess.Popen(
            [granian, "--interface=wsgi", application, *options], env=own, stdout=out, stderr=out
        )
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
            raise SystemExit(f"the server ended:\n{log.read_text()[-2000:]}")
        try:
            urllib.request.urlopen(f"http://localhost:{port}/health", timeout=5).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the server does not answer")


@contextmanager
def _admin(name: str) -> Iterator["psycopg.Connection[Any]"]:
    with psycopg.connect(_other(os.environ["PLEXICA_DATABASE_ADMIN_URL"], name), autocommit=True) as admin:
        yield admin


def _number(admin: "psycopg.Connection[Any]", statement: str, *values: object) -> int:
    row = admin.execute(statement.encode(), values or None).fetchone()
    return int(row[0]) if row else 0


def _text(admin: "psycopg.Connection[Any]", statement: str) -> str:
    row = admin.execute(statement.encode()).fetchone()
    return str(row[0]) if row else ""


def _other(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.tenant_request", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tenants", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(argv)
    say = (lambda text: print(text, file=sys.stderr)) if options.json else progress.say
    figures = measure(tenants=options.tenants, rounds=options.rounds, seconds=options.seconds, say=say)
    if options.json:
        print(json.dumps({"bench": NAME, "figures": figures}))
    else:
        for figure in figures:
            print(f"{figure['name']:<28} {figure['value']:>10} {figure['unit']}")


if __name__ == "__main__":
    main()
