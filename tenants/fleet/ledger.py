"""Writes the ledger, over the operations login; `tenants.fleet.running` writes what belongs into a tenant's transaction."""

import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import connections, transaction
from django.db.models import Count
from django.utils import timezone

from core.tenancy import TenantRef
from tenants.fleet.models import Run, TenantRecord
from tenants.schemas.making import OPS

WAITING = TenantRecord.Status.WAITING
# one statement with four arrays: the ORM would write a parameter for each value of each of some thousand rows
_ADD_RECORDS = """
    INSERT INTO fleet_tenantrecord (id, run_id, tenant_id, slug, status, is_canary, migrations, attempts, error,
                                    reached_migration, reached_statement, reached_digest)
    SELECT r.id, n.run_id, r.tenant_id, r.slug, 'waiting', r.is_canary, n.migrations, 0, '', '', 0, ''
    FROM (SELECT %s::jsonb AS migrations, %s::uuid AS run_id) n,
         unnest(%s::uuid[], %s::uuid[], %s::text[], %s::bool[]) AS r (id, tenant_id, slug, is_canary)
"""


@transaction.atomic(using=OPS)
def close_interrupted_runs() -> int:
    """Say of runs whose process is gone that they were interrupted; call it with the lock held. Return how many."""
    runs = Run.objects.using(OPS).filter(status=Run.Status.RUNNING)
    left = TenantRecord.objects.using(OPS).filter(run__in=runs, status=WAITING)
    left.update(status=TenantRecord.Status.UNREACHED)
    return runs.update(status=Run.Status.INTERRUPTED, finished_at=timezone.now())


def open_run(*, started_by: str, options: dict[str, Any], migrations_hash: str) -> Run:
    """Write a run that begins now."""
    return Run.objects.using(OPS).create(started_by=started_by[:200], options=options, migrations_hash=migrations_hash)


def add_records(run: Run, refs: Iterable[TenantRef], names: list[str], *, canary: set[UUID]) -> list[TenantRecord]:
    """Write one line for each tenant that will be migrated."""
    records = [
        TenantRecord(run_id=run.pk, tenant_id=ref.id, slug=ref.slug, migrations=names, is_canary=ref.id in canary)
        for ref in refs
    ]
    with connections[OPS].cursor() as cursor:
        cursor.execute(_ADD_RECORDS, [json.dumps(names), run.pk, *_columns(records)])
    return records


def _columns(records: list[TenantRecord]) -> list[list[Any]]:
    return [[getattr(record, name) for record in records] for name in ("id", "tenant_id", "slug", "is_canary")]


def end_record(record: TenantRecord, status: TenantRecord.Status, *, error: str = "") -> None:
    """Write how it ended for a tenant that was not migrated."""
    record.status, record.error, record.finished_at = status, error, timezone.now()
    values = {name: getattr(record, name) for name in ("status", "error", "started_at", "finished_at", "attempts")}
    TenantRecord.objects.using(OPS).filter(pk=record.pk).update(**values)


@transaction.atomic(using=OPS)
def close_run(run: Run, status: Run.Status, *, reason: str = "") -> None:
    """Write how the run ended; whoever still waits was not reached."""
    records = TenantRecord.objects.using(OPS).filter(run=run)
    counts = dict(records.order_by().values_list("status").annotate(Count("id")))
    if waiting := counts.pop(WAITING, 0):
        records.filter(status=WAITING).update(status=TenantRecord.Status.UNREACHED)
        counts[TenantRecord.Status.UNREACHED] = waiting
    run.counts, run.status, run.reason, run.finished_at = counts, status, reason, timezone.now()
    run.save(using=OPS, update_fields=["counts", "status", "reason", "finished_at"])


def last_failed_tenants() -> set[UUID]:
    """Return the tenants whose newest line says that they failed, were busy, or were not reached."""
    newest = TenantRecord.objects.using(OPS).order_by("tenant_id", "-id").distinct("tenant_id")
    again = {TenantRecord.Status.FAILED, TenantRecord.Status.BUSY, TenantRecord.Status.UNREACHED}
    return {tenant_id for tenant_id, status in newest.values_list("tenant_id", "status") if status in again}
