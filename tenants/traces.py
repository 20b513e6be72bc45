"""What remembers a tenant outside of its schema, in this room and below: removed and counted when the tenant is deleted."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

from django.core.cache import caches
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _
from django_redis import get_redis_connection
from redis.exceptions import RedisError

from core.errors import Unavailable
from core.idempotency.models import IdempotencyKey
from core.tenancy.cache import pattern_of
from events.outbox.models import FailedMessage, OutboxMessage, ParkedMessage
from events.webhooks.queue.models import QueuedWebhook
from tenants.fleet.models import TenantRecord
from tenants.models import Operation, OperationStep, Tenant
from tenants.removal import TenantTrace
from tenants.schemas.making import OPS


class Messages(TenantTrace):
    """Events on their way out, kept for replay, parked or failed; what announces the deletion is written at its very end.

    What the bus still carries is dropped on arrival.
    """

    key = "messages"
    label = _("Events waiting or kept")

    def count(self, tenant: Tenant) -> int:
        return sum(rows.count() for rows in self._of(tenant))

    def remove(self, tenant: Tenant) -> None:
        for rows in self._of(tenant):
            rows.delete()

    def _of(self, tenant: Tenant) -> list[QuerySet[Any]]:
        kinds: list[type[Any]] = [OutboxMessage, ParkedMessage, FailedMessage]
        return [kind.objects.using(OPS).filter(tenant_id=tenant.pk) for kind in kinds]  # nobody else may delete them


class QueuedWebhooks(TenantTrace):
    """Webhooks that have something to send."""

    key = "queued_webhooks"
    label = _("Webhooks waiting to be sent")

    def count(self, tenant: Tenant) -> int:
        return self._of(tenant).count()

    def remove(self, tenant: Tenant) -> None:
        self._of(tenant).delete()

    def _of(self, tenant: Tenant) -> QuerySet[QueuedWebhook]:
        return QueuedWebhook.objects.filter(tenant_id=tenant.pk)


class RememberedCalls(TenantTrace):
    """Answers that are kept for repeated API calls."""

    key = "remembered_calls"
    label = _("Answers kept for repeated calls")

    def count(self, tenant: Tenant) -> int:
        return self._of(tenant).count()

    def remove(self, tenant: Tenant) -> None:
        self._of(tenant).delete()

    def _of(self, tenant: Tenant) -> QuerySet[IdempotencyKey]:
        operations = [str(key) for key in Operation.objects.filter(tenant=tenant).values_list("pk", flat=True)]
        below = Q(path__startswith=f"/api/v1/tenants/{tenant.slug}/")
        return IdempotencyKey.objects.filter(Q(location__in=operations) | below)


class PersonalData(TenantTrace):
    """The first admin's name and address, in the tenant's row, and whatever errors and steps said, of which rows too."""

    key = "personal_data"
    label = _("Names and addresses of people in records")

    def count(self, tenant: Tenant) -> int:
        kept = self._rows(tenant), self._steps(tenant), self._operations(tenant), self._runs(tenant)
        return sum(rows.count() for rows in kept)

    def remove(self, tenant: Tenant) -> None:
        self._rows(tenant).update(admin_name="", admin_email="")
        self._steps(tenant).update(detail="", error="")
        self._operations(tenant).update(error="")
        self._runs(tenant).update(error="")

    def _rows(self, tenant: Tenant) -> QuerySet[Tenant]:
        return Tenant.objects.filter(pk=tenant.pk).exclude(admin_name="", admin_email="")

    def _steps(self, tenant: Tenant) -> QuerySet[OperationStep]:
        earlier = OperationStep.objects.filter(operation__tenant=tenant).exclude(operation__kind=Operation.Kind.DELETE)
        return earlier.exclude(detail="", error="")

    def _operations(self, tenant: Tenant) -> QuerySet[Operation]:
        return Operation.objects.filter(tenant=tenant).exclude(status__in=Operation.ACTIVE).exclude(error="")

    def _runs(self, tenant: Tenant) -> QuerySet[TenantRecord]:
        """PostgreSQL's errors quote the values that a migration stopped at."""
        return TenantRecord.objects.using(OPS).filter(tenant_id=tenant.pk).exclude(error="")


class CacheEntries(TenantTrace):
    """Entries of the cache under the tenant's keys, sessions among them."""

    key = "cache_entries"
    label = _("Cache entries and cached sessions")

    def count(self, tenant: Tenant) -> int:
        with _valkey() as client:
            return sum(1 for _key in self._keys(client, tenant))

    def remove(self, tenant: Tenant) -> None:
        with _valkey() as client:
            keys = self._keys(client, tenant)
            while some := list(islice(keys, 1000)):
                client.unlink(*some)

    def _keys(self, client: Any, tenant: Tenant) -> Iterator[bytes]:
        keys: Iterator[bytes] = client.scan_iter(match=pattern_of(tenant.pk, caches["default"].key_prefix), count=5000)
        return keys


@contextmanager
def _valkey() -> Iterator[Any]:
    """Give the cache's server itself: Django's cache would take one that does not answer for an empty one."""
    try:
        yield get_redis_connection("default")
    except RedisError as error:
        raise Unavailable(part="cache") from error
