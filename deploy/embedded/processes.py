"""Processes that outlive the program that started them: known again later without mistaking one for another.

A pid alone says little: it is used again after its process ended. So a process is remembered as its pid and the
moment of its birth, and nothing is signalled unless both still fit.
"""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Mark:
    """One process, unmistakably."""

    pid: int
    born: str

    def is_running(self) -> bool:
        """Whether this very process is still there. One that ended but was not collected counts as gone."""
        return birth(self.pid) == self.born


@dataclass(frozen=True)
class Nudge:
    """A signal, and how long it may take to have its effect."""

    signal: signal.Signals
    patience_s: float


FRIENDLY = (Nudge(signal.SIGTERM, 6), Nudge(signal.SIGKILL, 3))


def birth(pid: int) -> str | None:
    """When the process with this pid began, in a form that only this process has; None when there is none."""
    if sys.platform == "linux":
        try:
            # the name in the second field may hold spaces and brackets: count from behind it
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] in {"Z", "X"} else f"{_boot_id()}:{fields[19]}"
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else str(process.create_time())
    except psutil.Error:
        return None


def _boot_id() -> str:
    return BOOT_ID.read_text(encoding="ascii").strip() if BOOT_ID.exists() else ""


def mark(pid: int) -> Mark | None:
    """The process that has this pid now."""
    born = birth(pid)
    return Mark(pid, born) if born else None


def spawn(
    argv: Sequence[str | Path], *, log: Path, cwd: Path, env: Mapping[str, str] | None = None
) -> "subprocess.Popen[bytes]":
    """Start a process in a session of its own, writing to its log: no Ctrl-C reaches it, no pipe is held open."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            [str(part) for part in argv],
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def wait_gone(process: Mark, timeout_s: float) -> bool:
    """Wait until the process has ended; says whether it has."""
    deadline = time.monotonic() + timeout_s
    try:
        handle = os.pidfd_open(process.pid)
    except (AttributeError, OSError):
        handle = -1
    try:
        while process.is_running():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            if handle >= 0:
                select.select([handle], [], [], left)
            else:
                time.sleep(min(left, 0.05))
        return True
    finally:
        if handle >= 0:
            os.close(handle)


def stop(process: Mark, nudges: Sequence[Nudge] = FRIENDLY, *, group: bool = False) -> bool:
    """Ask the process to end, then make it; with `group` everything in its process group too.

    Safe to repeat. Says whether it is gone.
    """
    for nudge in nudges:
        if not process.is_running():
            break
        _send(process, nudge.signal, group=group)
        if wait_gone(process, nudge.patience_s):
            break
    return not process.is_running()


def _send(process: Mark, number: signal.Signals, *, group: bool) -> None:
    try:
        if group and os.getpgid(process.pid) == process.pid:
            os.killpg(process.pid, number)
        else:
            os.kill(process.pid, number)
    except (ProcessLookupError, PermissionError):
        return


def find_by_folder(program: Path, folder: Path) -> list[Mark]:
    """Processes that run this program in this folder, whoever started them."""
    return _find(lambda process: Path(process.cwd()) == folder and Path(process.exe()) == program)


def find_by_variable(name: str, value: str) -> list[Mark]:
    """Processes that carry this variable in their environment: what one run started, children included."""
    return _find(lambda process: process.environ().get(name) == value)


def _find(fits: Callable[[psutil.Process], bool]) -> list[Mark]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and fits(process):
                found.append(mark(process.pid))
        except (psutil.Error, OSError):
            continue
    return [each for each in found if each]


def stop_all(processes: Iterable[Mark], patience_s: float = 3) -> None:
    """End all of them, the last resort included, waiting for them together."""
    remaining = [each for each in processes if each.is_running()]
    for number in (signal.SIGTERM, signal.SIGKILL):
        for each in remaining:
            _send(each, number, group=False)
        deadline = time.monotonic() + patience_s
        remaining = [each for each in remaining if not wait_gone(each, max(0.0, deadline - time.monotonic()))]


def last_lines(log: Path, count: int = 8) -> str:
    """The end of a log, for a message."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 64_000))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(f"    {line}" for line in lines[-count:])
