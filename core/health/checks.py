"""Checks of the parts that every installation has. A check returns nothing, or raises what is wrong."""

from typing import Any

from django.conf import settings
from django.db import connection
from kombu import Connection
from redis import Redis

TIMEOUT_S = 2


def database() -> None:
    """PostgreSQL answers."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def cache() -> None:
    """Valkey answers; without it pages and tokens still work, only slower."""
    location: Any = settings.CACHES["default"]["LOCATION"]
    with Redis.from_url(location, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S) as client:
        client.ping()


def broker() -> None:
    """Celery's broker answers."""
    with Connection(settings.CELERY_BROKER_URL, connect_timeout=TIMEOUT_S) as broker_connection:
        broker_connection.ensure_connection(max_retries=1, timeout=TIMEOUT_S)
