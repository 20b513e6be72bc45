"""Structured logs with request, tenant and user ids, and no personal data."""

import logging
import re
from typing import Any, Literal

import structlog
from pydantic import Field

from plexica.settings.environment import Environment, load


class Logs(Environment):
    log_format: Literal["json", "console"] = Field("json", description="json for machines, console for people")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="What is worth a line")


_logs = load(Logs)

_SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
_RENDERER = (
    structlog.processors.JSONRenderer() if _logs.log_format == "json" else structlog.dev.ConsoleRenderer(colors=False)
)

_ROW_VALUES = re.compile(r"^(DETAIL|CONTEXT): .*$", re.MULTILINE)


def _without_row_values(logger: Any, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Leave out what PostgreSQL's errors quote from rows: `DETAIL: Key (email)=(...) already exists.`"""
    for name in ("event", "error", "exception"):
        if isinstance(text := event.get(name), str) and "\n" in text:
            event[name] = _ROW_VALUES.sub(r"\1: (left out)", text)
    return event


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "structured": {
            "()": structlog.stdlib.ProcessorFormatter,
            "foreign_pre_chain": _SHARED,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _without_row_values,
                _RENDERER,
            ],
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "structured"}},
    "root": {"handlers": ["console"], "level": _logs.log_level},
    "loggers": {
        "django.request": {"level": "ERROR"},
        "django.server": {"level": "WARNING"},
        "celery": {"level": "WARNING"},
        "botocore": {"level": "WARNING"},
        "psycopg.pool": {"level": "ERROR"},
        "oauth2_provider": {"level": "WARNING"},
    },
}
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = logging.DEBUG  # one line for each request: the one that says how it ended
DJANGO_STRUCTLOG_USER_ID_FIELD = "pk"
DJANGO_STRUCTLOG_CELERY_ENABLED = False  # core.celery does it: it would load Celery in every process
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False

structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,  # first: what is not worth a line costs nothing more
        *_SHARED,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)
