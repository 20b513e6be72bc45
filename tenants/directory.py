"""Which tenant lives at a host, answered from memory.

A process asks PostgreSQL twice a second what has changed, in one small query, and keeps everything else. So a
suspension, a new tenant or a new address is seen by every process within a second, with or without Valkey.

A change is found exactly: a trigger stamps each changed row with its transaction's id, and a poll reads all rows stamped
by transactions that were not surely over at the poll before (`pg_snapshot_xmin`). A late commit is not missed.
"""

import threading
import time
from collections import OrderedDict
from uuid import UUID

from django.conf import settings
from django.db import connection

from core.tenancy import TenantRef, enter_platform
from tenants.models import Tenant

POLL_S = 0.5
MAX_ENTRIES = 20_000


class Directory:
    """Tenants by host label and by id; one for each process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_domain: OrderedDict[str, TenantRef | None] = OrderedDict()
        self._by_id: OrderedDict[UUID, TenantRef] = OrderedDict()
        self._polled_at = float("-inf")
        self._horizon: int | None = None
        self._polls = 0

    def at_domain(self, domain: str) -> TenantRef | None:
        """Return the tenant at a domain label or host name, or None."""
        self._refresh()
        with self._lock:
            if domain in self._by_domain:
                return self._by_domain[domain]
            polls = self._polls
        tenant = Tenant.objects.filter(domains__domain=domain).exclude(status__in=Tenant.GONE).first()
        ref = tenant.ref if tenant else None
        if ref is not None:  # what does not exist is not kept: strangers could fill the memory with it
            self._keep(domain, ref, polls)
        return ref

    def by_id(self, tenant_id: UUID) -> TenantRef | None:
        """Return the tenant with this id, deleted ones too, or None."""
        self._refresh()
        with self._lock:
            if tenant_id in self._by_id:
                return self._by_id[tenant_id]
            polls = self._polls
        tenant = Tenant.objects.filter(pk=tenant_id).first()
        if tenant is None:
            return None
        self._keep(None, tenant.ref, polls)
        return tenant.ref

    def forget(self) -> None:
        """Drop everything that is kept."""
        with self._lock:
            self._by_domain.clear()
            self._by_id.clear()
            self._polled_at, self._horizon = float("-inf"), None

    def _keep(self, domain: str | None, ref: TenantRef, polls: int) -> None:
        """Keep what was read, unless a poll ended since: it may have told of a change that the reader has not seen."""
        with self._lock:
            if polls != self._polls:
                return
            self._by_id[ref.id] = ref
            if domain is not None:
                self._by_domain[domain] = ref
            for kept in (self._by_domain, self._by_id):
                if len(kept) > MAX_ENTRIES:
                    kept.popitem(last=False)

    def _refresh(self) -> None:
        now = time.monotonic()
        with self._lock:
            if now - self._polled_at < POLL_S:
                return
            self._polled_at = now
            horizon = self._horizon
        changed, new_horizon = _changed_since(horizon)
        with self._lock:
            self._horizon = new_horizon
            self._polls += 1
            if horizon is None:  # the first poll tells of nothing that was changed before it
                self._by_domain.clear()
                self._by_id.clear()
            for tenant_id in changed:
                self._by_id.pop(tenant_id, None)
            if changed:
                for domain in [d for d, ref in self._by_domain.items() if ref is None or ref.id in changed]:
                    del self._by_domain[domain]


def _changed_since(horizon: int | None) -> tuple[set[UUID], int]:
    """Return the tenants changed by transactions from `horizon` on, and the next horizon."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint,"
            " ARRAY(SELECT id FROM tenants_tenant WHERE changed_xid >= %s)",
            [horizon if horizon is not None else 2**62],
        )
        ((new_horizon, changed),) = cursor.fetchall()
    return set(changed), int(new_horizon)


_directory = Directory()


def forget() -> None:
    """Drop what this process knows of tenants."""
    _directory.forget()


def get_ref(tenant_id: UUID) -> TenantRef | None:
    """Return the tenant with this id, whatever its state, or None."""
    with enter_platform():
        return _directory.by_id(tenant_id)


def find_by_host(host: str) -> TenantRef | None:
    """Return the tenant whose address `host` is (no port), or None."""
    host = host.lower().rstrip(".")
    suffix = f".{settings.PUBLIC_HOST}"
    label = host.removesuffix(suffix)
    below_ours = host.endswith(suffix)
    if below_ours == ("." in label):  # a label below the platform's host, or a whole host name elsewhere
        return None
    with enter_platform():
        return _directory.at_domain(label)


def address_of(slug: str) -> str:
    """Return the origin of a tenant's own address, for example http://acme-corp.localhost:8000."""
    return f"{settings.PUBLIC_SCHEME}://{slug}.{settings.PUBLIC_NETLOC}"
