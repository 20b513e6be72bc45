"""Entry point of workers and scheduler: `celery -A plexica worker -Q default|operations`, `celery -A plexica beat`."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "plexica.settings")  # before the app: Celery looks for it then

from core.celery import app

__all__ = ["app"]
