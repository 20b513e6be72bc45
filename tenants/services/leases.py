"""Leases: which worker an operation belongs to, for how long."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Self

import structlog
from django.db import InterfaceError, OperationalError, connection, connections, transaction
from django.db.models import QuerySet
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from tenants.models import Operation

LEASE_S = 12.0
HEARTBEAT_S = 3.0
SURE_S = 8.0  # so long after a renewal the lease is surely ours: it lasts longer, and clocks run at different speeds
log = structlog.get_logger(__name__)


def lease_from_now() -> Combinable:
    """Return the end of a lease that begins now, by PostgreSQL's clock: those of machines differ."""
    return Now() + timedelta(seconds=LEASE_S)


class LeaseLost(Exception):
    """Another worker has the operation: whatever this one was about to write is not its to write any more."""


class Lease:
    """Renews the lease of an operation in the background, over a connection of its own."""

    def __init__(self, operation: Operation) -> None:
        self.operation_id, self.owner = operation.pk, operation.lease_owner
        self.lost = threading.Event()
        self._renewed_at = time.time()
        self._wake, self._answered = threading.Event(), threading.Event()
        self._stop = False
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop = True
        self._wake.set()
        self._thread.join()

    def confirm(self) -> None:
        """Return if the lease is surely this worker's, else ask for it and raise LeaseLost.

        A worker may stand still in the middle of a step - stopped, swapped out, its machine asleep - until another has
        taken over. It must not go on from there, so this is asked before each statement and each outside call.
        """
        if not self.lost.is_set() and not 0 <= time.time() - self._renewed_at < SURE_S:
            self._answered.clear()
            self._wake.set()
            if not self._answered.wait(LEASE_S):
                self.lost.set()
        if self.lost.is_set():
            raise LeaseLost

    def _renew(self) -> None:
        try:
            while True:
                self._wake.wait(HEARTBEAT_S)
                self._wake.clear()
                if self._stop:
                    return
                self._renew_once()
        finally:
            connections.close_all()

    def _renew_once(self) -> None:
        now = time.time()
        try:
            held = self._mine().update(lease_until=lease_from_now())
        except (OperationalError, InterfaceError) as error:
            log.warning("lease_not_renewed", error=str(error))
            connection.close()
            return
        if held:
            self._renewed_at = now
        else:
            self.lost.set()
        self._answered.set()

    def _mine(self) -> QuerySet[Operation]:
        return Operation.objects.filter(pk=self.operation_id, lease_owner=self.owner)

    @contextmanager
    def held(self) -> Iterator[None]:
        """A transaction in which the lease is surely this worker's. Raises LeaseLost, with nothing written."""
        with transaction.atomic():
            if not self._mine().select_for_update().exists():
                self.lost.set()
                raise LeaseLost
            yield
