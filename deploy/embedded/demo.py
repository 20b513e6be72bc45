"""`bin/demo`: a whole Plexica on this machine, until Ctrl-C.

clean up after a killed run -> servers | front end -> database -> workers -> tenants -> web -> table
Ctrl-C or SIGTERM, at any moment: web -> workers -> scheduler -> servers that this run started; a second one kills
"""

import argparse
import json
import os
import shutil
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from deploy.embedded import frontend, platform, ports, processes, progress
from deploy.embedded.errors import StackError, Stopped, one_sentence
from deploy.embedded.options import parse_demo, port_taken
from deploy.embedded.paths import Tree
from deploy.embedded.processes import Mark
from deploy.embedded.run import VARIABLE, Run, end_other, hold_lock
from deploy.embedded.servers import USUAL
from deploy.embedded.stack import Stack
from deploy.embedded.stamps import Stamps, fingerprint, sources
from deploy.embedded.steps import Steps
from deploy.embedded.supervisor import Supervisor
from deploy.embedded.table import show

WEB_PATIENCE_S = 60
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- and where we reach ourselves then
BEFORE_WEB = ("operations", "worker", "scheduler")


class Demo:
    """One start of the demo and its end."""

    def __init__(self, tree: Tree, options: argparse.Namespace) -> None:
        self.tree, self.options = tree, options
        self.python = tree.root / ".venv" / "bin" / "python"
        self.stack = Stack(tree, progress.say)
        self.run = Run(tree)
        self.supervisor = Supervisor(tree, progress.say)
        self.stamps = Stamps(tree.demo / "stamps.json")
        self.ending = False

    # --- start --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Everything up to the printed table. Leaves nothing half started: the caller calls `end` in any case."""
        (self.tree.demo / "logs").mkdir(parents=True, exist_ok=True)
        if self.run.clean_up_after_another(self.stack):
            progress.say("cleaned up after a run that was killed")
        if not ports.is_free(self.options.port, self.options.bind):
            raise StackError(port_taken(self.options.port))
        self.run.write()
        self._prepare()
        self._launch()

    def _prepare(self) -> None:
        settings = {
            **platform.platform_settings(
                self.tree, bind=self.options.bind, name=self.options.name, port=self.options.port
            ),
            **self.stack.settings(USUAL),
            **platform.django_secrets(self.tree.demo / "secrets.json"),
        }
        platform.write_shell_file(self.tree.demo / "env", settings)
        self.env = {**platform.clean_environment(self.tree), **settings, VARIABLE: self.run.token}
        self.steps = Steps(self.tree, self.env, self.tree.demo / "logs", progress.say)
        self.programs = platform.programs(self.tree, self.env, bind=self.options.bind, port=self.options.port)

    def _launch(self) -> None:
        """The servers and the front end together; what needs only some of it begins as soon as that is there."""
        with ThreadPoolExecutor(3) as pool:
            try:
                files = pool.submit(frontend.build, self.tree, self.steps, self.python)
                base = pool.submit(self._up, ["postgres", "valkey"])
                base.result()
                storage = pool.submit(self._up, ["s3"])
                self._migrate()
                first = not self.stamps.is_fresh("seeded", self._database_identity())
                self._launch_processes(pool, files, storage, first=first)
            except BaseException:
                self.steps.cancel()
                self.stack.cancel()
                raise

    def _launch_processes(
        self, pool: ThreadPoolExecutor, files: "Future[None]", storage: "Future[None]", *, first: bool
    ) -> None:
        if first:
            for name in BEFORE_WEB:
                self.supervisor.start(self.programs[name])
        files.result()
        frontend.collect(self.tree, self.steps, self.python, self.tree.root / "staticfiles")
        if first:
            storage.result()
            people = self._seed()
            self.supervisor.start(self.programs["web"])
        else:
            for name in ("web", *BEFORE_WEB):
                self.supervisor.start(self.programs[name])
            storage.result()
            people = self._seed()
        self._wait_for_web()
        self._watch_servers()
        show(self.tree, people, self.env["PLEXICA_PUBLIC_URL"], everywhere=self.options.bind in EVERYWHERE)
        progress.say("Plexica is ready. Ctrl-C ends it.")

    def _up(self, names: list[str]) -> None:
        # written down before they start: after a kill -9 right now the next run knows whose they are
        ours = {name for name in names if not self.stack.running(name)}
        self.run.servers = sorted({*self.run.servers, *ours})
        self.run.write()
        self.stack.up(names)

    def _migrate(self) -> None:
        code = sources(self.tree, lambda file: file.suffix == ".py")
        mark = fingerprint(
            self.tree,
            [*code, self.tree.root / "requirements-dev.txt"],
            self._database_identity(),
            *self._roles(),
        )
        if self.stamps.is_fresh("migrated", mark):
            return
        manage: list[str | Path] = [self.python, "manage.py"]
        self.steps.run("the database is migrated", "migrate", [*manage, "setup_database"], [*manage, "migrate"])
        self.stamps.put("migrated", mark)

    def _roles(self) -> tuple[str, ...]:
        names = ("PLEXICA_DATABASE_URL", "PLEXICA_DATABASE_OPS_URL")
        return tuple(self.env[name].rpartition("@")[0] for name in names)  # without address: ports may change

    def _database_identity(self) -> str:
        """Changes when the data folder is made anew."""
        return str((self.tree.stack / "postgres" / "PG_VERSION").stat().st_mtime_ns)

    def _seed(self) -> list[dict[str, Any]]:
        printed = self.steps.run("the tenants are there", "seed", [self.python, "manage.py", "seed_demo", "--json"])
        for line in reversed(printed.splitlines()):
            if line.startswith("{"):
                self.stamps.put("seeded", self._database_identity())
                return list(json.loads(line)["addresses"])
        raise StackError("manage.py seed_demo --json printed no JSON; see var/demo/logs/seed.log")

    def _wait_for_web(self) -> None:
        host = EVERYWHERE.get(self.options.bind, self.options.bind)
        address = f"http://{f'[{host}]' if ':' in host else host}:{self.options.port}/health/ready"
        deadline = time.monotonic() + WEB_PATIENCE_S
        reason = ""
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(address, timeout=5) as answer:
                    answer.read()
                    return
            except urllib.error.HTTPError as error:
                reason = f"HTTP {error.code}: {error.read(300).decode(errors='replace')}"
            except OSError as error:
                reason = str(error)
            time.sleep(0.15)
        log = self.programs["web"].log
        raise StackError(f"the web server is not ready after {WEB_PATIENCE_S} s: {reason}\n{processes.last_lines(log)}")

    def _watch_servers(self) -> None:
        for name in USUAL:
            mark = self.stack.running(name)
            if mark:
                self.supervisor.watch_server(name, mark, partial(self._restart, name))

    def _restart(self, name: str) -> Mark | None:
        self._up([name])
        return self.stack.running(name)

    # --- end ----------------------------------------------------------------------------------------

    def end(self) -> None:
        """End everything that this run started; a signal during this kills it all at once."""
        self.ending = True
        progress.say("ending")
        self.supervisor.stop(["web"], ["worker", "operations"], ["scheduler"])
        processes.stop_all(self.run.strays(), patience_s=1)
        self.stack.cancel()
        if self.stack.is_used_by_others():
            progress.say("tests use the servers, so they keep running; bin/stack down ends them")
        else:
            self.stack.down(self.run.servers)
        left = self.run.strays()
        self.run.remove()
        if left:
            raise StackError(f"these processes did not end: {', '.join(str(each.pid) for each in left)}")
        progress.say("everything has ended")

    def kill(self) -> None:
        """The second Ctrl-C: nobody is asked any more. `end`, which goes on below this, finds everything gone."""
        self.supervisor.kill()
        for name in self.run.servers:
            mark = self.stack.running(name)
            if mark:
                os.kill(mark.pid, signal.SIGKILL)

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.ending:
            self.kill()
            return
        self.ending = True
        raise Stopped


def main(argv: Sequence[str] | None = None) -> None:
    options = parse_demo(sys.argv[1:] if argv is None else argv)
    tree = Tree.here()
    with one_sentence("bin/demo"):
        if options.reset:
            reset(tree)
        with hold_lock(tree):
            _run_until_stopped(Demo(tree, options))


def _run_until_stopped(demo: Demo) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, demo.on_signal)
    try:
        demo.start()
        threading.Event().wait()
    except Stopped:
        if demo.supervisor.failure:
            raise StackError(demo.supervisor.failure) from None
    finally:
        demo.end()


def reset(tree: Tree) -> None:
    """End what runs in this checkout and delete its data."""
    end_other(tree)
    with hold_lock(tree):
        stack = Stack(tree, progress.say)
        Run(tree).clean_up_after_another(stack)
        stack.down()
        for folder in (tree.demo, tree.stack):
            shutil.rmtree(folder, ignore_errors=False) if folder.exists() else None
    progress.say("what was in var/demo and var/stack is deleted")


if __name__ == "__main__":
    main()
