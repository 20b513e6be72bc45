import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError
from django.core.serializers.json import DjangoJSONEncoder
from rich.console import Console
from rich.table import Table

from core.commands import TeachingCommand
from events.selectors import EventsStatus, SubscriberStatus, events_status
from events.watching import troubles_of
from events.webhooks.queue.selectors import WebhooksStatus, webhooks_status
from events.webhooks.watching import troubles_of_webhooks


class Command(TeachingCommand):
    help = """\
Says how the delivery of events goes: what waits in the outbox, who relays, and for each subscriber how far behind it is,
what is parked and what has failed. Then the same of webhooks, over all tenants.
"""
    epilog = """\
examples
  manage.py events_status             a table
  manage.py events_status --json      for a monitor

exit codes
  0  events and webhooks flow, and no event has failed      1  somebody has to do something; what, is said at the end
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        status, webhooks = events_status(), webhooks_status()
        troubles = [*troubles_of(status), *troubles_of_webhooks(webhooks)]
        if options["json"]:
            totals = {"parked": status.parked, "failed": status.failed, "oldest_s": status.oldest_s}
            said = {"ok": not troubles, **asdict(status), **totals, "webhooks": asdict(webhooks)}
            said["troubles"] = [asdict(line) for line in troubles]
            self.stdout.write(json.dumps(said, cls=DjangoJSONEncoder))
        else:
            console = Console(file=getattr(self.stdout, "_out", None))
            _show(status, console)
            _show_webhooks(webhooks, console)
        if troubles:
            raise CommandError("; ".join(f"{line.says} ({line.remedy})" for line in troubles), returncode=1)


def _show(status: EventsStatus, console: Console) -> None:
    relayed = f"{status.relayed_shards} of {status.shards} shards relayed"
    console.print(f"{relayed}, {status.unsent} unsent, the oldest event waits {status.oldest_s:.1f} s")
    table = Table("subscriber", "consumed", "lag", "waiting", "parked", "failed")
    for one in status.subscribers:
        waiting = "?" if one.waiting is None else str(one.waiting)
        table.add_row(one.name, _said(one), f"{one.lag_s:.1f} s", waiting, str(one.parked), str(one.failed))
    if status.subscribers:
        console.print(table)
    else:
        console.print("nobody subscribes to anything")


def _show_webhooks(status: WebhooksStatus, console: Console) -> None:
    table = Table("webhooks", "waiting", "oldest", "overdue", "held", "failing", "disabled")
    counts = [str(count) for count in (status.held, status.failing, status.disabled)]
    table.add_row("all tenants", str(status.waiting), f"{status.oldest_s:.0f} s", f"{status.overdue_s:.0f} s", *counts)
    console.print(table)
    attempts = ", ".join(f"{count} {result}" for result, count in status.attempts.items())
    console.print(f"attempts: {attempts or 'none yet'}")


def _said(one: SubscriberStatus) -> str:
    if not one.is_known:
        return "no such subscriber any more"
    return "yes" if one.is_consumed else "no"
