"""Entry point of workers and scheduler: `celery -A plexica worker -Q default|operations`, `celery -A plexica beat`."""

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "plexica.settings")

app = Celery("plexica", task_cls="core.tasks:TenantTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def use_django_logging(**_: Any) -> None:
    """Keep Celery from replacing the handlers that settings made."""
