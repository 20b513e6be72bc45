"""The Celery app: tasks are made from it, and messages sent over it.

Only who makes or sends tasks imports it: Celery takes a tenth of the start of a process that needs none.
"""

from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_init
from django.db import connections
from django_structlog.celery.receivers import CeleryReceiver

app = Celery("plexica", task_cls="core.tasks:TenantTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

receiver = CeleryReceiver()  # kept: signals forget receivers that nobody holds
receiver.connect_signals()  # messages carry the ids of the request that sent them


@setup_logging.connect
def use_django_logging(**_: Any) -> None:
    """Keep Celery from replacing the handlers and levels that settings made."""


@worker_init.connect
def close_connections(**_: Any) -> None:
    """Let no child inherit what its worker has open in the database."""
    wrappers: Any = connections.all(initialized_only=True)
    for wrapper in wrappers:
        wrapper.close()
        wrapper.close_pool()
