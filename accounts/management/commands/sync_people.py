"""manage.py sync_people"""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError

from accounts.people.sync import Synced, sync_people
from core.commands import TeachingCommand
from core.tenancy import enter
from tenants.models import Tenant
from tenants.rounds import visit_tenants
from tenants.selectors import get_tenant

DESCRIPTION = """\
Mirrors what realms say of people: names, addresses, who is disabled and who is gone. Without a slug, of every tenant.
A job does the same each hour. Safe to repeat.
"""
EPILOG = """\
examples
  manage.py sync_people                 every tenant, one after the other
  manage.py sync_people acme-corp       this one now
  manage.py sync_people --json          one JSON object for each tenant

exit codes
  0  mirrored      1  somebody stays although their account is gone or disabled (the last admin, or too many at once)
"""


class Command(TeachingCommand):
    help = DESCRIPTION
    epilog = EPILOG

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", nargs="?")
        parser.add_argument("--json", action="store_true", help="print one JSON object for each tenant")

    def handle(self, *args: Any, **options: Any) -> None:
        kept = 0

        def one(tenant: Tenant) -> None:
            nonlocal kept
            synced = sync_people()
            kept += synced.kept
            self._say(tenant, synced, as_json=options["json"])

        if options["slug"]:
            tenant = get_tenant(options["slug"])
            with enter(tenant.ref):
                one(tenant)
        else:
            visit_tenants(one)
        if kept:
            raise CommandError(f"{kept} people stay although their account is gone or disabled: look at the realm.")

    def _say(self, tenant: Tenant, synced: Synced, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps({"slug": tenant.slug, **asdict(synced)}))
            return
        self.stdout.write(
            f"{tenant.slug}: {synced.people} people, {synced.updated} updated, {synced.disabled} disabled,"
            f" {synced.removed} removed, {synced.told} told to the realm, {synced.kept} kept"
        )
