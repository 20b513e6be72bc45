"""What the commands that change a tenant's state have in common."""

import json
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any, ClassVar

from core.actors import SYSTEM
from core.commands import TeachingCommand
from tenants.models import Tenant
from tenants.selectors import get_tenant


class StateCommand(TeachingCommand):
    """`SLUG --reason WHY [--json]`; exit code 1 and one sentence if the tenant is in another state."""

    change: ClassVar[Callable[..., Tenant]]

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--reason", required=True, help="kept in the audit log")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = self.change(tenant_id=get_tenant(options["slug"]).pk, actor=SYSTEM, reason=options["reason"])
        if options["json"]:
            self.stdout.write(json.dumps({"slug": tenant.slug, "status": tenant.status, "version": tenant.version}))
        else:
            self.stdout.write(f"{tenant.slug} is {tenant.status}.")
