"""A file by which whoever runs our processes sees that one works: its age says when that was last so."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

EVERY_S = 1.0


class AliveFile:
    """Touched while the process works; without a path nothing happens."""

    def __init__(self, path: str | None) -> None:
        self._path = Path(path) if path else None
        self._touched_at = float("-inf")

    def touch(self) -> None:
        """Make the file young, once a second at most."""
        now = time.monotonic()
        if self._path and now - self._touched_at >= EVERY_S:
            self._touched_at = now
            self._path.touch()


def until_ended(alive: AliveFile) -> Callable[[], bool]:
    """Return what says whether SIGTERM or SIGINT has come, and keeps the file young as long as it is asked."""
    over: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: over.append(number))

    def until() -> bool:
        alive.touch()
        return bool(over)

    return until
