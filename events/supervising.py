"""One process for each subscriber, and one that watches them: a handler that nothing interrupts is killed with its process.

The watcher opens no connection. What a child works on, and until when, stands in memory that both see.
"""

import ctypes
import multiprocessing
import os
import secrets
import signal
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import structlog

from core.health.alive import AliveFile, until_ended
from events.consuming import Consumer, interrupt_long_handlers
from events.subscribing import Subscriber

GRACE_S = 1.0  # beyond its time, for a handler to be interrupted from within
LOOK_S = 0.25
STILL_S = 120.0  # without a handler at work, no child stands still as long as this: what it waits for never comes
RESTART_S = 1.0  # between a child's deaths, at least
log = structlog.get_logger(__name__)


class AtWork(ctypes.Structure):
    """What a child handles (0: nothing), when its time is over, and when it last moved on, by the monotonic clock."""

    _fields_ = (("position", ctypes.c_int64), ("until", ctypes.c_double), ("moved_at", ctypes.c_double))


@dataclass
class _Child:
    subscriber: Subscriber
    member: str = field(default_factory=lambda: secrets.token_hex(8))  # on the bus: successors take over at once
    at_work: Any = field(default_factory=lambda: multiprocessing.RawValue(AtWork))
    pid: int = 0
    started_at: float = float("-inf")
    poison: list[int] = field(default_factory=list)


class Supervisor:
    """Runs subscribers' consumers until SIGTERM or SIGINT; each finishes the event at hand then."""

    def __init__(self, subscribers: Sequence[Subscriber], *, alive: AliveFile | None = None) -> None:
        self._alive = alive or AliveFile(None)
        self._children = [_Child(one) for one in subscribers]
        self._ending = False

    def run(self) -> None:
        """Return when all children have ended."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        while not self._ending or any(child.pid for child in self._children):
            self._alive.touch()
            self._collect()
            for child in self._children:
                self._look_after(child)
            time.sleep(LOOK_S)

    def _end(self, number: int, frame: FrameType | None) -> None:
        self._ending = True
        for child in self._children:
            if child.pid:
                os.kill(child.pid, signal.SIGTERM)

    def _collect(self) -> None:
        for child in self._children:
            if child.pid and os.waitpid(child.pid, os.WNOHANG)[0]:
                if not self._ending:
                    log.warning("consumer_died", subscriber=child.subscriber.name)
                child.pid = 0

    def _look_after(self, child: _Child) -> None:
        now = time.monotonic()
        if child.pid and child.at_work.position and now > child.at_work.until + GRACE_S:
            log.error("handler_killed", subscriber=child.subscriber.name, position=child.at_work.position)
            child.poison = [child.at_work.position]
            self._kill(child)
        elif child.pid and not child.at_work.position and now > child.at_work.moved_at + STILL_S:
            log.error("consumer_killed", subscriber=child.subscriber.name, still_s=STILL_S)
            self._kill(child)
        if not child.pid and not self._ending and now - child.started_at >= RESTART_S:
            self._start(child)

    def _kill(self, child: _Child) -> None:
        os.kill(child.pid, signal.SIGKILL)
        os.waitpid(child.pid, 0)
        child.pid, child.started_at = 0, float("-inf")

    def _start(self, child: _Child) -> None:
        child.at_work.position = 0
        child.started_at = child.at_work.moved_at = time.monotonic()
        child.pid = os.fork()
        if child.pid:
            child.poison = []
            return
        status = 1
        try:
            _consume(child)
            status = 0
        except BaseException:  # noqa: BLE001 - nothing of the watcher may go on here
            traceback.print_exc()
        finally:
            os._exit(status)


def _consume(child: _Child) -> None:
    ended = until_ended(AliveFile(None))
    interrupt_long_handlers()
    consumer = Consumer(child.subscriber, member=child.member, poison=child.poison)

    def note(position: int, timeout_s: float) -> None:
        child.at_work.moved_at = time.monotonic()
        child.at_work.until = child.at_work.moved_at + timeout_s
        child.at_work.position = position

    consumer.at_work = note
    watcher = os.getppid()

    def until() -> bool:
        child.at_work.moved_at = time.monotonic()
        return ended() or os.getppid() != watcher

    consumer.run(until=until)
