from argparse import ArgumentParser
from typing import Any

from core.commands import TeachingCommand, whole_number
from core.health.alive import AliveFile, until_ended
from events.webhooks.sending import THREADS, Sender


class Command(TeachingCommand):
    help = """\
Sends what tenants' webhooks wait for until it is ended; calls under way are finished then.

Several may run: each takes webhooks that no other has, and takes over those of one that dies.
"""
    epilog = """\
examples
  manage.py send_webhooks
  manage.py send_webhooks --threads 32                  where receivers answer slowly
  manage.py send_webhooks --alive-file /tmp/sender      for a liveness probe: the file is younger than some seconds

SIGTERM and Ctrl-C end it. `manage.py events_status` says how it goes.
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--threads",
            type=whole_number(least=1, most=1000),
            default=THREADS,
            metavar="N",
            help="calls at the same time (default: %(default)s)",
        )
        parser.add_argument("--alive-file", metavar="PATH", help="touched every second while it works")

    def handle(self, *args: Any, threads: int, alive_file: str | None, **options: Any) -> None:
        until = until_ended(AliveFile(alive_file))
        self.stdout.write("sending webhooks")
        self.stdout.flush()
        Sender(threads=threads).run(until=until)
