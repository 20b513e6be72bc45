"""Leases: which worker an operation belongs to, for how long."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Self

import structlog
from django.db import InterfaceError, OperationalError, connection, connections, transaction
from django.db.models import QuerySet
from django.utils import timezone

from tenants.models import Operation

LEASE_S = 12.0
HEARTBEAT_S = 3.0
log = structlog.get_logger(__name__)


class LeaseLost(Exception):
    """Another worker has the operation: whatever this one was about to write is not its to write any more."""


class Lease:
    """Renews the lease of an operation in the background, over a connection of its own."""

    def __init__(self, operation: Operation) -> None:
        self.operation_id, self.owner = operation.pk, operation.lease_owner
        self.lost = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()

    def _renew(self) -> None:
        try:
            while not self._stop.wait(HEARTBEAT_S):
                until = timezone.now() + timedelta(seconds=LEASE_S)
                try:
                    held = self._mine().update(lease_until=until)
                except (OperationalError, InterfaceError) as error:
                    log.warning("lease_not_renewed", error=str(error))
                    connection.close()
                    continue
                if not held:
                    self.lost.set()
                    return
        finally:
            connections.close_all()

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
