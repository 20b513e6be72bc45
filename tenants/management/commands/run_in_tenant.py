"""manage.py run_in_tenant"""

import json
import time
from argparse import REMAINDER, ArgumentParser
from io import StringIO
from typing import Any

from django.core.management import call_command, get_commands
from django.core.management.base import CommandError

from core.commands import TeachingCommand
from core.errors import PlexicaError
from core.tenancy import enter
from tenants.models import Tenant
from tenants.selectors import get_tenant

DESCRIPTION = """\
Runs a management command inside one tenant, or in every active one in turn: with the tenant's schema and database role.
A tenant in which it fails is named at the end; the others are run all the same.
"""
EPILOG = """\
examples
  manage.py run_in_tenant acme-corp clearsessions
  manage.py run_in_tenant --all clearsessions --verbosity 2
  manage.py run_in_tenant --json --all dumpdata people.role       options of ours stand before the command

exit codes
  0  done everywhere      1  it failed in some tenant      2  there is no such tenant or command
"""
MISUSED = 2
# They work on the platform or on schemas, whoever is entered.
NOT_INSIDE = {
    "create_tenant", "doctor", "fleet_status", "makemigrations", "migrate", "migrate_fleet", "migrate_schemas",
    "run_in_tenant", "setup_database", "suspend_tenant", "reactivate_tenant", "tenant_shell",
}  # fmt: skip


class Command(TeachingCommand):
    help = DESCRIPTION
    epilog = EPILOG

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--all", action="store_true", help="in every active tenant, one after the other")
        parser.add_argument("--json", action="store_true", help="print one JSON object at the end")
        parser.add_argument(
            "words", nargs=REMAINDER, metavar="[SLUG] COMMAND ...", help="without SLUG if --all is given"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        words = list(options["words"])
        slug = None if options["all"] else (words.pop(0) if words else "")
        if not words:
            raise CommandError("Name a tenant (or --all) and a command.", returncode=MISUSED)
        if words[0] not in get_commands() or words[0] in NOT_INSIDE:
            raise CommandError(f"{words[0]} is no command that runs inside a tenant.", returncode=MISUSED)
        results = [self._run(tenant, words, quiet=options["json"]) for tenant in _tenants(slug)]
        failed = [result for result in results if not result["ok"]]
        if options["json"]:
            self.stdout.write(json.dumps({"command": words, "tenants": results}))
        if failed:
            raise CommandError("\n".join(f"{result['slug']}: {result['error']}" for result in failed))

    def _run(self, tenant: Tenant, words: list[str], *, quiet: bool) -> dict[str, Any]:
        out, error, begin = StringIO(), "", time.monotonic()
        if not quiet:
            self.stderr.write(f"-- {tenant.slug}")
        try:
            with enter(tenant.ref):
                call_command(*words, stdout=out if quiet else self.stdout, stderr=out if quiet else self.stderr)
        except (Exception, SystemExit) as failure:  # noqa: BLE001 - the other tenants come all the same
            error = f"{type(failure).__name__}: {failure}"
        took_s = round(time.monotonic() - begin, 3)
        return {"slug": tenant.slug, "ok": not error, "output": out.getvalue(), "error": error, "took_s": took_s}


def _tenants(slug: str | None) -> list[Tenant]:
    if slug is None:
        return list(Tenant.objects.filter(status=Tenant.Status.ACTIVE).order_by("slug"))
    try:
        tenant = get_tenant(slug)
    except PlexicaError as error:
        raise CommandError(f"{error.title}: {slug}", returncode=MISUSED) from None
    if tenant.status in Tenant.GONE:
        raise CommandError(f"{slug} has no schema: it is {tenant.status}.", returncode=MISUSED)
    return [tenant]
