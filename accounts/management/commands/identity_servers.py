"""manage.py identity_servers"""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from rich.console import Console
from rich.table import Table

from accounts.identity.keycloak.health import Finding, look_at_servers
from core.commands import TeachingCommand

DESCRIPTION = """\
Says of each Keycloak of PLEXICA_KEYCLOAK_SERVERS whether it answers, and how many realms it has and takes.
Changes nothing.
"""
EPILOG = """\
examples
  manage.py identity_servers             a table
  manage.py identity_servers --json      for a monitor

exit codes
  0  all answer, or the settings name none      1  one does not
"""


class Command(TeachingCommand):
    help = DESCRIPTION
    epilog = EPILOG

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        found = look_at_servers()
        if options["json"]:
            self.stdout.write(json.dumps({finding.load.server.name: _as_json(finding) for finding in found}))
        elif found:
            table = Table("server", "address", "answers", "realms", "capacity")
            for finding in found:
                answers = f"{finding.latency_ms:g} ms" if finding.answers else "no"
                load = finding.load
                table.add_row(load.server.name, load.server.url, answers, str(load.realms), str(load.server.capacity))
            Console(file=getattr(self.stdout, "_out", None)).print(table)
        else:
            self.stdout.write("The settings name no Keycloak: the built-in issuer signs everybody in.")
        if not all(finding.answers for finding in found):
            raise CommandError("Not every server answers.", returncode=1)


def _as_json(finding: Finding) -> dict[str, Any]:
    load = finding.load
    return {
        "url": load.server.url,
        "answers": finding.answers,
        "latency_ms": finding.latency_ms,
        "realms": load.realms,
        "capacity": load.server.capacity,
    }
