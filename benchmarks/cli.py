"""`bin/bench NAME`: one promise about speed, measured beside what somebody would pick instead."""

import argparse
import importlib
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.harness import Bar, Figure, Ground
from deploy.embedded import progress
from deploy.embedded.errors import Stopped, one_sentence

HERE = Path(__file__).parent
NOT_BENCHES = {
    "__init__",
    "cli",
    "harness",
    "load",
    "settings",
    "event_handlers",
    "django_tenants_settings",
    "django_tenants_create",
}
EPILOG = """\
Each bench starts the servers it needs, works in a database of its own, and drops it with everything in it afterwards.
The alternative runs in the same minutes on the same database: trust the ratios (x), the times are this machine's.

  bin/bench fleet-check            a table; the last column says whether the promise holds
  bin/bench fleet-check --json     {"bench": "...", "figures": [{"name": "...", "value": 1.12, "unit": "x"}, ...]}
  bin/bench fleet-check --size 20  so many tenants instead of the full number: quick, and no proof

Exit codes: 0 done, 1 the bench could not be run. A promise that does not hold is said in the table, not by the code:
a busy machine must not break a build.
"""


def names() -> list[str]:
    """Return the names of all benches."""
    return sorted(path.stem.replace("_", "-") for path in HERE.glob("*.py") if path.stem not in NOT_BENCHES)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="bin/bench", description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=names(), metavar="NAME", help=", ".join(names()))
    parser.add_argument("--size", type=int, metavar="TENANTS", help="fewer tenants than the promise speaks of")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run one bench and print its figures."""
    arguments = parse(sys.argv[1:] if argv is None else argv)
    signal.signal(signal.SIGTERM, _stop)
    with one_sentence("bin/bench"):
        bench: Any = importlib.import_module(f"benchmarks.{arguments.name.replace('-', '_')}")
        say = (lambda text: None) if arguments.json else progress.say
        with Ground(say=say) as ground:
            figures = list(bench.run(ground, **({"size": arguments.size} if arguments.size else {})))
    if arguments.json:
        listed = [{"name": one.name, "value": one.value, "unit": one.unit} for one in figures]
        print(json.dumps({"bench": arguments.name, "figures": listed}))
    else:
        _show(arguments.name, figures, whole=not arguments.size)


def _show(name: str, figures: list[Figure], *, whole: bool) -> None:
    table = Table("figure", "value", "promise", "", "", title=name)
    for one in figures:
        held = (
            "" if one.bar is None or not whole else "[green]holds[/]" if one.bar.holds(one.value) else "[red]missed[/]"
        )
        table.add_row(one.name, f"{one.value:g} {one.unit}", _words(one.bar), held, one.note)
    Console().print(table)


def _words(bar: Bar | None) -> str:
    return "" if bar is None else f"{bar.kind.replace('_', ' ')} {bar.value:g}"


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped


if __name__ == "__main__":
    main()
