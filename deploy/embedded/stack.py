"""Starts, stops and looks at the servers of one checkout.

    unknown --up--> running --down--> stopped
                       |  killed or crashed
                       v
                     died --up--> running

What runs is written down in `var/stack/state.json`: ports, which stay for good, and processes by their marks.
"""

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.embedded import ports, processes
from deploy.embedded.errors import StackError, Stopped
from deploy.embedded.files import Secrets, locked, read_json, write_json
from deploy.embedded.paths import Tree
from deploy.embedded.processes import Mark
from deploy.embedded.servers import KINDS, make_server
from deploy.embedded.servers.base import Server
from deploy.embedded.servers.keycloak import LISTED

LEAST_DISK_BYTES = 500 * 1024**2
LOCK_PATIENCE_NOTE = "another command is busy with the servers of this checkout; waiting for it"


@dataclass(frozen=True)
class Row:
    """What `bin/stack list` says about one server."""

    name: str
    state: str
    pid: int | None
    address: str
    folder: Path
    version: str


class Stack:
    """The servers of one checkout."""

    def __init__(self, tree: Tree, say: Callable[[str], None] = lambda text: None) -> None:
        self.tree = tree
        self.say = say
        self.secrets = Secrets(tree.stack / "secrets.json")
        self.started: list[str] = []  # by this object: what the demo ends when it ends
        self._state_file = tree.stack / "state.json"
        self._use_file = tree.stack / "in-use"
        self._writing = threading.Lock()
        self._cancelled = threading.Event()

    # --- looking ------------------------------------------------------------------------------------

    def server(self, name: str) -> Server:
        """The server of this name, its ports chosen if they never were."""
        wanted = (name, *KINDS[name].needs)
        with self._writing:
            state = self._state()
            known = state.setdefault("ports", {})
            missing = [each for each in wanted if each not in known]
            for each in missing:
                promised = {port for chosen in known.values() for port in chosen.values()}  # though nothing listens yet
                known[each] = ports.choose(KINDS[each].port_names, besides=promised)
            if missing:
                write_json(self._state_file, state)
        return make_server(name, self.tree, known, self.secrets)

    def running(self, name: str) -> Mark | None:
        """The server's process if it is there."""
        mark = self._recorded(name)
        return mark if mark and mark.is_running() else None

    def rows(self) -> list[Row]:
        """Every server that was ever started here."""
        return [self._row(name) for name in KINDS if name in self._state().get("ports", {})]

    def settings(self, names: Iterable[str]) -> dict[str, str]:
        """The PLEXICA_* variables that lead to these servers."""
        found: dict[str, str] = {}
        for name in names:
            new = self.server(name).settings()
            if LISTED in new and LISTED in found:  # several Keycloaks stand in one list
                new[LISTED] = json.dumps([*json.loads(found[LISTED]), *json.loads(new[LISTED])])
            found |= new
        return found

    def names_running(self) -> list[str]:
        return [name for name in KINDS if self.running(name)]

    def _row(self, name: str) -> Row:
        server = self.server(name)
        mark = self.running(name)
        alive = "running" if mark and _answers(server) else "not answering"
        dead = "died" if self._recorded(name) else "stopped"
        return Row(
            name, alive if mark else dead, mark.pid if mark else None, server.address, server.folder, server.version()
        )

    # --- starting -----------------------------------------------------------------------------------

    def up(self, names: Iterable[str]) -> list[str]:
        """Start what does not run, side by side, and wait until each answers; returns the names started.

        A server that was killed is started again. Raises StackError for the first one that cannot be.
        """
        wanted = [name for name in KINDS if name in set(_with_needs(names))]
        self.tree.stack.mkdir(parents=True, exist_ok=True)
        self._check_disk()
        before = list(self.started)
        with self._alone():
            try:
                self._up_in_order(wanted)
            except (KeyboardInterrupt, Stopped):
                self._cancelled.set()
                self._down_now([name for name in self.started if name not in before])
                raise
        return [name for name in self.started if name not in before]

    def _up_in_order(self, wanted: list[str]) -> None:
        first = [name for name in wanted if not KINDS[name].needs]
        for batch in (first, [name for name in wanted if name not in first]):
            self._up_together(batch)

    def _up_together(self, names: list[str]) -> None:
        if not names:
            return
        with ThreadPoolExecutor(len(names), thread_name_prefix="stack") as pool:
            try:
                futures = [pool.submit(self._up_one, self.server(name)) for name in names]
                for future in futures:
                    future.exception()  # wait for all before the first refusal ends this
            except BaseException:
                self._cancelled.set()
                raise
        for future in futures:
            future.result()

    def _up_one(self, server: Server) -> None:
        if self._cancelled.is_set():
            raise Stopped
        mark = self.running(server.name)
        if mark and _answers(server):
            return
        began = time.monotonic()
        if not mark:
            mark = self._spawn(server)
        self._wait_until_ready(server, mark)
        server.after_start()
        self.say(f"{server.title} {server.version()} is ready at {server.address} ({time.monotonic() - began:.1f} s)")

    def _spawn(self, server: Server) -> Mark:
        # what an earlier run left behind without a record, or what remains of a killed server
        processes.stop_all(processes.find_by_folder(server.program, server.folder))
        self._check_ports(server)
        server.prepare()
        command = server.command()
        process = processes.spawn(command.argv, log=server.log, cwd=server.folder, env=command.env)
        mark = processes.mark(process.pid)
        if mark is None:
            raise StackError(_ended_at_once(server))
        threading.Thread(target=process.wait, daemon=True).start()  # collects it when it ends
        self._record(server.name, mark)
        self.started.append(server.name)
        return mark

    def _wait_until_ready(self, server: Server, mark: Mark) -> None:
        deadline = time.monotonic() + server.start_timeout_s
        pause_s = 0.05
        while reason := server.why_not_ready():
            if not mark.is_running():
                self._record(server.name, None)
                raise StackError(_ended_at_once(server))
            if self._cancelled.wait(pause_s):
                raise Stopped
            if time.monotonic() > deadline:
                raise StackError(
                    f"{server.title} does not answer after {server.start_timeout_s:.0f} s ({reason});"
                    f" its log is {self.tree.shorten(server.log)}."
                )
            pause_s = min(pause_s * 1.3, 0.3)

    def _check_ports(self, server: Server) -> None:
        for port in server.ports.values():
            if not ports.is_free(port):
                raise StackError(
                    f"Port {port}, which {server.title} uses in this checkout, is taken by another program."
                    f" End that program, or let another port be chosen with: bin/stack up --new-ports {server.name}"
                )

    def _check_disk(self) -> None:
        if shutil.disk_usage(self.tree.stack).free < LEAST_DISK_BYTES:
            raise StackError(
                f"The disk of {self.tree.stack} has less than {LEAST_DISK_BYTES // 1024**2} MB left; free some space."
            )

    def cancel(self) -> None:
        """Let an `up` that waits in another thread give up. Nothing can be started afterwards."""
        self._cancelled.set()

    def in_use(self) -> AbstractContextManager[bool]:
        """While this is held, the demo leaves the servers running when it ends."""
        return locked(self._use_file, shared=True)

    def is_used_by_others(self) -> bool:
        with locked(self._use_file, wait=False) as alone:
            return not alone

    def forget_ports(self, names: Iterable[str]) -> None:
        """Let other ports be chosen for these servers, unless they run."""
        with self._alone(), self._writing:
            state = self._state()
            for name in names:
                if not self.running(name):
                    state.get("ports", {}).pop(name, None)
            write_json(self._state_file, state)

    # --- stopping -----------------------------------------------------------------------------------

    def down(self, names: Iterable[str] | None = None) -> list[str]:
        """Stop these servers, or all; what needs another one goes first. Returns the names stopped."""
        if not self.tree.stack.exists():
            return []
        with self._alone():
            return self._down_now(list(KINDS) if names is None else list(names))

    def _down_now(self, names: list[str]) -> list[str]:
        stopped = []
        for last in (False, True):
            batch = [name for name in names if bool(KINDS[name].needs) is not last and self._recorded(name)]
            if not batch:
                continue
            with ThreadPoolExecutor(len(batch)) as pool:
                stopped += [name for name, ended in zip(batch, pool.map(self._down_one, batch), strict=True) if ended]
        return stopped

    def _down_one(self, name: str) -> bool:
        server, mark = self.server(name), self.running(name)
        if mark and not processes.stop(mark, server.nudges):
            raise StackError(f"{server.title} (process {mark.pid}) does not end.")
        self._record(name, None)
        server.after_stop()
        return mark is not None

    # --- the record ---------------------------------------------------------------------------------

    def _alone(self) -> Any:
        return _Alone(self.tree.stack / "lock", self.say)

    def _state(self) -> dict[str, Any]:
        """What is written down; nothing if it came here with a copy of another checkout, whose servers these are."""
        state = read_json(self._state_file)
        here = str(self.tree.root)
        return state if state.get("checkout") == here else {"checkout": here}

    def _recorded(self, name: str) -> Mark | None:
        entry = self._state().get("running", {}).get(name)
        return Mark(entry["pid"], entry["born"]) if entry else None

    def _record(self, name: str, mark: Mark | None) -> None:
        with self._writing:
            state = self._state()
            state.setdefault("running", {})[name] = {"pid": mark.pid, "born": mark.born} if mark else None
            write_json(self._state_file, state)


class _Alone:
    """One command at a time changes the servers of a checkout."""

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        self._path, self._say = path, say

    def __enter__(self) -> None:
        self._lock = locked(self._path, wait=False)
        if not self._lock.__enter__():
            self._lock.__exit__(None, None, None)
            self._say(LOCK_PATIENCE_NOTE)
            self._lock = locked(self._path)
            self._lock.__enter__()

    def __exit__(self, *_: object) -> None:
        self._lock.__exit__(None, None, None)


def _answers(server: Server) -> bool:
    try:
        return server.why_not_ready() is None
    except StackError:
        return False


def _ended_at_once(server: Server) -> str:
    log = server.tree.shorten(server.log)
    return f"{server.title} ended as soon as it was started; the end of {log}:\n{processes.last_lines(server.log)}"


def _with_needs(names: Iterable[str]) -> list[str]:
    return [each for name in names for each in (*KINDS[name].needs, name)]
