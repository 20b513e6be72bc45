"""Keeps realms at Keycloak as open as their tenants are: a suspended tenant's signs nobody in.

tenant:  active ──suspend, delete──> stopped          one transaction; pages and API refuse from then on
realm:   open ─────────────────────> closed           follows at once, or when its server answers again

The tenant's row says what the realm should be and what it was made, so nothing depends on a message that gets lost.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import structlog
from django.db import connections
from django.db.models import Q, QuerySet

from accounts.identity import provider
from accounts.identity.keycloak.client import RealmMissing
from core.errors import Rejected, Unavailable
from tenants.models import Tenant
from tenants.schemas.making import OPS

STOPPED = (Tenant.Status.SUSPENDED, Tenant.Status.DELETING)
LOCK = 0x646F6F72  # first half of a lock's name, the second is the tenant's
log = structlog.get_logger(__name__)


def match_realms(tenant_id: UUID | None = None) -> int:
    """Open and close the realms that differ from their tenants, or one tenant's; return how many were changed.

    A server that does not answer is asked again the next time.
    """
    different = _different()
    return sum(map(_match, different.filter(pk=tenant_id) if tenant_id else different))


def _different() -> "QuerySet[Tenant]":
    too_open = Q(status__in=STOPPED, identity_open=True)
    too_closed = Q(status=Tenant.Status.ACTIVE, identity_open=False)
    return Tenant.objects.exclude(identity_server="").filter(too_open | too_closed)


def _match(tenant: Tenant) -> int:
    with _alone_with(tenant) as alone:
        changed = 0
        while alone and (now := _different().filter(pk=tenant.pk).first()):  # it may change again meanwhile
            if not _set(now):
                break
            changed = 1
    return changed


def _set(tenant: Tenant) -> bool:
    wanted = tenant.status == Tenant.Status.ACTIVE
    try:
        if wanted:
            provider().enable_realm(tenant.ref)
        else:
            provider().disable_realm(tenant.ref)
    except RealmMissing:
        if wanted:
            log.error("realm_missing", tenant=str(tenant.pk))
            return False  # and a deleted tenant's is gone, as it should be
    except (Unavailable, Rejected) as error:
        log.warning("realm_not_matched", tenant=str(tenant.pk), open=wanted, error=error.code)
        return False
    Tenant.objects.filter(pk=tenant.pk).update(identity_open=wanted)
    log.info("realm_matched", tenant=str(tenant.pk), open=wanted)
    return True


@contextmanager
def _alone_with(tenant: Tenant) -> Iterator[bool]:
    """Be the only process that changes this realm; False if another one is at it, which looks again before it ends."""
    key = [LOCK, int.from_bytes(tenant.pk.bytes[-4:], signed=True)]
    with connections[OPS].cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", key)
        row = cursor.fetchone()
    alone = bool(row and row[0])
    try:
        yield alone
    finally:
        if alone:
            with connections[OPS].cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", key)
