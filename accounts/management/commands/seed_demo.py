"""manage.py seed_demo"""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from accounts import demo
from core.commands import TeachingCommand, seconds
from tenants.models import Operation

DESCRIPTION = """\
Makes the demo: an operator and three tenants with people and some weeks of sign-ins. The tenants are set up by the
operations worker, which must be running. Safe to repeat: what is there stays as it is. The passwords are public: never
run it on a platform that others can reach.
"""
EPILOG = """\
examples
  manage.py seed_demo             says where to sign in
  manage.py seed_demo --json      with everybody's password
"""


class Command(TeachingCommand):
    help = DESCRIPTION
    epilog = EPILOG

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print addresses, people and passwords as JSON")
        parser.add_argument(
            "--timeout", type=seconds(most=86_400), default=120.0, metavar="SECONDS", help="for each tenant (120)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        addresses = [demo.seed_operator()]
        operations = demo.request_missing()
        for tenant in demo.TENANTS:
            if tenant.slug in operations:
                try:
                    operation = demo.wait_for(operations[tenant.slug], timeout_s=options["timeout"])
                except demo.DemoTimeout as error:
                    raise CommandError(f"{error}. Does the operations worker run?") from None
                if operation.status != Operation.Status.SUCCEEDED:
                    raise CommandError(f"{tenant.slug} was not set up: {operation.error}")
            addresses.append(demo.seed_tenant(tenant))
        if options["json"]:
            self.stdout.write(json.dumps({"addresses": addresses}))
            return
        for address in addresses:
            self.stdout.write(f"{address['name']}: {address['url']}")
