"""Celery tasks of the operations worker; they only call services."""

from archives.services import exports
from core.celery import app


@app.task
def remove_old_archives() -> None:
    """Remove archives whose time is over."""
    exports.remove_old_archives()
