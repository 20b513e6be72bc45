"""manage.py create_tenant"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from core.actors import SYSTEM
from core.commands import TeachingCommand
from tenants.directory import address_of
from tenants.management.following import add_following_arguments, explain_stuck, follow, print_json
from tenants.models import Operation
from tenants.services.operations import ADOPT, CLEAN
from tenants.services.provisioning import request_tenant

DESCRIPTION = """\
Sets up a tenant: address, schema and role, settings, realm, bucket, first admin, who is sent a link. The operations
worker does it while this command shows the steps; with --here it is done by this process. If something exists already
under the tenant's names, a schema or an address for example, it stops and asks: --adopt or --clean answer beforehand.
"""
EPILOG = """\
examples
  manage.py create_tenant acme-corp --admin-email ada@acme.example
  manage.py create_tenant acme-corp --admin-email ada@acme.example --name 'Acme' --language it --time-zone Europe/Rome
  manage.py create_tenant acme-corp --admin-email ada@acme.example --here --json      without a worker, for scripts

exit codes
  0  ready      1  it failed, and nothing is left; or it still goes on when --timeout is over
"""


class Command(TeachingCommand):
    help = DESCRIPTION
    epilog = EPILOG

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", help="3-48 of a-z, 0-9 and -, for example acme-corp")
        parser.add_argument("--name", help="what people call it (default: from the slug)")
        parser.add_argument("--admin-email", required=True)
        parser.add_argument("--admin-name", default="")
        parser.add_argument("--language", default="", help="en or it (default: each browser decides)")
        parser.add_argument("--time-zone", default="UTC")
        what = "what exists already under the tenant's names, a schema or an address for example: "
        answers = parser.add_mutually_exclusive_group()
        answers.add_argument(
            "--adopt", dest="leftovers", action="store_const", const=ADOPT, help=f"{what}take it over, if it is whole"
        )
        answers.add_argument("--clean", dest="leftovers", action="store_const", const=CLEAN, help=f"{what}remove it")
        parser.set_defaults(leftovers="")
        add_following_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        operation = request_tenant(
            slug=options["slug"],
            name=options["name"] or options["slug"].replace("-", " ").title(),
            admin_email=options["admin_email"],
            admin_name=options["admin_name"],
            language=options["language"],
            time_zone=options["time_zone"],
            leftovers=options["leftovers"],
            actor=SYSTEM,
        )
        operation = follow(operation.pk, here=options["here"], timeout_s=options["timeout"], quiet=options["json"])
        self._report(operation, as_json=options["json"])

    def _report(self, operation: Operation, *, as_json: bool) -> None:
        tenant = operation.tenant
        if as_json:
            print_json(self, operation, address=address_of(tenant.slug))
        if operation.status != Operation.Status.SUCCEEDED:
            raise CommandError(f"{tenant.slug} was not set up: {operation.error}{explain_stuck(operation)}")
        if not as_json:
            self.stdout.write(
                f"{tenant.slug} is ready at {address_of(tenant.slug)}; {tenant.admin_email} was sent a link."
            )
