"""Lets requests of several threads meet: none writes before all of them have read."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from tests.support.raw import superuser
from tests.support.threads import run_together

WRITES = re.compile(
    r"\s*(INSERT|UPDATE|DELETE)\b|.*\b(FOR (NO KEY )?UPDATE|pg_advisory_xact_lock)\b",
    re.IGNORECASE | re.DOTALL,
)
WAIT_S = 5.0  # of who reads, for others who may be held up by a lock of theirs
OVER_S = 60.0  # of who was told to let another go first
LOOK_S = 0.01
SOMEBODY_WAITS = """
    SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
        WHERE NOT l.granted AND a.datname = current_database())
"""


class Meeting:
    """Holds each thread at its first statement that writes or locks, until all have come that far or have ended."""

    def __init__(self, parties: int) -> None:
        self._changed = threading.Condition()
        self._missing = parties
        self._own = threading.local()

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if WRITES.match(str(sql)):
            self.come()
        return execute(sql, params, many, context)

    def come(self) -> None:
        """Say that this thread is here, and wait for the others."""
        with self._changed:
            self.leave()
            self._changed.wait_for(lambda: self._missing <= 0, timeout=WAIT_S)

    def leave(self) -> None:
        """Say that nobody needs to wait for this thread."""
        if getattr(self._own, "is_here", False):
            return
        self._own.is_here = True
        with self._changed:
            self._missing -= 1
            self._changed.notify_all()


def meet(*functions: Callable[[], Any]) -> list[Any]:
    """Run functions at once, none of which writes before all have read; return their results as `run_together` does."""
    meeting = Meeting(len(functions))

    def attend(function: Callable[[], Any]) -> Any:
        from django.db import connection

        try:
            with connection.execute_wrapper(meeting):
                return function()
        finally:
            meeting.leave()

    return run_together(*(partial(attend, function) for function in functions))


def _wait_until_over_or_held_up(other: threading.Thread) -> None:
    deadline = time.monotonic() + OVER_S
    with superuser() as connection:
        while other.is_alive() and time.monotonic() < deadline:
            (held_up,) = connection.execute(SOMEBODY_WAITS).fetchone() or (False,)
            if held_up:
                return
            other.join(timeout=LOOK_S)


@contextmanager
def meanwhile(before: str, function: Callable[[], Any]) -> Iterator[list[Any]]:
    """Run a function in another thread just before this one's first statement that matches `before`.

    This thread goes on when that has ended, or waits for a lock of ours. What it returned or raised is in the list then.
    """
    from django.db import connection

    results: list[Any] = []
    other = threading.Thread(target=lambda: results.extend(run_together(function)))

    def watch(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if other.ident is None and re.search(before, str(sql)):
            other.start()
            _wait_until_over_or_held_up(other)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        yield results
    assert other.ident is not None, f"no statement matches {before}"
    other.join(timeout=OVER_S)
