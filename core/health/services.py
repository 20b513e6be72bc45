import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog
from django.conf import settings
from django.db import connections
from django.utils.module_loading import import_string

log = structlog.get_logger(__name__)
TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: the part's name, whether it answers, and how long that took."""

    name: str
    ok: bool
    latency_ms: float


def check_all() -> list[Finding]:
    """Run `settings.HEALTH_CHECKS` side by side, each for at most five seconds."""
    with ThreadPoolExecutor(max_workers=len(settings.HEALTH_CHECKS)) as threads:
        return list(threads.map(_check, settings.HEALTH_CHECKS))


def _check(path: str) -> Finding:
    name = path.rpartition(".")[2]
    begin = time.perf_counter()
    try:
        import_string(path)()
        ok = True
    except Exception as error:  # noqa: BLE001 - whatever is wrong, the answer is "no"; the log says what
        log.warning("health_check_failed", part=name, error=str(error))
        ok = False
    finally:
        connections.close_all()
    return Finding(name, ok, round((time.perf_counter() - begin) * 1000, 1))
