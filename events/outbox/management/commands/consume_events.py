from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.db import connections

from core.commands import TeachingCommand
from core.health.alive import AliveFile
from events.subscribing import subscribers
from events.supervising import Supervisor


class Command(TeachingCommand):
    help = """\
Hands events to their subscribers until it is ended, in one process for each subscriber.

Several may run: they share the tenants out among themselves, and take over those of one that dies.
"""
    epilog = """\
examples
  manage.py consume_events                                  every subscriber
  manage.py consume_events webhooks                         this one, on a machine of its own for example
  manage.py consume_events --alive-file /tmp/consumer       for a liveness probe: the file is younger than some seconds

SIGTERM and Ctrl-C end it. `manage.py events_status` names the subscribers and says how it goes.
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("subscriber", nargs="*", help="only these (default: all)")
        parser.add_argument("--alive-file", metavar="PATH", help="touched every second while it works")

    def handle(self, *args: Any, subscriber: list[str], alive_file: str | None, **options: Any) -> None:
        known = subscribers()
        if unknown := sorted(set(subscriber) - set(known)):
            raise CommandError(f"no subscriber is called {', '.join(unknown)}; there are: {', '.join(sorted(known))}")
        chosen = [known[name] for name in sorted(subscriber or known)]
        connections.close_all()  # children must not share one
        self.stdout.write(
            f"handing events to {', '.join(one.name for one in chosen) or 'nobody: there is no subscriber'}"
        )
        self.stdout.flush()
        Supervisor(chosen, alive=AliveFile(alive_file)).run()
