"""What all benches stand on: a database of their own on the embedded servers, tenants by the hundred, times and ratios.

A bench is a module with `run(ground, size=...)` that yields figures:

    def run(ground: Ground, size: int = 1000) -> Iterator[Figure]:
        ground.make_tenants(size)
        yield Figure("in_process", 812.0, "ms", Bar("at_most", 1000))

Django is set up when `Ground` is entered: import rooms inside `run`.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import StringIO
from typing import Any, Literal, Self

import psycopg
from psycopg import sql
from redis import Redis

from deploy.embedded.files import locked
from deploy.embedded.paths import Tree
from deploy.embedded.servers import USUAL
from deploy.embedded.stack import Stack
from deploy.embedded.testing import environment

DATABASES = {"PLEXICA_DATABASE_URL": "px_app", "PLEXICA_DATABASE_OPS_URL": "px_ops"}
VALKEY = ("PLEXICA_REDIS_URL", "PLEXICA_BROKER_URL")
VALKEY_PAIRS = range(18, 32, 2)  # of Valkey's databases; those below are the tests'
THREADS = 4
KEYCLOAK = "keycloak-2"  # of tests and benches: its data may go


@dataclass(frozen=True)
class Bar:
    """What was promised of a figure."""

    kind: Literal["at_most", "at_least"]
    value: float

    def holds(self, value: float) -> bool:
        """Say whether a figure keeps the promise."""
        return value <= self.value if self.kind == "at_most" else value >= self.value


@dataclass(frozen=True)
class Figure:
    """One result; `note` says what the table's reader should know of it."""

    name: str
    value: float
    unit: str
    bar: Bar | None = None
    note: str = ""


class Ground:
    """A Plexica in a database of its own, while it is entered; roles, buckets and database are dropped at the end."""

    def __init__(self, *, say: Callable[[str], None], settings: str = "benchmarks.settings") -> None:
        self.say = say
        self._settings = settings
        self._tree = Tree.here()
        self._stack = Stack(self._tree, say)
        self._use = self._stack.in_use()
        self.database = f"px_bench_{os.getpid()}"
        self._held = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as held:
            held.enter_context(self._use)
            pair = held.enter_context(self._own_valkey_databases())
            self._stack.up(USUAL)
            os.environ |= self._environment(pair)
            held.callback(self._clear)
            self._set_up()
            self._held = held.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._held.close()

    @contextmanager
    def _own_valkey_databases(self) -> Iterator[int]:
        """Two that nobody else uses meanwhile: another's workers would take our messages, and its end empty our streams."""
        while True:
            for first in VALKEY_PAIRS:
                with locked(self._tree.root / "var" / "bench" / f"valkey-{first}.lock", wait=False) as is_ours:
                    if is_ours:
                        yield first
                        return
            time.sleep(1)

    def _environment(self, pair: int) -> dict[str, str]:
        env = environment(self._tree, self._stack, {})
        for variable in DATABASES:
            env[variable] = env[variable].rpartition("/")[0] + f"/{self.database}"
        for number, variable in enumerate(VALKEY, pair):
            env[variable] = env[variable].rpartition("/")[0] + f"/{number}"
        own = {
            **self._stack.settings([KEYCLOAK]),
            "PLEXICA_MAIL_DIR": str(self._tree.root / "var" / "bench" / "mail"),
            "PLEXICA_LOG_LEVEL": "ERROR",
            "PLEXICA_DATABASE_POOL_MAX": "60",
            "DJANGO_SETTINGS_MODULE": self._settings,
        }
        return env | own

    def _set_up(self) -> None:
        import django
        from django.core.management import call_command

        self.say(f"making the database {self.database}")
        self._empty_valkey()  # of what a bench that was killed left
        django.setup()
        for command in ("setup_database", "migrate"):
            call_command(command, verbosity=0, stdout=StringIO())

    def _clear(self) -> None:
        """Drop the database first: a role that owns or may do something there can't be dropped."""
        if KEYCLOAK in self._stack.started:
            self._remove_keycloak()
        code = self._installation()
        if code:
            self._delete_buckets()
        self._close_connections()
        with self.admin("postgres") as admin:
            admin.execute(f'DROP DATABASE IF EXISTS "{self.database}" WITH (FORCE)'.encode())
            if code:
                rows = admin.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE %s", [f"px\\_{code}\\_%"])
                for (role,) in rows.fetchall():
                    admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))
        self._empty_valkey()

    def _empty_valkey(self) -> None:
        for variable in VALKEY:
            with Redis.from_url(os.environ[variable]) as valkey:
                valkey.flushdb()

    def _installation(self) -> str:
        from tenants.selectors import installation_code

        try:
            return installation_code()
        except Exception:  # noqa: BLE001 - the database was not finished
            return ""

    def _delete_buckets(self) -> None:
        """Only tenants that an operation made have one."""
        from storage.buckets import delete_bucket_with_contents
        from tenants.models import Operation

        for name in set(Operation.objects.values_list("tenant__bucket_name", flat=True)):
            delete_bucket_with_contents(name)

    def _close_connections(self) -> None:
        from django.db import connections

        wrappers: Any = connections.all()
        for wrapper in wrappers:
            wrapper.close()
            wrapper.close_pool()

    # --- what benches use ---------------------------------------------------------------------------

    def at_end(self, function: Callable[[], object]) -> None:
        """Call this when the bench has ended, however."""
        self._held.callback(function)

    def admin(self, database: str = "") -> "psycopg.Connection[Any]":
        """Return a superuser's connection to the bench's database."""
        url = os.environ["PLEXICA_DATABASE_ADMIN_URL"].rpartition("/")[0]
        return psycopg.connect(f"{url}/{database or self.database}", autocommit=True)

    def make_tenants(self, count: int) -> list[Any]:
        """Make active tenants that have row, schema and role, several at a time; return them."""
        from django.db import connections

        from tenants.models import Tenant
        from tenants.schemas.making import make_schema
        from tenants.schemas.template import current_template
        from tenants.selectors import installation_code

        self.say(f"making {count} tenants")
        code, template = installation_code(), current_template()
        before = Tenant.objects.count()
        fields = {"admin_email": "a@bench.example", "admin_name": "A", "status": "active", "installation": code}
        tenants = [
            Tenant.new(slug=f"bench-{before + number}", name=f"Bench {before + number}", **fields)
            for number in range(count)
        ]
        Tenant.objects.bulk_create(tenants)

        def make(tenant: Any) -> None:
            make_schema(tenant.ref, template)

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(make, tenants))
            list(pool.map(lambda number: connections.close_all(), range(THREADS)))
        return tenants

    @contextmanager
    def plain_database(self, settings: str) -> Iterator[dict[str, str]]:
        """Make a database for a plain Django beside ours; give the environment that leads there with `settings`."""
        name = f"{self.database}_plain"
        url = os.environ["PLEXICA_DATABASE_ADMIN_URL"].rpartition("/")[0]
        with self.admin("postgres") as admin:
            admin.execute(f"CREATE DATABASE {name}".encode())
        try:
            yield {**os.environ, "PLAIN_DATABASE_URL": f"{url}/{name}", "DJANGO_SETTINGS_MODULE": settings}
        finally:
            with self.admin("postgres") as admin:
                admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())

    def start_keycloak(self, *, capacity: int) -> Any:
        """Start a Keycloak with an empty database, let new tenants' realms be made there, and return its settings."""
        from django.conf import settings

        from accounts.identity.keycloak.setup import Administrator, set_up_server

        self._remove_keycloak()
        self._stack.up([KEYCLOAK])
        server = settings.KEYCLOAK_SERVERS[KEYCLOAK].model_copy(update={"capacity": capacity})
        user, password = os.environ["PLEXICA_KEYCLOAK_ADMIN_USER"], os.environ["PLEXICA_KEYCLOAK_ADMIN_PASSWORD"]
        list(set_up_server(Administrator.sign_in(server, user, password)))
        settings.KEYCLOAK_SERVERS = {KEYCLOAK: server}
        settings.IDENTITY_PROVIDER = "keycloak"
        return server

    def _remove_keycloak(self) -> None:
        """Stop the bench's Keycloak and drop its database: one with hundreds of realms starts slowly."""
        self._stack.down([KEYCLOAK])
        with self.admin("postgres") as admin:
            admin.execute('DROP DATABASE IF EXISTS "keycloak_2" WITH (FORCE)')

    def settle(self) -> None:
        """Let PostgreSQL write down what lies about, so that the next measure does not pay for the last one."""
        with self.admin() as admin:
            admin.execute("CHECKPOINT")

    def manage(self, *words: str, settings: str | None = None, **env: str) -> float:
        """Run manage.py, start-up included, and return the seconds it took."""
        chosen = {"DJANGO_SETTINGS_MODULE": settings or self._settings, **env}
        begin = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=self._tree.root,
            env=os.environ | chosen,
            capture_output=True,
            text=True,
            check=False,
        )
        took = time.perf_counter() - begin
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
        return took

    def python(self, *words: str, settings: str) -> str:
        """Run a module with other settings and return what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=self._tree.root,
            env=os.environ | {"DJANGO_SETTINGS_MODULE": settings},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
        return done.stdout


def run_module(module: str, env: dict[str, str]) -> str:
    """Run a module in an environment of its own and return what it prints."""
    made = subprocess.run([sys.executable, "-m", module], env=env, capture_output=True, text=True, check=False)
    if made.returncode:
        raise RuntimeError(f"{module} failed:\n{made.stderr[-3000:]}")
    return made.stdout


def timed(function: Callable[[], object]) -> float:
    """Return how many seconds a call takes."""
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def median(values: list[float]) -> float:
    """Return the middle one."""
    return statistics.median(values)


def ratio(ours: list[float], theirs: list[float]) -> float:
    """Return how the medians of two interleaved series compare."""
    return round(median(ours) / median(theirs), 2)


def percentile(values: list[float], share: int) -> float:
    """Return the value that `share` per cent do not pass."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(len(ordered) * share / 100))]
