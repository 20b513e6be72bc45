"""manage.py doctor"""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError
from rich.console import Console

from core.commands import TeachingCommand
from core.health.doctor import Line, examine

DESCRIPTION = """\
Looks whether everything that this installation needs is there, reachable, of the right version and safely configured,
and says for each thing that is not what to do. Changes nothing. Run it with the operations login, after each deployment.
"""
EPILOG = """\
examples
  manage.py doctor             one line for each thing
  manage.py doctor --json      for a monitor

exit codes
  0  nothing fails (there may be warnings)      1  something fails
"""
MARKS = {"ok": "[green]ok  [/]", "warn": "[yellow]warn[/]", "fail": "[red]fail[/]"}


class Command(TeachingCommand):
    help = DESCRIPTION
    epilog = EPILOG

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        console = Console(file=getattr(self.stdout, "_out", None), quiet=options["json"], soft_wrap=True)
        lines = []
        for line in examine():
            lines.append(line)
            _show(line, console)
        failed = sum(line.level == "fail" for line in lines)
        if options["json"]:
            self.stdout.write(json.dumps({"ok": not failed, "lines": [asdict(line) for line in lines]}))
        if failed:
            raise CommandError(f"{failed} of {len(lines)} things need mending.")
        if not options["json"]:
            self.stdout.write(f"{len(lines)} things looked at, none fails.")


def _show(line: Line, console: Console) -> None:
    console.print(f"{MARKS[line.level]} {line.part:12} {line.says}", highlight=False)
    if line.remedy:
        console.print(f"                  -> {line.remedy}", highlight=False)
