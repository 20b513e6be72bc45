"""manage.py check_migrations"""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from core.commands import TeachingCommand
from tenants.fleet.released import RELEASED, find_new_hazards, write_released

DESCRIPTION = """\
Names migrations, not released yet, that lock tables for long or break the code that still runs while they run: removed
or renamed columns and tables, NOT NULL without a default of the database, indexes without CONCURRENTLY, other types.
Needs no database. Part of bin/check; `migrate_fleet --plan` shows the same for what would run.
"""
EPILOG = """\
examples
  manage.py check_migrations                what is new and dangerous
  manage.py check_migrations --release      what there is has been released: written down

Say that you know in the migration itself:

  class Migration(migrations.Migration):
      accepted_downtime = "the table has a dozen rows, and no released code writes to it"

With a release, `--release` writes every migration into plexica/released_migrations.txt: those are history.

exit codes
  0  nothing new is dangerous, or its author knows      1  something is
"""


class Command(TeachingCommand):
    help = DESCRIPTION
    epilog = EPILOG

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--release", action="store_true", help=f"write all migrations into {RELEASED.name}")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["release"]:
            self.stdout.write(f"{write_released()} migrations are in {RELEASED.name}.")
            return
        hazards = find_new_hazards()
        unknown = [hazard for hazard in hazards if not hazard.accepted]
        if options["json"]:
            self.stdout.write(json.dumps({"ok": not unknown, "hazards": [hazard.as_json() for hazard in hazards]}))
        else:
            for hazard in hazards:
                self.stdout.write(str(hazard))
        if unknown:
            raise CommandError(f"{len(unknown)} new operations would disturb tenants that are in use.")
