import time
from concurrent.futures import ThreadPoolExecutor, wait
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
    threads = ThreadPoolExecutor(max_workers=len(settings.HEALTH_CHECKS))
    running = {path: threads.submit(_check, path) for path in settings.HEALTH_CHECKS}
    wait(running.values(), timeout=TIMEOUT_S)
    threads.shutdown(wait=False)  # who does not answer in time may end later, unheard
    return [check.result() if check.done() else _too_late(path) for path, check in running.items()]


def _too_late(path: str) -> Finding:
    log.warning("health_check_failed", part=_name_of(path), error=f"no answer within {TIMEOUT_S:g} s")
    return Finding(_name_of(path), ok=False, latency_ms=TIMEOUT_S * 1000)


def _name_of(path: str) -> str:
    return path.rpartition(".")[2]


def _check(path: str) -> Finding:
    name = _name_of(path)
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
