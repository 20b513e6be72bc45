"""Celery tasks that carry their tenant: a task that is sent inside a tenant runs inside it."""

import threading
from typing import Any, NoReturn, Self
from uuid import UUID

import structlog
from celery import Task
from celery.exceptions import Ignore, Reject
from django.db import DatabaseError, close_old_connections, connections
from kombu.exceptions import OperationalError

from core.errors import Unavailable
from core.tenancy import TenantStopped, current, enter, enter_platform, find_tenant, guarded

HEADER = "plexica_tenant"
POSTPONE_S = 60
LOOK_S = 0.5
STOPPED = ("suspended", "deleting")  # until it is active again, or gone
log = structlog.get_logger(__name__)


class TenantTask(Task):  # type: ignore[type-arg]
    """Base of all tasks: takes the sender's tenant along and enters it before running.

    A suspended tenant's task is postponed by a minute, again and again, and so is one of a tenant that waits for its
    deletion; a deleted tenant's is dropped. One that is running when its tenant is stopped gets TenantStopped from its
    next statement, within a second: what it has not committed is undone, and it begins anew later.
    """

    abstract = True

    def apply_async(self, *args: Any, headers: dict[str, Any] | None = None, **kwargs: Any) -> Any:
        ref = current()
        carried = {**(headers or {}), **({HEADER: str(ref.id)} if ref else {})}
        try:
            return super().apply_async(*args, headers=carried, **kwargs)
        except OperationalError as error:
            raise Unavailable(part="broker") from error

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.request.called_directly:
            return super().__call__(*args, **kwargs)
        close_old_connections()
        try:
            return self._run_for_tenant(getattr(self.request, HEADER, None), *args, **kwargs)
        finally:
            close_old_connections()

    def _run_for_tenant(self, tenant_id: str | None, *args: Any, **kwargs: Any) -> Any:
        if tenant_id is None:
            with enter_platform():
                return super().__call__(*args, **kwargs)
        ref = find_tenant(UUID(tenant_id))
        if ref is None or ref.is_gone:
            log.info("task_dropped", task=self.name, tenant=tenant_id)
            return None
        if ref.state in STOPPED:
            self._postpone()
        try:
            with _Watch(ref.id) as watch, guarded(watch.refuse_if_stopped), enter(ref):
                return super().__call__(*args, **kwargs)
        except TenantStopped:
            log.info("task_stopped", task=self.name, tenant=tenant_id)
            self._postpone()

    def _postpone(self) -> NoReturn:
        """Send this very task once more, for later. `retry` would count it as a failed try, and give up after some."""
        try:
            self.signature_from_request(countdown=POSTPONE_S).apply_async()
        except Unavailable as error:
            raise Reject(error, requeue=True) from error
        raise Ignore


class _Watch:
    """Looks after a running task's tenant from a thread and a connection of its own."""

    def __init__(self, tenant_id: UUID) -> None:
        self._tenant_id = tenant_id
        self._stopped, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._look, name="tenant-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def refuse_if_stopped(self) -> None:
        """Raise TenantStopped once the tenant is stopped."""
        if self._stopped.is_set():
            raise TenantStopped("the tenant was stopped meanwhile")

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        """Look twice a second; a short task is over before the first look."""
        try:
            while not self._over.wait(LOOK_S):
                try:
                    ref = find_tenant(self._tenant_id)
                except DatabaseError as error:
                    log.warning("tenant_not_looked_up", error=str(error))
                    continue
                if ref is None or ref.is_gone or ref.state in STOPPED:
                    self._stopped.set()
                    return
        finally:
            connections.close_all()
