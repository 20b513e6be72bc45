"""Celery tasks of the operations worker; they only call services."""

from uuid import UUID

from celery import shared_task

from tenants.services import failed, partitions, work


@shared_task
def run_operation(operation_id: str) -> None:
    """Carry out one operation if it is still due."""
    work.run_operation(UUID(operation_id))


@shared_task
def run_due_operations() -> None:
    """Carry out every operation that is due: those whose hint was lost, whose worker died, whose next try has come."""
    work.run_due_operations()


@shared_task
def keep_partitions_ahead() -> None:
    """Make the partitions of the coming days and months, of the platform and of every tenant."""
    partitions.keep_platform_partitions_ahead()
    partitions.keep_tenant_partitions_ahead()


@shared_task
def forget_people_of_failed_tenants() -> None:
    """Remove names and addresses from what is kept of tenants that were never set up."""
    failed.forget_people_of_failed_tenants()
