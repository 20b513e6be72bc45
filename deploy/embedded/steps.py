"""Commands that run once and end, their output in a log: what start-up consists of beside servers."""

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from deploy.embedded import processes
from deploy.embedded.errors import StackError, Stopped
from deploy.embedded.paths import Tree


class Steps:
    """Runs commands, several at a time if asked from several threads; `cancel` ends them all."""

    def __init__(self, tree: Tree, env: Mapping[str, str], logs: Path, say: Callable[[str], None]) -> None:
        self.tree, self.env, self.logs, self.say = tree, env, logs, say
        self._running: set[int] = set()
        self._lock = threading.Lock()
        self._cancelled = False

    def run(self, title: str, log_name: str, *commands: Sequence[str | Path], quiet: bool = False) -> str:
        """Run these commands one after the other; returns what the last one printed.

        Raises StackError with the end of the log when one fails.
        """
        began = time.monotonic()
        log = self.logs / f"{log_name}.log"
        log.unlink(missing_ok=True)
        printed = ""
        for command in commands:
            printed = self._run_one(title, command, log)
        if not quiet:
            self.say(f"{title} ({time.monotonic() - began:.1f} s)")
        return printed

    def _run_one(self, title: str, command: Sequence[str | Path], log: Path) -> str:
        start = log.stat().st_size if log.exists() else 0
        with self._lock:
            if self._cancelled:
                raise Stopped
            process = processes.spawn(command, log=log, cwd=self.tree.root, env=self.env)
            self._running.add(process.pid)
        status = process.wait()
        with self._lock:
            self._running.discard(process.pid)
        if self._cancelled:
            raise Stopped
        if status:
            where = self.tree.shorten(log)
            raise StackError(f"{title}: failed; the end of {where}:\n{processes.last_lines(log, 15)}")
        with log.open("rb") as file:
            file.seek(start)
            return file.read().decode(errors="replace")

    def cancel(self) -> None:
        """End what runs, whole process groups; nothing starts afterwards."""
        with self._lock:
            self._cancelled = True
            for pid in self._running:
                try:
                    os.killpg(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
