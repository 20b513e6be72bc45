"""Looks at an installation for `manage.py doctor`: what is there, what is missing, and what to do about it."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from django.conf import settings
from django.core import checks
from django.core.mail import get_connection
from django.utils.module_loading import import_string
from kombu.exceptions import OperationalError as BrokerError
from redis import Redis
from redis.exceptions import RedisError

from core.celery import app
from core.health.services import check_all

LEAST_DISK_BYTES = 500 * 1024**2
QUEUES = ("default", "operations")
PING_S = 2.0


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was looked at. `remedy` says what to do unless it is ok."""

    level: Literal["ok", "warn", "fail"]
    part: str
    says: str
    remedy: str = ""


def examine() -> Iterator[Line]:
    """Run `settings.DOCTOR_CHECKS` one after the other; one that breaks is a failure of its own."""
    for path in settings.DOCTOR_CHECKS:
        try:
            check: Callable[[], Iterator[Line]] = import_string(path)
            yield from check()
        except Exception as error:  # noqa: BLE001 - the others must still be looked at
            name = path.rpartition(".")[2].replace("_", " ")
            yield Line(
                "fail", name, f"{type(error).__name__}: {str(error).strip()}", "mend what is named above it first"
            )


def settings_are_safe() -> Iterator[Line]:
    """Django's `check --deploy`; development may be less strict, production may not."""
    found = [one for one in checks.run_checks(include_deployment_checks=True) if one.level >= checks.WARNING]
    in_production = not settings.DEVELOPMENT
    for one in found:
        bad = in_production or one.level >= checks.ERROR
        yield Line("fail" if bad else "warn", "settings", f"{one.id}: {one.msg}", one.hint or "see check --deploy")
    if not found:
        yield Line("ok", "settings", "check --deploy finds nothing")
    if settings.DEVELOPMENT:
        yield Line("warn", "settings", "PLEXICA_ENV is development", "set PLEXICA_ENV=production where people work")


def parts_answer() -> Iterator[Line]:
    """The checks behind /health/ready, object storage among them."""
    for finding in check_all():
        level: Literal["ok", "fail"] = "ok" if finding.ok else "fail"
        says = f"answers in {finding.latency_ms:g} ms" if finding.ok else "does not answer"
        yield Line(level, finding.name.replace("_", " "), says, "" if finding.ok else "start it, or mend its address")


def valkey() -> Iterator[Line]:
    """Version of the cache's server, and whether the broker's may throw messages away."""
    location: Any = settings.CACHES["default"]["LOCATION"]
    for part, url in (("cache", location), ("broker", settings.CELERY_BROKER_URL)):
        try:
            with Redis.from_url(url, socket_timeout=PING_S, socket_connect_timeout=PING_S) as client:
                info: dict[str, Any] = client.info()
        except RedisError:
            continue  # `parts_answer` says it
        version = str(info.get("valkey_version") or info["redis_version"])
        old = int(version.split(".", maxsplit=1)[0]) < 7
        yield Line("fail" if old else "ok", part, f"version {version}", "version 7 or newer is needed" if old else "")
        policy = info.get("maxmemory_policy", "noeviction")
        if part == "broker" and policy != "noeviction" and info.get("maxmemory"):
            yield Line("warn", part, f"throws messages away when full ({policy})", "set maxmemory-policy noeviction")


def workers() -> Iterator[Line]:
    """Whether somebody serves each queue."""
    try:
        answers = app.control.inspect(timeout=PING_S).active_queues() or {}
    except (BrokerError, OSError) as error:
        yield Line("fail", "workers", f"could not be asked: {error}", "mend the broker first")
        return
    served = {queue["name"]: worker for worker, queues in answers.items() for queue in queues}
    for queue in QUEUES:
        if queue in served:
            yield Line("ok", "workers", f"{served[queue]} serves {queue}")
        else:
            remedy = f"start: celery -A plexica worker -Q {queue}"
            yield Line("fail", "workers", f"nobody serves the queue {queue}", remedy)


def mail() -> Iterator[Line]:
    """A folder that can be written and has room, or a server that answers."""
    folder = getattr(settings, "EMAIL_FILE_PATH", None)
    if folder:
        yield _folder(Path(folder))
        return
    try:
        connection: Any = get_connection(timeout=5)
        connection.open()
        connection.close()
    except OSError as error:
        yield Line("fail", "mail", f"{settings.EMAIL_HOST} does not take mail: {error}", "mend PLEXICA_EMAIL_URL")
    else:
        yield Line("ok", "mail", f"{settings.EMAIL_HOST or 'the mail server'} answers")


def _folder(folder: Path) -> Line:
    there = next((path for path in (folder, *folder.parents) if path.exists()), folder)
    if not os.access(there, os.W_OK):
        return Line("fail", "mail", f"{folder} cannot be written", "mend PLEXICA_MAIL_DIR or the folder's owner")
    free = shutil.disk_usage(there).free
    says = f"{folder} has {free // 1024**2} MB left"
    return Line("ok", "mail", says) if free >= LEAST_DISK_BYTES else Line("warn", "mail", says, "free some space")
