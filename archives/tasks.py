"""Celery tasks of the operations worker; they only call services."""

from celery import shared_task

from archives.services import exports


@shared_task
def remove_old_archives() -> None:
    """Remove archives whose time is over."""
    exports.remove_old_archives()
