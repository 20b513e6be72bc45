"""manage.py fleet_status"""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from rich.console import Console
from rich.table import Table

from core.commands import TeachingCommand
from tenants.fleet.status import FleetStatus, GroupStatus, read_status
from tenants.schemas.repair import repair_script

DESCRIPTION = """\
Says how many tenants stand at which migrations, where a tenant's schema differs from the template (columns, types,
defaults, indexes, constraints, sequences, owners, rights), and what belongs to nobody. Changes nothing.
"""
EPILOG = """\
examples
  manage.py fleet_status                     a table
  manage.py fleet_status --json              one object for scripts
  manage.py fleet_status --repair            SQL that takes the drift away: read it, then give it to psql
      manage.py fleet_status --repair > repair.sql
      psql --set ON_ERROR_STOP=1 "$PLEXICA_DATABASE_ADMIN_URL" < repair.sql

exit codes
  0  everybody is up to date and as the template      1  somebody is behind, something drifted or is nobody's
"""
SHOWN = 20


class Command(TeachingCommand):
    help = DESCRIPTION
    epilog = EPILOG

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--repair", action="store_true", help="print SQL that takes the drift away; do not run it")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        status = read_status()
        if options["repair"]:
            self.stdout.write(repair_script(status.drift))
            return
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(status)))
        else:
            self._show(status)
        if not status.ok:
            raise CommandError("The fleet is not as it should be.", returncode=1)

    def _show(self, status: FleetStatus) -> None:
        table = Table("tenants", "migrations", "which")
        for group in status.groups:
            table.add_row(str(len(group.tenants)), _state(group), _some([ref.slug for ref in group.tenants], 3))
        console = Console(file=getattr(self.stdout, "_out", None))
        console.print(table)
        if status.not_compared:
            self.stdout.write(f"{status.not_compared} tenants have other migrations than the template: not compared.")
        for difference in status.drift[:SHOWN]:
            self.stdout.write(f"drift  {difference.tenant.slug}: {difference}")
        if len(status.drift) > SHOWN:
            self.stdout.write(f"drift  and {len(status.drift) - SHOWN} more; --json has all")
        for what, names in (
            ("schemas without a tenant", status.schemas_without_tenant),
            ("roles without a tenant", status.roles_without_tenant),
            ("tenants without a schema", status.tenants_without_schema),
        ):
            if names:
                self.stdout.write(f"{what}: {_some(list(names), SHOWN)}")
        if status.ok:
            self.stdout.write("Everybody is up to date, and every schema is as the template.")


def _state(group: GroupStatus) -> str:
    if group.missing:
        return f"{len(group.missing)} missing: {_some(list(group.missing), 3)}"
    return f"ahead of this code: {_some(list(group.unknown), 3)}" if group.unknown else "up to date"


def _some(names: list[str], most: int) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _as_json(status: FleetStatus) -> dict[str, Any]:
    return {
        "ok": status.ok,
        "groups": [
            {"tenants": [ref.slug for ref in group.tenants], "missing": group.missing, "unknown": group.unknown}
            for group in status.groups
        ],
        "drift": [difference.as_json() for difference in status.drift],
        "not_compared": status.not_compared,
        "schemas_without_tenant": status.schemas_without_tenant,
        "roles_without_tenant": status.roles_without_tenant,
        "tenants_without_schema": status.tenants_without_schema,
    }
