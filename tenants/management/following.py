"""Shows an operation's steps on the terminal while it runs, in a worker or here."""

import json
import time
from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from core.commands import seconds
from tenants.kinds import label_of_step
from tenants.models import Operation, OperationStep
from tenants.selectors import get_operation
from tenants.services.work import run_operation

POLL_S = 0.2
MARKS = {
    "done": "[green]✓[/]",
    "retrying": "[yellow]↻[/]",
    "failed": "[red]✗[/]",
    "undone": "[yellow]↩[/]",
}


def add_following_arguments(parser: ArgumentParser) -> None:
    """Add --here, --timeout and --json."""
    parser.add_argument("--here", action="store_true", help="carry it out in this process; do not wait for a worker")
    parser.add_argument(
        "--timeout", type=seconds(most=86_400), default=120.0, metavar="SECONDS", help="how long to watch (120)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")


def follow(operation_id: UUID, *, here: bool, timeout_s: float, quiet: bool) -> Operation:
    """Show each step as it ends, and return the operation when nothing is left to do for a worker.

    Raises CommandError when the time is over; the work goes on by itself.
    """
    console, shown = Console(quiet=quiet), dict[int, str]()
    deadline = time.monotonic() + timeout_s
    while True:
        if here:
            run_operation(operation_id)
        operation = get_operation(operation_id)
        for step in operation.steps.all():
            _show(step, shown, console)
        if not operation.is_open:
            return operation
        if time.monotonic() > deadline:
            raise CommandError(
                f"Still {operation.status} after {timeout_s:g} s. Does the operations worker run? It goes on by itself."
            )
        time.sleep(POLL_S)


def _show(step: OperationStep, shown: dict[int, str], console: Console) -> None:
    if step.status in MARKS and shown.get(step.position) != step.status:
        console.print(f"  {MARKS[step.status]} {label_of_step(step)}  [dim]{step.error or step.detail}[/]")
    shown[step.position] = step.status


def print_json(command: BaseCommand, operation: Operation, **more: Any) -> None:
    """Print what became of the operation as one JSON object."""
    body = {
        "slug": operation.tenant.slug,
        "operation": str(operation.pk),
        "status": operation.status,
        "error_code": operation.error_code,
        "error": operation.error,
        **more,
    }
    command.stdout.write(json.dumps(body))


def explain_stuck(operation: Operation) -> str:
    """Return what to do about an operation that stopped."""
    if operation.status != Operation.Status.STUCK:
        return ""
    return f" It waits for an answer: manage.py retry_operation {operation.pk} --help"
