"""What `manage.py doctor` and Prometheus say of webhooks."""

from collections.abc import Iterator

from django.db import DatabaseError
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from core.health.doctor import Line
from events.webhooks.queue.selectors import WebhooksStatus, webhooks_status

PART = "webhooks"


def examine_webhooks() -> Iterator[Line]:
    """Whether somebody sends what waits."""
    status = webhooks_status()
    found = list(troubles_of_webhooks(status))
    says = f"{status.waiting} wait and none is overdue; {status.failing} addresses fail, {status.disabled} are disabled"
    yield from found or [Line("ok", PART, says)]


def troubles_of_webhooks(status: WebhooksStatus) -> Iterator[Line]:
    """Return what somebody should do something about; a receiver that fails is its tenant's business."""
    if not status.is_late:
        return
    if status.under_way:
        says = f"senders are {status.overdue_s:.0f} s behind"
        yield Line("warn", PART, says, "run another manage.py send_webhooks, or give it more --threads")
    else:
        says = f"nobody sends: one has been due for {status.overdue_s:.0f} s"
        yield Line("fail", PART, says, "start: manage.py send_webhooks")


class WebhookFigures(Collector):
    """Figures of all tenants' webhooks for Prometheus, read when they are asked for."""

    def collect(self) -> Iterator[Metric]:
        try:
            status = webhooks_status()
        except DatabaseError:  # the other figures must still come
            return
        for name, says, value in (
            ("waiting", "Deliveries that wait to be sent or tried again", status.waiting),
            ("oldest_seconds", "Age of the oldest of them", status.oldest_s),
            ("overdue_seconds", "For how long a webhook has been due that no sender has taken", status.overdue_s),
            ("under_way", "Webhooks that a sender is at", status.under_way),
            ("held", "Deliveries of disabled webhooks and stopped tenants", status.held),
            ("failing", "Webhooks whose last attempt failed", status.failing),
            ("disabled", "Webhooks to which nothing is sent", status.disabled),
        ):
            yield GaugeMetricFamily(f"plexica_webhooks_{name}", says, value=value)
        attempts = CounterMetricFamily("plexica_webhooks_attempts", "Calls of receivers, by result", labels=["result"])
        for result, count in status.attempts.items():
            attempts.add_metric([result], count)
        yield attempts

    def describe(self) -> Iterator[Metric]:
        """Tell no names before: collecting asks the database."""
        return iter(())
