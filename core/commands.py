"""What our management commands have in common."""

import gc
import os
import sys
from argparse import ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError

from core.errors import PlexicaError, Rejected

BY_CTRL_C = 130
READER_GONE = 141  # what a shell says of a program that SIGPIPE ended


class PlatformCommand(BaseCommand):
    """Answers a refusal with one sentence, and starts without Django's system checks.

    They look at the code, as `bin/check`, `manage.py check` and `manage.py doctor` do, and load every page for it:
    most of the time that a command takes.
    """

    requires_system_checks: list[str] = []

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Carry the command out. Raises CommandError for a refusal, and when the database does not answer."""
        try:
            return super().execute(*args, **options)
        except PlexicaError as error:
            raise CommandError(sentence(error)) from error
        except (OperationalError, InterfaceError) as error:
            raise CommandError(f"The database does not do it: {error}") from error

    def run_from_argv(self, argv: list[str]) -> None:
        """Run from the command line: Ctrl-C, and a reader that has enough, end a command without a traceback.

        What was loaded stays to the end: the collector need not look through it, above all not as Python exits.
        """
        gc.freeze()
        try:
            super().run_from_argv(argv)
            sys.stdout.flush()
        except KeyboardInterrupt:
            self.stderr.write("Ended by Ctrl-C.")
            sys.exit(BY_CTRL_C)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still to be written goes there
            sys.exit(READER_GONE)


class TeachingCommand(PlatformCommand):
    """Shows `help` as it is written, and behind the options `epilog`: examples and exit codes."""

    epilog: ClassVar[str] = ""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        return super().create_parser(
            prog_name, subcommand, epilog=self.epilog, formatter_class=RawDescriptionHelpFormatter, **kwargs
        )


def whole_number(*, least: int, most: int) -> Callable[[str], int]:
    """Return an argument's type: a whole number within limits."""

    def read(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise ArgumentTypeError(f"{text!r} is no whole number from {least} to {most}")
        return int(text)

    return read


def seconds(*, most: float, least: float = 0) -> Callable[[str], float]:
    """Return an argument's type: a time within limits."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = -1
        if not least <= value <= most:  # not a number is within nothing
            raise ArgumentTypeError(f"{text!r} is no number of seconds from {least:g} to {most:g}")
        return value

    return read


def sentence(error: PlexicaError) -> str:
    """Return what is wrong in one line: every field by its name, and what an outside system said."""
    faults = error.facts.get("errors")
    if isinstance(faults, Mapping):
        return " ".join(f"{field}: {' '.join(sentences)}" for field, sentences in faults.items())
    said = error.facts.get("said", "") if isinstance(error, Rejected) else ""
    return f"{error.title}. {error} {said}".strip()
