"""What the commands have in common that help somebody with signing in."""

from abc import abstractmethod
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from accounts.identity.realms import inside
from accounts.operators.models import Operator
from accounts.owners import find_by_email
from accounts.people.models import Person
from core.commands import TeachingCommand
from core.errors import NotFound


class OwnerCommand(TeachingCommand):
    """`EMAIL [--tenant SLUG]`; exit code 1 and one sentence if there is nobody of that address."""

    done: str  # what is said of them at the end

    @abstractmethod
    def help_owner(self, owner: Person | Operator) -> None:
        """Do it, in the realm that is theirs."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--tenant", metavar="SLUG", help="where they work; an operator without it")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            ref, found = find_by_email(options["email"], slug=options["tenant"])
            with inside(ref):
                self.help_owner(found)
        except NotFound:
            raise CommandError(
                f"Nobody there has the address {options['email']}, or there is no such tenant."
            ) from None
        self.stdout.write(f"{found.email} {self.done}")
