"""The real processes - web, worker, operations worker, scheduler - on a database, queues and a port of their own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_string, policy
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from celery import Celery
from psycopg.rows import dict_row
from redis import Redis

from deploy.embedded import platform, ports
from deploy.embedded.paths import Tree
from deploy.embedded.processes import find_by_variable, last_lines, spawn, stop_all
from deploy.embedded.stamps import Stamps, fingerprint
from deploy.embedded.supervisor import Program
from deploy.embedded.testing import RUN
from tests.support import database

EVERYTHING = ("operations", "worker", "scheduler", "web")
GRACE_S = 30.0  # within which a process ends after SIGTERM: 1 s alone
START_S = 90.0  # within which one works: 2 s alone, but half a minute was seen beside browsers on a busy machine
# Valkey's databases: each test process has two of 2 to 15, counted from below, and the one without xdist 14 and 15;
# from above 15 on there is room. faults: on a Valkey of its own
QUEUES = {"walks": 12, "compose": 10, "processes": 8, "fleet": 6, "hammering": 16, "faults": 0}
VARIABLE = "PLEXICA_TEST_PLATFORM"  # our processes carry it: how those of a run that was cut off are found
T = TypeVar("T")


@dataclass(frozen=True)
class _Corner(Tree):
    """The checkout, with a folder of our own where the demo has its."""

    label: str = ""

    @property
    def demo(self) -> Path:
        return self.root / "var" / "test" / self.label


@dataclass(frozen=True)
class Ended:
    """How a process went."""

    took_s: float
    status: int


class Platform:
    """A Plexica of its own. `label` is one of QUEUES; each may run once at a time in a test run."""

    def __init__(self, label: str, *, static_root: Path | None = None) -> None:
        self.tree = _Corner(Tree.here().root, label)
        self.folder = self.tree.demo
        self.work_folder = self.tree.root
        self.mail_folder = self.folder / "mail"
        self.port = ports.choose(("web",))["web"]
        self.netloc = f"localhost:{self.port}"
        self.url = f"http://{self.netloc}"
        self.database = f"{database.PREPARED}_{label}_{os.getpid()}"
        self.env = self._environment(QUEUES[label], static_root)
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def _environment(self, queue: int, static_root: Path | None) -> dict[str, str]:
        env = {name: value for name, value in os.environ.items() if name != "PLEXICA_STATIC_ROOT"}
        own = {
            "PLEXICA_PUBLIC_URL": self.url,
            "PLEXICA_MAIL_DIR": str(self.mail_folder),
            "PLEXICA_REDIS_URL": database.with_redis_database(env["PLEXICA_REDIS_URL"], queue),
            "PLEXICA_BROKER_URL": database.with_redis_database(env["PLEXICA_BROKER_URL"], queue + 1),
            "PLEXICA_LOG_FORMAT": "json",
            "PYTHONUNBUFFERED": "1",
        }
        own |= {
            variable: database.with_database(env[variable], self.database) for variable in database.VARIABLES.values()
        }
        return env | own | ({"PLEXICA_STATIC_ROOT": str(static_root)} if static_root else {})

    # --- life ---------------------------------------------------------------------------------------

    @contextmanager
    def life(self, *names: str, prepare: Callable[[], None] | None = None) -> Iterator["Platform"]:
        """The platform with these processes (all) while the block runs; everything it made is taken away afterwards."""
        self.make_ground(prepare)
        try:
            self.start(*(names or EVERYTHING))
            yield self
        finally:
            self.kill_all()
            self.clear_ground()

    def make_ground(self, prepare: Callable[[], None] | None = None) -> None:
        """End what a run that was cut off left on our queues; make database, empty queues, empty folder."""
        stop_all(find_by_variable(VARIABLE, str(self.folder)), patience_s=1)
        self.mail_folder.mkdir(parents=True, exist_ok=True)
        for old in (
            *self.mail_folder.iterdir(),
            *self.folder.glob("celerybeat-schedule*"),
            *self.folder.glob("logs/*"),
        ):
            old.unlink()
        (prepare or self._copy)()
        self.flush_queues()
        self._tenants_before = self._tenants()

    def _copy(self) -> None:
        database.make_copy(self.database)

    def clear_ground(self) -> None:
        """Drop the database, and what its new tenants have outside of it: roles and buckets."""
        from storage.buckets import delete_bucket_with_contents

        made = {role: bucket for role, bucket in self._tenants().items() if role not in self._tenants_before}
        admin_url = database.with_database(self.env["PLEXICA_DATABASE_ADMIN_URL"], "postgres")
        with psycopg.connect(admin_url, autocommit=True) as admin:
            admin.execute(f'DROP DATABASE IF EXISTS "{self.database}" WITH (FORCE)'.encode())
            for role in made:
                admin.execute(f'DROP ROLE IF EXISTS "{role}"'.encode())
        for bucket in made.values():
            delete_bucket_with_contents(bucket)
        self.flush_queues()

    def _tenants(self) -> dict[str, str]:
        return {
            row["role_name"]: row["bucket_name"]
            for row in self.sql("SELECT role_name, bucket_name FROM tenants_tenant")
        }

    # --- processes ----------------------------------------------------------------------------------

    @property
    def programs(self) -> dict[str, Program]:
        """Command lines and environments, as bin/demo has them."""
        return platform.programs(self.tree, self.env, bind="127.0.0.1", port=self.port)

    def start(self, *names: str) -> None:
        """Start processes; waits until the web server is ready if it is among them. `worker#2` is a second worker."""
        programs = self.programs
        for name in names:
            program = programs[name.partition("#")[0]]
            argv = [str(word).replace(f"{program.name}@", f"{name}@") for word in program.argv]
            env = {**program.env, VARIABLE: str(self.folder), RUN: os.environ.get(RUN, "")}
            self._running[name] = spawn(argv, log=program.log, cwd=self.work_folder, env=env)
        if "web" in names:
            self.wait_ready()

    def wait_ready(self) -> dict[str, Any]:
        """Return what /health/ready says once it says yes."""

        def ready() -> dict[str, Any] | None:
            assert self._running["web"].poll() is None, f"the web server ended:\n{self.log_of('web')}"
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/ready", timeout=10) as answer:
                    body: dict[str, Any] = json.load(answer)
                    return body
            except (urllib.error.URLError, OSError):
                return None

        return wait_until(ready, timeout_s=START_S, what=lambda: f"the platform is not ready:\n{self.log_of('web')}")

    def wait_working(self, name: str, *, timeout_s: float) -> None:
        """Wait until a worker takes tasks."""
        with Celery(broker=self.env["PLEXICA_BROKER_URL"], set_as_current=False) as app:
            wait_until(
                lambda: any(
                    node.startswith(f"{name}@") for reply in app.control.ping(timeout=0.5) or [] for node in reply
                ),
                timeout_s=timeout_s,
                what=lambda: f"{name} doesn't answer:\n{self.log_of(name.partition('#')[0])}",
            )

    def terminate(self, *names: str) -> dict[str, Ended]:
        """Send SIGTERM to these processes together and return how each ended. Fails if one is there after GRACE_S."""
        begin = time.monotonic()
        for name in names:
            self._running[name].send_signal(signal.SIGTERM)
        ended = {}
        for name in names:
            process = self._running[name]
            left = max(0.1, begin + GRACE_S - time.monotonic())
            try:
                status = process.wait(left)
            except subprocess.TimeoutExpired:
                raise AssertionError(f"{name} is there {GRACE_S} s after SIGTERM:\n{self.log_of(name)}") from None
            ended[name] = Ended(time.monotonic() - begin, status)
            del self._running[name]
        return ended

    def signal_group(self, name: str, number: signal.Signals) -> None:
        """Send a signal to the process and its children."""
        os.killpg(self._running[name].pid, number)

    def kill(self, name: str) -> None:
        """`kill -9` the process and its children."""
        self.signal_group(name, signal.SIGKILL)
        self._running.pop(name).wait()

    def kill_all(self) -> None:
        for name in list(self._running):
            if self._running[name].poll() is None:
                self.kill(name)
            else:
                del self._running[name]

    @property
    def running(self) -> list[str]:
        return [name for name, process in self._running.items() if process.poll() is None]

    def log_of(self, name: str) -> str:
        """The end of the process's log."""
        return last_lines(self.folder / "logs" / f"{name}.log", 40)

    def manage(self, *words: str) -> str:
        """Run a module or manage.py with the operations login and return what it prints."""
        made = subprocess.run(
            [sys.executable, *words], cwd=self.tree.root, env=self.env, capture_output=True, text=True, check=False
        )
        assert made.returncode == 0, f"{words} failed:\n{made.stdout}\n{made.stderr}"
        return made.stdout

    # --- what it holds ------------------------------------------------------------------------------

    def connect(self) -> "psycopg.Connection[Any]":
        """A connection of our own over the operations login, to read, and to hold locks."""
        return psycopg.connect(self.env["PLEXICA_DATABASE_OPS_URL"], row_factory=dict_row)

    def sql(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """Run one statement and return its rows."""
        with self.connect() as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def flush_queues(self) -> None:
        """Empty cache and queues, as a Valkey that lost its data."""
        for variable in ("PLEXICA_REDIS_URL", "PLEXICA_BROKER_URL"):
            with Redis.from_url(self.env[variable]) as valkey:
                valkey.flushdb()

    def operation_of(self, slug: str) -> dict[str, Any] | None:
        """The newest operation of a tenant."""
        rows = self.sql(
            "SELECT o.*, t.status AS tenant_status FROM tenants_operation o JOIN tenants_tenant t ON t.id = o.tenant_id"
            " WHERE t.slug = %s ORDER BY o.created_at DESC LIMIT 1",
            slug,
        )
        return rows[0] if rows else None

    def steps_of(self, slug: str) -> list[str]:
        """The states of the steps of a tenant's newest operation."""
        operation = self.operation_of(slug)
        assert operation
        statement = "SELECT status FROM tenants_operationstep WHERE operation_id = %s ORDER BY position"
        return [row["status"] for row in self.sql(statement, operation["id"])]

    def wait_active(self, slug: str, *, timeout_s: float = START_S) -> None:
        """Wait until the tenant is active."""
        wait_until(
            lambda: (self.operation_of(slug) or {}).get("tenant_status") == "active",
            timeout_s=timeout_s,
            what=lambda: f"{slug} is not active: {self.operation_of(slug)}\n{self.log_of('operations')}",
        )

    @contextmanager
    def step_held_up(self, slug: str, position: int) -> Iterator[None]:
        """Hold the row of one step, so that its worker can't begin it: provisioning then waits in the middle."""
        with self.connect() as connection:
            held = connection.execute(
                "SELECT 1 FROM tenants_operationstep s JOIN tenants_operation o ON o.id = s.operation_id"
                " JOIN tenants_tenant t ON t.id = o.tenant_id WHERE t.slug = %s AND s.position = %s FOR UPDATE OF s",
                [slug, position],
            )
            assert held.fetchone()
            yield

    def mail_to(self, address: str) -> Any:
        """The first mail that was sent to this address, or None."""
        for path in sorted(self.mail_folder.glob("*.log")):
            for text in path.read_text(encoding="utf-8").split(f"\n{'-' * 79}\n"):
                mail = message_from_string(text, policy=policy.default)
                if address in (mail["To"] or ""):
                    return mail
        return None


def wait_until(found: Callable[[], T | None], *, timeout_s: float, what: Callable[[], str]) -> T:
    """Ask until the answer is true, and return it. Fails with `what` after the time."""
    deadline = time.monotonic() + timeout_s
    while not (answer := found()):
        assert time.monotonic() < deadline, what()
        time.sleep(0.05)
    return answer


def static_files() -> Path:
    """Static files as production serves them: gathered once for all test processes, and kept until they change."""
    tree = Tree.here()
    folder = tree.root / "var" / "test" / "static"
    made_from = [*(tree.root / "static").rglob("*"), *(tree.root / "plexica" / "settings").glob("*.py")]
    mark = fingerprint(
        tree,
        [tree.root / "requirements.txt", *(path for path in made_from if path.is_file() and path.suffix != ".map")],
    )
    stamps = Stamps(folder.with_name("static-stamp.json"))
    with database.one_process("static"):
        if not stamps.is_fresh("static", mark, [folder / "staticfiles.json"]):
            shutil.rmtree(folder, ignore_errors=True)
            words = [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"]
            subprocess.run(words, cwd=tree.root, env={**os.environ, "PLEXICA_STATIC_ROOT": str(folder)}, check=True)
            stamps.put("static", mark)
    return folder
