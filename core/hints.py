"""Messages that tell workers of rows with work in them."""

import structlog

log = structlog.get_logger(__name__)


def send_hint(task: str, *args: str, delay_s: float = 0.0) -> None:
    """Send a task by its name; call it after commit. Losing it costs seconds: a beat finds what is due."""
    from kombu.exceptions import OperationalError  # here: who sends nothing needs no Celery

    from core.celery import app

    try:
        app.send_task(task, args=args, countdown=delay_s)
    except OperationalError as error:
        log.warning("hint_lost", task=task, about=args, error=str(error))
