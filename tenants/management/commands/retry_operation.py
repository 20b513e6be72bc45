"""manage.py retry_operation"""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError

from core.actors import SYSTEM
from core.commands import TeachingCommand
from tenants.management.following import add_following_arguments, explain_stuck, follow, print_json
from tenants.models import Operation
from tenants.selectors import get_operation, get_tenant, latest_operation
from tenants.services.answers import give_up_operation, retry_operation
from tenants.services.operations import ADOPT, CLEAN

DESCRIPTION = """\
Lets a stuck operation go on where it stopped, forward or undoing. One that stopped because something carries the
tenant's names looks again, or takes --adopt or --clean.
"""
EPILOG = """\
examples
  manage.py retry_operation acme-corp                                 the tenant's last operation
  manage.py retry_operation acme-corp --clean                         remove what was found under its names
  manage.py retry_operation acme-corp --give-up --reason 'Not paid'   undo what was made

exit codes
  0  it ended      1  it is stuck again, failed, or goes on when --timeout is over
"""


class Command(TeachingCommand):
    help = DESCRIPTION
    epilog = EPILOG

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("operation", help="the operation's id, or the tenant's slug")
        group = parser.add_mutually_exclusive_group()
        group.add_argument(
            "--adopt",
            dest="leftovers",
            action="store_const",
            const=ADOPT,
            help="take over what was found, if it is whole",
        )
        group.add_argument("--clean", dest="leftovers", action="store_const", const=CLEAN, help="remove what was found")
        group.add_argument("--give-up", action="store_true", help="undo what was made; what was found or adopted stays")
        parser.set_defaults(leftovers="")
        parser.add_argument("--reason", default="", help="kept in the audit log")
        add_following_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        said = {"actor": SYSTEM, "reason": options["reason"]}
        operation_id = self._find(options["operation"])
        if options["give_up"]:
            give_up_operation(operation_id=operation_id, **said)
        else:
            retry_operation(operation_id=operation_id, leftovers=options["leftovers"], **said)
        operation = follow(operation_id, here=options["here"], timeout_s=options["timeout"], quiet=options["json"])
        if options["json"]:
            print_json(self, operation)
        wanted = Operation.Status.FAILED if options["give_up"] else Operation.Status.SUCCEEDED
        if operation.status != wanted:
            raise CommandError(f"{operation.get_status_display()}: {operation.error}{explain_stuck(operation)}")
        if not options["json"]:
            self.stdout.write(f"{operation}: {operation.get_status_display()}.")

    def _find(self, word: str) -> UUID:
        try:
            return get_operation(UUID(word)).pk
        except ValueError:
            operation = latest_operation(get_tenant(word))
        if operation is None:
            raise CommandError(f"Nothing was ever done to {word}.")
        return operation.pk
