"""Celery tasks of the operations worker; they only call services."""

from uuid import UUID

from core.celery import app
from events import housekeeping
from events.subscribing import subscribers
from events.webhooks.housekeeping import clear_old_deliveries
from tenants.models import Tenant
from tenants.rounds import visit_tenants
from tenants.services import failed, partitions, work


@app.task
def run_operation(operation_id: str) -> None:
    """Carry out one operation if it is still due."""
    work.run_operation(UUID(operation_id))


@app.task
def run_due_operations() -> None:
    """Carry out every operation that is due: those whose hint was lost, whose worker died, whose next try has come."""
    work.run_due_operations()


@app.task
def keep_partitions_ahead() -> None:
    """Make the partitions of the coming days and months, of the platform and of every tenant."""
    partitions.keep_platform_partitions_ahead()
    partitions.keep_tenant_partitions_ahead()


@app.task
def clear_old_events() -> None:
    """Drop days of the outbox that nobody needs, forget subscribers that are gone, notes of what was handled, and
    webhooks' old deliveries.
    """
    known = [*subscribers()]
    housekeeping.drop_old_days(subscribers=known)
    housekeeping.forget_retired(subscribers=known)
    housekeeping.drop_answered()
    lowest = housekeeping.lowest_position()

    def clear(tenant: Tenant) -> None:
        housekeeping.clear_handled(below=lowest)
        clear_old_deliveries()

    visit_tenants(clear)


@app.task
def forget_people_of_failed_tenants() -> None:
    """Remove names and addresses from what is kept of tenants that were never set up."""
    failed.forget_people_of_failed_tenants()
