from argparse import ArgumentParser
from typing import Any

from core.commands import TeachingCommand
from core.health.alive import AliveFile, until_ended
from events.relay import Relay
from events.subscribing import subscribers


class Command(TeachingCommand):
    help = """\
Moves committed events from the outbox to the bus until it is ended.

Several may run: each serves the shards that no other has, and takes over those of one that dies. Needs the operations
login, which must lead straight to PostgreSQL.
"""
    epilog = """\
examples
  manage.py relay_events
  manage.py relay_events --alive-file /tmp/relay      for a liveness probe: the file is younger than some seconds

SIGTERM and Ctrl-C end it when the batch under way is sent. `manage.py events_status` says how it goes.
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--alive-file", metavar="PATH", help="touched every second while it works")

    def handle(self, *args: Any, alive_file: str | None, **options: Any) -> None:
        until = until_ended(AliveFile(alive_file))
        self.stdout.write("relaying events")
        self.stdout.flush()
        Relay(subscribers=lambda: sorted(subscribers())).run(until=until)
