"""manage.py create_tenant"""

import json
import time
from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from core.actors import SYSTEM
from core.errors import PlexicaError
from tenants.directory import address_of
from tenants.models import Operation, OperationStep
from tenants.selectors import get_operation
from tenants.services.operations import run_operation
from tenants.services.provisioning import request_tenant
from tenants.steps import step_at

POLL_S = 0.2
MARKS = {
    "done": "[green]✓[/]",
    "running": "…",
    "retrying": "[yellow]↻[/]",
    "failed": "[red]✗[/]",
    "undone": "[yellow]↩[/]",
}


class Command(BaseCommand):
    help = (
        "Sets up a tenant: schema and role, settings, realm, bucket, first admin. The operations worker does it while this"
        " command shows the steps; with --here it is done by this process. Exit code 1 if it fails; nothing is left then."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", help="3-48 of a-z, 0-9 and -, for example acme-corp")
        parser.add_argument("--name", help="what people call it (default: from the slug)")
        parser.add_argument("--admin-email", required=True)
        parser.add_argument("--admin-name", default="")
        parser.add_argument("--language", default="", help="en or it (default: each browser decides)")
        parser.add_argument("--time-zone", default="UTC")
        parser.add_argument("--here", action="store_true", help="do not wait for a worker")
        parser.add_argument("--timeout", type=float, default=120.0, metavar="SECONDS")
        parser.add_argument("--json", action="store_true", help="print one JSON object at the end")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            operation = request_tenant(
                slug=options["slug"],
                name=options["name"] or options["slug"].replace("-", " ").title(),
                admin_email=options["admin_email"],
                admin_name=options["admin_name"],
                language=options["language"],
                time_zone=options["time_zone"],
                actor=SYSTEM,
            )
        except PlexicaError as error:
            raise CommandError(_sentence(error)) from None
        console = Console(quiet=options["json"])
        operation = self._follow(operation.pk, console, here=options["here"], timeout_s=options["timeout"])
        self._report(operation, as_json=options["json"])

    def _follow(self, operation_id: UUID, console: Console, *, here: bool, timeout_s: float) -> Operation:
        deadline, shown = time.monotonic() + timeout_s, dict[int, str]()
        while True:
            if here:
                run_operation(operation_id)
            operation = get_operation(operation_id)
            for step in operation.steps.all():
                self._show(step, shown, console)
            if not operation.is_open:
                return operation
            if time.monotonic() > deadline:
                raise CommandError(
                    f"Still {operation.status} after {timeout_s:g} s. Does the operations worker run? It goes on by itself."
                )
            time.sleep(POLL_S)

    def _show(self, step: OperationStep, shown: dict[int, str], console: Console) -> None:
        if step.status in MARKS and shown.get(step.position) != step.status and step.status != "running":
            console.print(f"  {MARKS[step.status]} {step_at(step.path).label}  [dim]{step.error or step.detail}[/]")
        shown[step.position] = step.status

    def _report(self, operation: Operation, *, as_json: bool) -> None:
        tenant = operation.tenant
        if as_json:
            body = {
                "slug": tenant.slug,
                "operation": str(operation.pk),
                "status": operation.status,
                "address": address_of(tenant.slug),
            }
            self.stdout.write(json.dumps(body | {"error": operation.error}))
        if operation.status != Operation.Status.SUCCEEDED:
            raise CommandError(f"{tenant.slug} was not set up: {operation.error}")
        if not as_json:
            self.stdout.write(
                f"{tenant.slug} is ready at {address_of(tenant.slug)}; {tenant.admin_email} was sent a link."
            )


def _sentence(error: PlexicaError) -> str:
    faults = error.facts.get("errors")
    if isinstance(faults, dict):
        return " ".join(f"{field}: {' '.join(sentences)}" for field, sentences in faults.items())
    return str(error)
