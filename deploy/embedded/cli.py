"""`bin/stack`: the real servers for development and tests."""

import argparse
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from deploy.embedded import progress
from deploy.embedded.errors import StackError, Stopped, one_sentence
from deploy.embedded.paths import Tree
from deploy.embedded.servers import KINDS, USUAL
from deploy.embedded.stack import Stack

EPILOG = """\
Servers: postgres, valkey, s3 (the usual three), keycloak, kafka.

Data are under var/stack/, logs under var/stack/logs/, passwords in var/stack/secrets.json. Ports are chosen once
and stay. keycloak and kafka are downloaded when first asked for; Keycloak's build and Kafka's jars are kept in
$XDG_CACHE_HOME/plexica (~/.cache/plexica), everything else stays in this folder.

  eval "$(bin/stack env)"     lets manage.py and others find the running servers
"""


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bin/stack",
        description="Starts, stops and lists the servers of this checkout.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="start servers and wait until they answer (the usual three)")
    up.add_argument("names", nargs="*", metavar="NAME", help="which ones")
    up.add_argument("--new-ports", action="store_true", help="choose other ports for those that do not run")
    down = commands.add_parser("down", help="stop servers (all)")
    down.add_argument("names", nargs="*", metavar="NAME", help="which ones")
    commands.add_parser("list", help="name, state, process, address, version and data folder of each")
    commands.add_parser("env", help="print shell exports of PLEXICA_* for the servers that run")
    logs = commands.add_parser("logs", help="show the end of a server's log")
    logs.add_argument("names", nargs=1, metavar="NAME", help="which one")
    logs.add_argument("-f", "--follow", action="store_true", help="go on as it grows")
    arguments = parser.parse_args(argv)
    for name in getattr(arguments, "names", []):
        if name not in KINDS:
            parser.error(f"there is no server {name!r}. There are: {', '.join(KINDS)}")
    return arguments


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parse(sys.argv[1:] if argv is None else argv)
    signal.signal(signal.SIGTERM, _stop)
    with one_sentence("bin/stack"):
        COMMANDS[arguments.command](Stack(Tree.here(), progress.say), arguments)


def up(stack: Stack, arguments: argparse.Namespace) -> None:
    names = arguments.names or list(USUAL)
    if arguments.new_ports:
        stack.forget_ports(names)
    if not stack.up(names):
        print(f"Running already: {', '.join(names)}.", file=sys.stderr)


def down(stack: Stack, arguments: argparse.Namespace) -> None:
    stopped = stack.down(arguments.names or None)
    print(f"Stopped: {', '.join(stopped)}." if stopped else "Nothing was running.", file=sys.stderr)


def list_servers(stack: Stack, _: argparse.Namespace) -> None:
    head = ("NAME", "STATE", "PID", "ADDRESS", "VERSION", "DATA")
    lines = [
        (row.name, row.state, str(row.pid or "-"), row.address, row.version, stack.tree.shorten(row.folder))
        for row in stack.rows()
    ]
    widths = [max(len(line[column]) for line in [head, *lines]) for column in range(len(head))]
    for line in [head, *lines]:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def env(stack: Stack, _: argparse.Namespace) -> None:
    names = stack.names_running()
    if not names:
        raise StackError("no server runs; start them with: bin/stack up")
    for name, value in stack.settings(names).items():
        print(f"export {name}={shlex.quote(value)}")


def logs(stack: Stack, arguments: argparse.Namespace) -> None:
    log = stack.tree.logs / f"{arguments.names[0]}.log"
    if not log.exists():
        raise StackError(f"there is no {stack.tree.shorten(log)}; the server was never started")
    sys.stdout.flush()
    os.execvp("tail", ["tail", "-n", "50", *(["-f"] if arguments.follow else []), str(log)])  # noqa: S606


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped


COMMANDS = {"up": up, "down": down, "list": list_servers, "env": env, "logs": logs}

if __name__ == "__main__":
    main()
