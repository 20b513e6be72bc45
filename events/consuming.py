"""Hands events to one subscriber: each tenant's in order, each once.

    bus ──read──> by tenant ──> one transaction: what is new is noted as handled, and handled ──> passed
                        └─> it fails, or the tenant is stopped: parked with all that follows for this tenant; others go on

What is parked is tried again in order, with growing pauses, and at last filed under failed events.
"""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import InterfaceError, OperationalError, connection, connections, transaction
from django.utils import timezone

from core.errors import Unavailable
from core.tenancy import TenantRef, enter, enter_platform, find_tenant
from events import parking
from events.bus import bus
from events.bus.port import Bus, Part, Reader
from events.messages import Message
from events.outbox.models import ParkedMessage, Passed
from events.parking import Reason
from events.subscribing import Subscriber

WAIT_S = 0.5  # for messages, and between looks at what is parked
PASSED_EVERY_S = 1.0
PAUSE_S = 0.5  # after a part that did not answer
log = structlog.get_logger(__name__)

# the rows of one call are all of one tenant; those that are there already come back as nothing
_HANDLED = """
    INSERT INTO events_handled (subscriber, position) SELECT $1, unnest($2::bigint[])
    ON CONFLICT DO NOTHING RETURNING position
"""


class HandlerTimeout(Exception):
    """A handler took longer than it may."""


class _TimeIsUp(KeyboardInterrupt):
    """Raised in the middle of a handler: no `except Exception` holds it up, and psycopg cancels the running statement."""


class Consumer:
    """Works for one subscriber, in the main thread: only there can a handler be interrupted."""

    def __init__(
        self, subscriber: Subscriber, *, through: Bus | None = None, member: str = "", poison: Sequence[int] = ()
    ) -> None:
        self._member = member
        self._subscriber = subscriber
        self._bus = through or bus()
        self._poison = set(poison)  # positions that made a process stand still until it was killed
        self._passed: dict[int, datetime] = {}
        self._written_at = timezone.now()
        self._looked_at = timezone.now() - timedelta(days=1)
        self.at_work: Callable[[int, float], None] = lambda position, timeout_s: None  # 0: at rest

    def run(self, *, until: Callable[[], bool]) -> None:
        """Handle events until told otherwise; the one at hand is finished."""
        with self._bus.reader(self._subscriber.name, member=self._member) as reader:
            while not until():
                try:
                    self.turn(reader, until)
                except (Unavailable, OperationalError, InterfaceError) as error:
                    log.warning("consumer_waits", subscriber=self._subscriber.name, error=str(error.__cause__ or error))
                    connections.close_all()
                    threading.Event().wait(PAUSE_S)

    def turn(self, reader: Reader, until: Callable[[], bool] = lambda: False) -> None:
        """Take what is due among the parked, then what the bus has."""
        now = timezone.now()
        if (now - self._looked_at).total_seconds() >= WAIT_S:
            self._looked_at = now
            for tenant_id in parking.due_tenants(self._subscriber.name, reader.shards(), now=now):
                self._take_parked(tenant_id, until)
        for part in reader.read(timeout_s=WAIT_S):
            if until():
                return
            if part.messages:
                self._take(part)
            reader.passed(part)
            self._passed[part.shard] = part.sent_at
        self._write_passed()

    # -- from the bus

    def _take(self, part: Part) -> None:
        by_tenant: dict[UUID, list[Message]] = {}
        for message in part.messages:
            if message.tenant_id and self._subscriber.takes(message.name):
                by_tenant.setdefault(message.tenant_id, []).append(message)
        if not by_tenant:
            return
        waiting = parking.tenants_with_parked(self._subscriber.name, by_tenant)
        for tenant_id, messages in by_tenant.items():
            ref = find_tenant(tenant_id)
            if ref is None or ref.is_gone:
                log.info("events_dropped", subscriber=self._subscriber.name, tenant=str(tenant_id), count=len(messages))
            elif tenant_id in waiting:
                parking.park(self._subscriber.name, tenant_id, messages, Reason.BEHIND)
            elif ref.state != "active":
                parking.park(self._subscriber.name, tenant_id, messages, Reason.STOPPED)
            else:
                self._deliver(ref, messages)

    def _deliver(self, ref: TenantRef, messages: Sequence[Message]) -> None:
        """Handle them all in one transaction; if that fails, one after the other, up to the one that fails."""
        if len(messages) > 1 and not self._poison:
            try:
                self._handle(ref, messages)
            except (OperationalError, InterfaceError):
                raise
            except Exception as error:  # noqa: BLE001 - which one it is shows below
                log.info("events_one_by_one", subscriber=self._subscriber.name, error=_sentence(error))
            else:
                return
        for index, message in enumerate(messages):
            try:
                self._handle(ref, [message])
            except (OperationalError, InterfaceError):
                raise
            except Exception as error:
                log.warning("event_failed", subscriber=self._subscriber.name, event_name=message.name, exc_info=error)
                rest = messages[index:]
                parking.park(self._subscriber.name, ref.id, rest, Reason.FAILED, attempts=1, error=_sentence(error))
                return

    def _handle(self, ref: TenantRef, messages: Sequence[Message], *, attempt: int = 1) -> None:
        with enter(ref), transaction.atomic():
            new = self._note(messages)
            for message in messages:
                if message.position in new:
                    with self._bounded(message):
                        self._subscriber.handle(message, ref, attempt=attempt)

    def _note(self, messages: Sequence[Message]) -> set[int]:
        positions = ",".join(str(message.position) for message in messages)
        wrapper: Any = connection
        rows = wrapper.execute_plainly(_HANDLED, [self._subscriber.name, f"{{{positions}}}"], prepared=False)
        return {int(position) for (position,) in rows}

    @contextmanager
    def _bounded(self, message: Message) -> Iterator[None]:
        if message.position in self._poison:
            self._poison.discard(message.position)
            raise HandlerTimeout(f"the handler did not end after {self._subscriber.timeout_s:g} s and was killed")
        self.at_work(message.position, self._subscriber.timeout_s)
        signal.setitimer(signal.ITIMER_REAL, self._subscriber.timeout_s)
        try:
            yield
        except _TimeIsUp:
            raise HandlerTimeout(f"the handler took longer than {self._subscriber.timeout_s:g} s") from None
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            self.at_work(0, 0)

    # -- parked

    def _take_parked(self, tenant_id: UUID, until: Callable[[], bool]) -> None:
        """Handle what waits for a tenant, in order, as far as it goes now."""
        name = self._subscriber.name
        while not until() and (parked := parking.first_parked(name, tenant_id)):
            ref = find_tenant(tenant_id)
            if ref is None or ref.is_gone:
                parking.forget_tenant(name, tenant_id)
                return
            if ref.state != "active" or parked.next_try_at > timezone.now():
                return
            if not self._try_parked(ref, parked):
                return

    def _try_parked(self, ref: TenantRef, parked: ParkedMessage) -> bool:
        try:
            self._handle(ref, [Message.from_text(parked.message)], attempt=parked.attempts + 1)
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            log.warning(
                "parked_event_failed", subscriber=parked.subscriber, attempts=parked.attempts + 1, exc_info=error
            )
            return parking.postpone(parked, error=_sentence(error))  # what waits behind it goes on when it is filed
        parking.is_settled(parked)
        return True

    # -- what is behind

    def _write_passed(self) -> None:
        now = timezone.now()
        if not self._passed or (now - self._written_at).total_seconds() < PASSED_EVERY_S:
            return
        self._written_at = now
        rows = [
            Passed(subscriber=self._subscriber.name, shard=shard, passed_at=at) for shard, at in self._passed.items()
        ]
        with enter_platform():
            Passed.objects.bulk_create(
                rows, update_conflicts=True, unique_fields=["subscriber", "shard"], update_fields=["passed_at"]
            )
        self._passed.clear()


def interrupt_long_handlers() -> None:
    """Make the timer of `Consumer` raise in the main thread: in a loop, and in a call that waits."""

    def too_long(number: int, frame: Any) -> None:
        raise _TimeIsUp

    signal.signal(signal.SIGALRM, too_long)


def _sentence(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:500]}"
