"""Keeps long-running programs alive and ends them in order.

starting --> running --died on its own--> waiting (1, 2, 4, ... s) --> running
                |                             |
                |                             +-- died too often: everything ends, with a sentence
                +-- stop --> ended
"""

import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.embedded import processes
from deploy.embedded.errors import StackError
from deploy.embedded.paths import Tree
from deploy.embedded.processes import Mark, Nudge

DEATHS_ALLOWED = 4
WITHIN_S = 60.0
PATIENCE = (Nudge(signal.SIGTERM, 5), Nudge(signal.SIGKILL, 2))


@dataclass(frozen=True)
class Program:
    """One long-running program of ours."""

    name: str
    argv: Sequence[str | Path]
    log: Path
    env: Mapping[str, str]


@dataclass
class _Watched:
    program: Program
    mark: Mark | None = None
    deaths: deque[float] = field(default_factory=deque)


class Supervisor:
    """Starts programs, each in a session of its own, and starts them again when they die.

    When one dies too often, `failure` holds a sentence and this process gets a SIGTERM, as if a person had sent it.
    """

    first_delay_s = 1.0  # before a program that died is started again; doubles with each death

    def __init__(self, tree: Tree, say: Callable[[str], None]) -> None:
        self.tree, self.say = tree, say
        self.failure: str | None = None
        self._watched: dict[str, _Watched] = {}
        self._stopping = threading.Event()
        self._lock = threading.Lock()

    def start(self, program: Program) -> None:
        """Start the program and watch over it from a thread."""
        watched = self._watched[program.name] = _Watched(program)
        process = self._spawn(watched)
        if process:
            threading.Thread(target=self._watch, args=(watched, process), daemon=True).start()

    def watch_server(self, name: str, mark: Mark, restart: Callable[[], Mark | None]) -> None:
        """Call `restart` when a server, which is no child of ours, dies on its own."""
        watched = _Watched(Program(name, [], self.tree.logs / f"{name}.log", {}), mark)
        threading.Thread(target=self._watch_server, args=(watched, restart), daemon=True).start()

    def is_known(self, name: str) -> bool:
        """Whether this program was ever started."""
        return name in self._watched

    def pause_watching(self) -> None:
        """From now on a program that ends has been told to."""
        with self._lock:
            self._stopping.set()

    def stop(self, *batches: Sequence[str]) -> None:
        """End the programs, one batch after the other, those of a batch together."""
        self.pause_watching()
        for batch in batches:
            marks = [self._watched[name].mark for name in batch if name in self._watched]
            threads = [threading.Thread(target=processes.stop, args=(mark, PATIENCE)) for mark in marks if mark]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    def kill(self) -> None:
        """End all programs at once, with their process groups."""
        self.pause_watching()
        for watched in self._watched.values():
            if watched.mark:
                processes.stop(watched.mark, [Nudge(signal.SIGKILL, 0)], group=True)

    def _spawn(self, watched: _Watched) -> "subprocess.Popen[bytes] | None":
        program = watched.program
        with self._lock:
            if self._stopping.is_set():
                return None
            process = processes.spawn(program.argv, log=program.log, cwd=self.tree.root, env=program.env)
            watched.mark = processes.mark(process.pid)
            return process

    def _watch(self, watched: _Watched, process: "subprocess.Popen[bytes] | None") -> None:
        while process:
            # not yet collected, its pid is nobody else's: what it leaves in its group can be ended safely
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            if not self._stopping.is_set():
                _kill_group(process.pid)
            status = process.wait()
            if not self._may_restart(watched, f"ended on its own (status {status})"):
                return
            process = self._spawn(watched)

    def _watch_server(self, watched: _Watched, restart: Callable[[], Mark | None]) -> None:
        while watched.mark:
            while not processes.wait_gone(watched.mark, 3600):
                pass
            if not self._may_restart(watched, "ended on its own"):
                return
            try:
                watched.mark = restart()
            except StackError as error:
                self._give_up(str(error))
                return

    def _may_restart(self, watched: _Watched, what: str) -> bool:
        """Say what happened and wait a while; False when all is ending or the program died too often."""
        if self._stopping.is_set():
            return False
        name, log, now = watched.program.name, watched.program.log, time.monotonic()
        while watched.deaths and now - watched.deaths[0] > WITHIN_S:
            watched.deaths.popleft()
        watched.deaths.append(now)
        ending = f"the end of {self.tree.shorten(log)}:\n{processes.last_lines(log)}"
        if len(watched.deaths) > DEATHS_ALLOWED:
            self._give_up(f"{name} {what} {len(watched.deaths)} times within {WITHIN_S:.0f} s; {ending}")
            return False
        delay_s = self.first_delay_s * 2 ** (len(watched.deaths) - 1)
        self.say(f"{name} {what}, it is started again in {delay_s:.0f} s; {ending}")
        return not self._stopping.wait(delay_s)

    def _give_up(self, sentence: str) -> None:
        if not self._stopping.is_set():
            self.failure = sentence
            os.kill(os.getpid(), signal.SIGTERM)


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
