"""`bin/demo`: a whole Plexica on this machine, until Ctrl-C.

clean up after a killed run -> servers | front end -> database -> workers -> tenants -> web -> relay, consumer, sender -> table
Ctrl-C or SIGTERM, at any moment: web -> workers, relay, consumer, sender -> scheduler -> servers that this run started
A second one kills
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
from deploy.embedded.files import read_json, write_json, write_private
from deploy.embedded.options import parse_demo, port_taken
from deploy.embedded.paths import Tree
from deploy.embedded.processes import Mark
from deploy.embedded.run import VARIABLE, Run, end_other, hold_lock
from deploy.embedded.servers import USUAL
from deploy.embedded.servers.kafka import Kafka
from deploy.embedded.servers.keycloak import Keycloak
from deploy.embedded.stack import Stack
from deploy.embedded.stamps import Stamps, fingerprint, sources
from deploy.embedded.steps import Steps
from deploy.embedded.supervisor import Supervisor
from deploy.embedded.table import show

WEB_PATIENCE_S = 120  # a busy machine
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- and where we reach ourselves then
KEYCLOAK, KAFKA = Keycloak.name, Kafka.name
BEFORE_WEB = ("operations", "worker", "scheduler")
AFTER_WEB = ("relay", "consumer", "sender")  # events wait for them; people would not


class Demo:
    """One start of the demo and its end."""

    def __init__(self, tree: Tree, options: argparse.Namespace) -> None:
        self.tree, self.options = tree, options
        self.python = tree.root / ".venv" / "bin" / "python"
        self.stack = Stack(tree, progress.say)
        self.run = Run(tree)
        self.supervisor = Supervisor(tree, progress.say)
        self.stamps = Stamps(tree.demo / "stamps.json")
        self.servers = (*USUAL, *(name for name in (KEYCLOAK, KAFKA) if getattr(options, name)))
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
            **platform.FOR_RECEIVERS_HERE,
            **self.stack.settings(self.servers),
            **platform.django_secrets(self.tree.demo / "secrets.json"),
        }
        if self.options.keycloak:
            settings["PLEXICA_IDENTITY_PROVIDER"] = KEYCLOAK
            write_private(self._in_keycloak, "")
        elif self._in_keycloak.exists():
            raise StackError(
                "This demo's people sign in through Keycloak. Start it with --keycloak, or begin anew with --reset."
            )
        platform.write_shell_file(self.tree.demo / "env", settings)
        self.env = {**platform.clean_environment(self.tree), **settings, VARIABLE: self.run.token}
        self.steps = Steps(self.tree, self.env, self.tree.demo / "logs", progress.say)
        self.programs = platform.programs(self.tree, self.env, bind=self.options.bind, port=self.options.port)

    def _launch(self) -> None:
        """The servers and the front end together; what needs only some of it begins as soon as that is there."""
        with ThreadPoolExecutor(4) as pool:
            try:
                files = pool.submit(frontend.build, self.tree, self.steps, self.python)
                base = pool.submit(self._up, ["postgres", "valkey"])
                base.result()
                storage = pool.submit(self._up, [name for name in self.servers if name not in ("postgres", "valkey")])
                mark = f"{self._migrate()} {self.env['PLEXICA_PUBLIC_URL']} {KEYCLOAK * self.options.keycloak}"
                if self.stamps.is_fresh("seeded", mark):
                    self._start("web")  # alone at first: what people wait for
                    self._wait_for_web(ready=False)
                self._complete(mark, files, storage)
            except BaseException:
                self.steps.cancel()
                self.stack.cancel()
                raise

    def _complete(self, mark: str, files: "Future[None]", storage: "Future[None]") -> None:
        self._start(*BEFORE_WEB)
        files.result()
        storage.result()
        if self.options.keycloak:
            self._prepare_keycloak()
        people = self._seed(mark)
        self._start("web")
        self._wait_for_web()
        self._watch_servers()
        self._start(*AFTER_WEB)
        show(self.tree, people, self.env["PLEXICA_PUBLIC_URL"], everywhere=self.options.bind in EVERYWHERE)
        progress.say("Plexica is ready. Ctrl-C ends it.")

    def _start(self, *names: str) -> None:
        """Start these programs of ours, those that were not started before."""
        for name in names:
            if not self.supervisor.is_known(name):
                self.supervisor.start(self.programs[name])

    def _up(self, names: list[str]) -> None:
        # written down before they start: after a kill -9 right now the next run knows whose they are
        ours = {name for name in names if not self.stack.running(name)}
        self.run.servers = sorted({*self.run.servers, *ours})
        self.run.write()
        self.stack.up(names)

    def _migrate(self) -> str:
        """Roles, schemas and tables, unless nothing changed; returns a mark of code and database."""
        code = [
            *sources(self.tree, lambda file: file.suffix == ".py"),
            self.tree.root / "requirements-dev.txt",
        ]
        mark = fingerprint(self.tree, code, self._database_identity(), *self._roles())
        if not self.stamps.is_fresh("migrated", mark):
            manage: list[str | Path] = [self.python, "manage.py"]
            commands = ([*manage, "setup_database"], [*manage, "migrate"], [*manage, "migrate_fleet"])
            self.steps.run("the database is migrated", "migrate", *commands)
            self.stamps.put("migrated", mark)
        return mark

    def _roles(self) -> tuple[str, ...]:
        names = ("PLEXICA_DATABASE_URL", "PLEXICA_DATABASE_OPS_URL")
        return tuple(self.env[name].rpartition("@")[0] for name in names)  # without address: ports may change

    def _database_identity(self) -> str:
        """Changes when the data folder is made anew."""
        return str((self.tree.stack / "postgres" / "PG_VERSION").stat().st_mtime_ns)

    def _seed(self, mark: str) -> list[dict[str, Any]]:
        """The tenants' addresses and people, made by the real worker at the first start and remembered after."""
        remembered = self.tree.demo / "people.json"
        if self.stamps.is_fresh("seeded", mark, [remembered]):
            return list(read_json(remembered)["addresses"])
        printed = self.steps.run("the tenants are there", "seed", [self.python, "manage.py", "seed_demo", "--json"])
        for line in reversed(printed.splitlines()):
            if line.startswith("{"):
                people = json.loads(line)
                write_json(remembered, people)
                self.stamps.put("seeded", mark)
                return list(people["addresses"])
        raise StackError("manage.py seed_demo --json printed no JSON; see var/demo/logs/seed.log")

    def _prepare_keycloak(self) -> None:
        management = f"http://127.0.0.1:{self.stack.server(KEYCLOAK).ports['management']}"
        command: list[str | Path] = [self.python, "manage.py", "setup_keycloak", KEYCLOAK]
        command += ["--management-url", management]
        self.steps.run("Keycloak is prepared", "setup_keycloak", command)

    @property
    def _in_keycloak(self) -> Path:
        """There if this demo ever kept realms in Keycloak."""
        return self.tree.demo / KEYCLOAK

    def _wait_for_web(self, *, ready: bool = True) -> None:
        """Wait until the platform says that it is ready, or just until it says anything."""
        deadline = time.monotonic() + WEB_PATIENCE_S
        while reason := self._ask_web(ready=ready):
            if time.monotonic() > deadline:
                end = processes.last_lines(self.programs["web"].log)
                raise StackError(f"the web server is not ready after {WEB_PATIENCE_S} s: {reason}\n{end}")
            time.sleep(0.15)

    def _ask_web(self, *, ready: bool) -> str | None:
        """Why the platform does not answer as wanted; None when it does."""
        host = EVERYWHERE.get(self.options.bind, self.options.bind)
        address = f"http://{f'[{host}]' if ':' in host else host}:{self.options.port}/health/ready"
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                answer.read()
        except urllib.error.HTTPError as error:
            return f"HTTP {error.code}: {error.read(300).decode(errors='replace')}" if ready else None
        except OSError as error:
            return str(error)
        return None

    def _watch_servers(self) -> None:
        for name in self.servers:
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
        self.supervisor.stop(["web"], ["worker", "operations", *AFTER_WEB], ["scheduler"])
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
            run_until_stopped(Demo(tree, options))


def run_until_stopped(demo: Demo) -> None:
    """Start, then wait for Ctrl-C or SIGTERM; ends what was started in any case."""
    for number in ENDING:
        signal.signal(number, demo.on_signal)
    try:
        demo.start()
        threading.Event().wait()
    except Stopped:
        if demo.supervisor.failure:
            raise StackError(demo.supervisor.failure) from None
    finally:
        demo.end()
        for number in ENDING:  # nothing is left to end; one more must not spoil the exit status
            signal.signal(number, signal.SIG_IGN)


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
