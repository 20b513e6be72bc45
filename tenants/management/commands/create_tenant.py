"""manage.py create_tenant"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.actors import SYSTEM
from core.errors import PlexicaError
from tenants.directory import address_of
from tenants.management.following import add_following_arguments, explain_stuck, follow, print_json, sentence
from tenants.models import Operation
from tenants.services.operations import ADOPT, CLEAN
from tenants.services.provisioning import request_tenant


class Command(BaseCommand):
    help = (
        "Sets up a tenant: address, schema and role, settings, realm, bucket, first admin. The operations worker does it"
        " while this command shows the steps; with --here it is done by this process. Exit code 1 if it fails; nothing is"
        " left then."
    )

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
        try:
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
        except PlexicaError as error:
            raise CommandError(sentence(error)) from None
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
