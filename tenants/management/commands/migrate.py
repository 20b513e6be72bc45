"""manage.py migrate"""

from typing import Any

from django.core.checks import Tags
from django.core.management.base import CommandError, CommandParser
from django.core.management.commands.migrate import Command as MigrateCommand
from django.db import connections

from core.tenancy.router import platform_labels
from tenants.schemas.grants import apply_public_grants
from tenants.schemas.making import OPS
from tenants.schemas.template import update_template
from tenants.services.partitions import keep_platform_partitions_ahead


class Command(MigrateCommand):
    help = (
        "Migrates the platform's tables over the operations login, applies the grants in public, and brings the template"
        " that new tenants are made from up to date. Tenants' schemas are migrated by `migrate_fleet`."
    )

    requires_system_checks: list[str] = [Tags.models, Tags.database]  # the others load every page

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database=OPS)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["database"] != OPS or OPS not in connections:
            raise CommandError("migrate runs over the operations login: set PLEXICA_DATABASE_OPS_URL.")
        for label in self._labels(options["app_label"]):
            super().handle(*args, **{**options, "app_label": label})
        if options.get("check_unapplied") or options.get("plan"):
            return
        apply_public_grants()
        keep_platform_partitions_ahead()
        template = update_template()
        self.stdout.write(f"Template of tenants' schemas: {template.table_count} tables.")

    def _labels(self, wanted: str | None) -> list[str]:
        """Name the apps one by one: left to itself, Django records other apps' migrations as applied in public."""
        if wanted is None:
            return sorted(platform_labels())
        if wanted not in platform_labels():
            raise CommandError(f"{wanted} has no tables in public. Tenants' schemas are migrated by migrate_fleet.")
        return [wanted]
