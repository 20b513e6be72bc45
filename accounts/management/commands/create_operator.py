"""manage.py create_operator"""

import os
from argparse import ArgumentParser
from typing import Any

from accounts.operators.models import Operator
from accounts.operators.services import create_operator
from core.commands import TeachingCommand

DESCRIPTION = """\
Adds an operator to the platform's realm and prints a single-use link to set the password; for somebody who is one
already, a fresh link: that replaces a forgotten password. Safe to repeat. With PLEXICA_OPERATOR_PASSWORD in the
environment that becomes the password of a new account, and no link is printed.
"""
EPILOG = """\
examples
  manage.py create_operator ada@plexica.example --name 'Ada Rossi'
  manage.py create_operator ben@plexica.example --role support      looks at everything, changes nothing
"""


class Command(TeachingCommand):
    help = DESCRIPTION
    epilog = EPILOG

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--name", default="")
        parser.add_argument(
            "--role",
            choices=Operator.Role.values,
            default=Operator.Role.SUPER_ADMIN,
            help="support may look at everything and change nothing",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        password = os.environ.get("PLEXICA_OPERATOR_PASSWORD") or None
        name = options["name"] or options["email"].partition("@")[0]
        role = Operator.Role(options["role"])
        created = create_operator(email=options["email"], name=name, role=role, password=password)
        self.stdout.write(f"{created.operator.email} is an operator.")
        if created.password_link:
            self.stdout.write(f"Set the password once at {created.password_link}")
