"""One run of the demo as others see it: its lock, its record, and what is left of it after a kill -9."""

import os
import secrets
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.embedded import processes
from deploy.embedded.errors import StackError
from deploy.embedded.files import locked, read_json, write_json
from deploy.embedded.paths import Tree
from deploy.embedded.processes import Mark, Nudge
from deploy.embedded.stack import Stack

VARIABLE = "PLEXICA_DEMO_RUN"  # every process of a run carries it: how strays are found
RESET_PATIENCE = (Nudge(signal.SIGTERM, 20), Nudge(signal.SIGKILL, 3))


@dataclass
class Run:
    """The record of a run, in `var/demo/run.json` while it lasts."""

    tree: Tree
    token: str = field(default_factory=lambda: secrets.token_hex(8))
    servers: list[str] = field(default_factory=list)  # what this run started, and so ends

    @property
    def path(self) -> Path:
        return self.tree.demo / "run.json"

    def write(self) -> None:
        me = processes.mark(os.getpid())
        born = me.born if me else ""
        record = {"token": self.token, "pid": os.getpid(), "born": born, "servers": self.servers}
        write_json(self.path, {**record, "checkout": str(self.tree.root)})

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)

    def strays(self) -> list[Mark]:
        """Processes of this run that are still there."""
        return processes.find_by_variable(VARIABLE, self.token)

    def clean_up_after_another(self, stack: Stack) -> bool:
        """End what a run left that was killed, and take over its servers. Says whether there was anything.

        The caller holds the demo's lock, so that the other run is certainly over.
        """
        before = _read(self.tree)
        if not before:
            return False
        left = processes.find_by_variable(VARIABLE, before["token"])
        processes.stop_all(left, patience_s=1.5)
        self.servers = [name for name in before["servers"] if stack.running(name)]
        return bool(left or self.servers)


def hold_lock(tree: Tree) -> "_Held":
    """Be the only demo of this checkout. Raises StackError while another one runs."""
    return _Held(tree)


def end_other(tree: Tree) -> None:
    """End the demo that runs in this checkout, if one does."""
    record = _read(tree)
    if record:
        processes.stop(Mark(record["pid"], record["born"]), RESET_PATIENCE)


def _read(tree: Tree) -> dict[str, Any]:
    """The record; nothing if it came here with a copy of another checkout."""
    record = read_json(tree.demo / "run.json")
    return record if record.get("checkout") == str(tree.root) else {}


class _Held:
    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        # not in var/demo: --reset deletes that folder, and with it the lock
        self._lock = locked(tree.root / "var" / ".demo.lock", wait=False)

    def __enter__(self) -> None:
        if not self._lock.__enter__():
            pid = _read(self.tree).get("pid", "unknown")
            raise StackError(
                f"the demo already runs in this checkout (process {pid}). End it with Ctrl-C where it runs."
            )

    def __exit__(self, *_: object) -> None:
        self._lock.__exit__(None, None, None)
