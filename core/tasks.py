"""Celery tasks that carry their tenant: a task that is sent inside a tenant runs inside it."""

from typing import Any
from uuid import UUID

import structlog
from celery import Task
from django.conf import settings
from django.db import close_old_connections
from django.utils.module_loading import import_string

from core.tenancy import current, enter, enter_platform

HEADER = "plexica_tenant"
POSTPONE_S = 60
GONE = ("deleted", "failed")  # neither schema nor role is left
STOPPED = ("suspended", "deleting")  # until it is active again, or gone
log = structlog.get_logger(__name__)


class TenantTask(Task):  # type: ignore[type-arg]
    """Base of all tasks: takes the sender's tenant along and enters it before running.

    A suspended tenant's task is postponed by a minute, again and again, and so is one of a tenant that waits for its
    deletion; a deleted tenant's is dropped.
    """

    abstract = True

    def apply_async(self, *args: Any, headers: dict[str, Any] | None = None, **kwargs: Any) -> Any:
        ref = current()
        carried = {**(headers or {}), **({HEADER: str(ref.id)} if ref else {})}
        return super().apply_async(*args, headers=carried, **kwargs)

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
        with enter_platform():
            ref = import_string(settings.TENANT_DIRECTORY)(UUID(tenant_id))
        if ref is None or ref.state in GONE:
            log.info("task_dropped", task=self.name, tenant=tenant_id)
            return None
        if ref.state in STOPPED:
            raise self.retry(countdown=POSTPONE_S, max_retries=None)
        with enter(ref):
            return super().__call__(*args, **kwargs)
