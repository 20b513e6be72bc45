"""What the console and commands show of the ledger."""

from uuid import UUID

from django.db import connection
from django.db.models import Count, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from tenants.fleet.engine import LOCK_ID
from tenants.fleet.models import Run, TenantRecord
from tenants.models import Tenant


def list_runs(*, limit: int = 50) -> list[Run]:
    """Return the newest runs; `counts` says of each how many of its lines have which status.

    A run whose process is gone shows as interrupted, also before the next run writes that down.
    """
    return _as_they_are(list(Run.objects.all()[:limit]))


def get_run(run_id: UUID) -> Run | None:
    """Return one run with its counts, or None."""
    runs = _as_they_are(list(Run.objects.filter(pk=run_id)))
    return runs[0] if runs else None


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


def _as_they_are(runs: list[Run]) -> list[Run]:
    """Count the lines of runs that did not end by themselves, and mark those whose process is gone."""
    counted: dict[UUID, dict[str, int]] = {run.pk: {} for run in runs if run.counts is None}
    if not counted:
        return runs
    lines = TenantRecord.objects.filter(run__in=counted).order_by()
    for run_id, status, count in lines.values_list("run", "status").annotate(Count("id")):
        counted[run_id][status] = count
    alive = is_run_under_way()
    for run in runs:
        if run.pk in counted:
            run.counts = counted[run.pk]
            run.status = run.status if alive or run.status != Run.Status.RUNNING else Run.Status.INTERRUPTED
    return runs
