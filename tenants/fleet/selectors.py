"""What the console and commands show of the ledger."""

from uuid import UUID

from django.db import connection
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from tenants.fleet.engine import LOCK_ID
from tenants.fleet.models import Run, TenantRecord
from tenants.models import Tenant

_COUNTS = {
    f"{status}_count": Count("records", filter=Q(records__status=status)) for status in TenantRecord.Status.values
}


def list_runs(*, limit: int = 50) -> list[Run]:
    """Return the newest runs, each with `done_count`, `failed_count` and so on for every status of a tenant's line.

    A run whose process is gone shows as interrupted, also before the next run writes that down.
    """
    return [_as_it_is(run, alive=alive) for alive in [is_run_under_way()] for run in _counted()[:limit]]


def get_run(run_id: UUID) -> Run | None:
    """Return one run with its counts, or None."""
    run = _counted().filter(pk=run_id).first()
    return _as_it_is(run, alive=is_run_under_way()) if run else None


def list_tenant_records(run: Run, *, status: str = "") -> QuerySet[TenantRecord]:
    """Return a run's lines, canaries first; with `status` only those."""
    records = TenantRecord.objects.filter(run=run)
    return records.filter(status=status) if status else records


def count_living_by_last_record() -> dict[str, int]:
    """Return how many living tenants have which status on their newest line; "" for those that no run ever touched."""
    newest = TenantRecord.objects.filter(tenant_id=OuterRef("pk")).order_by("-id").values("status")[:1]
    living = Tenant.objects.exclude(status__in=Tenant.GONE).annotate(last=Coalesce(Subquery(newest), Value("")))
    return dict(living.values_list("last").annotate(Count("id")).order_by())


def is_run_under_way() -> bool:
    """Say whether a process holds the fleet's lock now."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
            " AND (classid::bigint << 32) + objid::bigint = %s"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))",
            [LOCK_ID],
        )
        ((alive,),) = cursor.fetchall()
    return bool(alive)


def _counted() -> QuerySet[Run]:
    return Run.objects.annotate(**_COUNTS)


def _as_it_is(run: Run, *, alive: bool) -> Run:
    if run.status == Run.Status.RUNNING and not alive:
        run.status = Run.Status.INTERRUPTED
    return run
