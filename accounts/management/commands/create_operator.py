"""manage.py create_operator"""

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.operators.services import create_operator
from core.errors import Invalid


class Command(BaseCommand):
    help = (
        "Adds an operator to the platform's realm and prints a single-use link to set the password. Safe to repeat."
        " With PLEXICA_OPERATOR_PASSWORD in the environment that becomes the password of a new account instead."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--name", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        password = os.environ.get("PLEXICA_OPERATOR_PASSWORD") or None
        name = options["name"] or options["email"].partition("@")[0]
        try:
            created = create_operator(email=options["email"], name=name, password=password)
        except Invalid as error:
            raise CommandError(str(error.facts["errors"])) from None
        self.stdout.write(f"{created.operator.email} is an operator.")
        if created.password_link:
            self.stdout.write(f"Set the password once at {created.password_link}")
