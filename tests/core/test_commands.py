"""What every command of ours does when it is refused, when nobody listens any more, and at Ctrl-C."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from core.commands import PlatformCommand, TeachingCommand, sentence
from core.errors import Invalid, NotFound, PlexicaError, Rejected

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
from django.conf import settings
settings.configure()
from core.commands import PlatformCommand
class Command(PlatformCommand):
    def handle(self, *args, **options):
        {body}
Command().run_from_argv(["manage.py", "example"])
"""


class Failing(PlatformCommand):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def handle(self, *args: object, **options: object) -> None:
        raise self.error


def ended(body: str, stdout: int) -> tuple[int, str]:
    """Run a command in a process of its own, and return its exit code and what it complained of."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(body=body)],
        check=False,
        cwd=ROOT,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            Invalid({"reason": ["Say why."], "slug": ["Too short.", "Reserved."]}),
            "reason: Say why. slug: Too short. Reserved.",
        ),
        (NotFound(), "There is nothing at this address. It was moved or removed, or the link has a typing mistake."),
        (OperationalError("connection refused"), "The database does not do it: connection refused"),
    ],
)
def test_a_refusal_is_one_sentence(error, said):
    with pytest.raises(CommandError) as refusal:
        call_command(Failing(error))

    assert str(refusal.value) == said
    assert refusal.value.returncode == 1
    assert refusal.value.__cause__ is error  # --traceback shows where


def test_what_an_outside_system_said_is_passed_on():
    assert sentence(Rejected(said="realm exists")).endswith("realm exists")
    assert not sentence(PlexicaError(said="a secret of ours")).endswith("secret of ours")


@pytest.mark.parametrize("body", ["self.stdout.write('a line')", "[self.stdout.write('x' * 9000) for _ in range(99)]"])
def test_a_reader_that_has_enough_ends_a_command_without_a_word(body):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert ended(body, writer) == (141, "")
    finally:
        os.close(writer)


def test_ctrl_c_ends_a_command_with_a_word():
    heard = (
        "signal.signal(signal.SIGINT, signal.default_int_handler)"  # whoever runs tests in the background is deaf to it
    )
    body = f"import os, signal; {heard}; os.kill(os.getpid(), signal.SIGINT)"

    assert ended(body, subprocess.DEVNULL) == (130, "Ended by Ctrl-C.\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["create_operator", "nobody"], "email: Enter a valid email address."),
        (["suspend_tenant", "acme-corp", "--reason", ""], "reason: Say why, in at most 500 characters."),
        (["suspend_tenant", "nowhere", "--reason", "x"], "There is no such tenant. None has the slug or id nowhere."),
        (["migrate_fleet", "--only", "nowhere"], "There is no such tenant. None has the slug or id nowhere."),
        (["retry_operation", "00000000-0000-0000-0000-000000000001"], "There is no such operation. None has the id 0"),
        (["move_realm", "acme-corp", "--to", "nowhere"], "to: Choose one of: builtin"),
        (["export_tenant", "acme-corp", "--reason", "x", "--output", "/nowhere/x"], "/nowhere/x cannot be written: "),
    ],
)
def test_commands_say_what_is_wrong_and_where(committed, world, words, said):
    with pytest.raises(CommandError) as refusal:
        call_command(*words)

    assert str(refusal.value).startswith(said)


def test_all_our_commands_teach():
    from django.core.management import get_commands, load_command_class

    ours = {name: app for name, app in get_commands().items() if (ROOT / str(app).split(".")[0]).is_dir()}
    classes: dict[str, Any] = {name: load_command_class(app, name) for name, app in ours.items()}
    del classes["migrate"]  # Django's, and its help

    assert len(classes) > 20
    for name, command in classes.items():
        assert isinstance(command, TeachingCommand), name
        assert f"manage.py {name.replace('_schemas', '_fleet')}" in command.epilog, name  # another name for it
        assert command.epilog.rstrip() in command.create_parser("manage.py", name).format_help(), name
        assert max(map(len, (command.help + command.epilog).splitlines())) <= 121, name
