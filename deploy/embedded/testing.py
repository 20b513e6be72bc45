"""`bin/test`: servers, front end and environment for the tests, then pytest."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from deploy.embedded import frontend, platform, progress
from deploy.embedded.errors import StackError, Stopped, one_sentence
from deploy.embedded.options import parse_test
from deploy.embedded.paths import Tree
from deploy.embedded.processes import find_by_variable, stop_all
from deploy.embedded.servers import KEYCLOAKS, USUAL
from deploy.embedded.servers.keycloak import LISTED
from deploy.embedded.stack import Stack
from deploy.embedded.steps import Steps

RUN = "PLEXICA_TEST_RUN"  # every process of a run carries it: how those that a cut-off run leaves are found
# the first is Chromium without windows of its own to draw: pages cost a third of the work
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WHOLE_SUITE = ["-n", "3", "--cov", "--cov-branch"]  # one of them mostly waits for browsers and processes
POOLERS = ("pgbouncer", "/usr/sbin/pgbouncer")  # Debian puts it where not everybody looks
# for each variable that names a program: where it is looked for, the mark of the tests that need it, Debian's package
PROGRAMS: dict[str, tuple[Sequence[str], str, str]] = {
    "PLEXICA_CHROMIUM": (BROWSERS, "browser", "chromium-headless-shell"),
    "PLEXICA_PGBOUNCER": (POOLERS, "pooler", "pgbouncer"),
}
UNLIMITED = [f"PLEXICA_RATE_LIMIT_{quota}" for quota in ("TENANT", "CLIENT", "ADDRESS", "SIGN_IN")]
MISSING = """
  *** No {package} on this machine: the tests marked `{mark}` are left out. ***
  *** Install it with: apt-get install {package}
"""


def main(argv: Sequence[str] | None = None) -> None:
    options = parse_test(sys.argv[1:] if argv is None else argv)
    in_ci = os.environ.get("CI") == "true"
    signal.signal(signal.SIGTERM, _stop)
    with one_sentence("bin/test"):
        programs = {variable: find(variable, names) for variable, (names, _, _) in PROGRAMS.items()}
        for variable, (_, mark, package) in PROGRAMS.items():
            if in_ci and not programs[variable]:
                raise StackError(
                    f"no {package} on this machine, and CI=true leaves no test out ({mark}). Run: apt-get install {package}"
                )
        found = {variable: path for variable, path in programs.items() if path}
        sys.exit(run(Tree.here(), options.rest, found, down=options.down or in_ci))


def run(tree: Tree, words: list[str], programs: dict[str, str], *, down: bool) -> int:
    """Run pytest with these words, or the whole suite; returns its status. No process of the tests outlives it."""
    stack, token = Stack(tree, progress.say), secrets.token_hex(8)
    with stack.in_use():
        try:
            stack.up(USUAL)
            env = {**environment(tree, stack, programs), RUN: token}
            _build(tree, env)
            return _pytest(tree, words or WHOLE_SUITE, env)
        finally:
            stop_all(find_by_variable(RUN, token))
            if down:
                progress.say("stopping the servers")
                stack.down()


def environment(tree: Tree, stack: Stack, programs: dict[str, str]) -> dict[str, str]:
    """What tests find in their environment."""
    return {
        **platform.clean_environment(tree),
        **platform.platform_settings(tree, bind="127.0.0.1", name="localhost", port=8000),
        **stack.settings([*USUAL, "keycloak"]),  # which the first test that needs it starts
        # the platform of most tests knows one of them alone: realms would be made in the second one too
        "TESTS_KEYCLOAK_SERVERS": stack.settings(KEYCLOAKS)[LISTED],
        **platform.django_secrets(tree.stack / "test-secrets.json"),
        "PLEXICA_MAIL_DIR": str(tree.root / "var" / "test" / "mail"),
        "PLEXICA_PASSWORD_ITERATIONS": "1000",  # half a second of a core for each sign-in otherwise
        **dict.fromkeys(UNLIMITED, "off"),  # everything comes from one address; tests of the limits set their own
        # on a bare machine the Node that playwright brings lacks a system library
        "PLAYWRIGHT_NODEJS_PATH": str(tree.root / ".venv" / "bin" / "node"),
        **programs,
    }


def find(variable: str, names: Sequence[str]) -> str | None:
    """The program that a variable names, or the first of `names` that is on this machine."""
    named = os.environ.get(variable)
    if named:
        if not os.access(named, os.X_OK):
            raise StackError(f"{variable} is {named}, which is no program")
        return named
    return next((found for found in map(shutil.which, names) if found), None)


def _build(tree: Tree, env: dict[str, str]) -> None:
    steps = Steps(tree, env, tree.root / "var" / "test" / "logs", progress.say)
    try:
        frontend.build(tree, steps, _python(tree))
    except BaseException:
        steps.cancel()
        raise


def _pytest(tree: Tree, words: list[str], env: dict[str, str]) -> int:
    missing = [variable for variable in PROGRAMS if variable not in env]
    marks = ["-m", " and ".join(f"not {PROGRAMS[variable][1]}" for variable in missing)] if missing else []
    _complain(missing)
    # ours to pass on: Ctrl-C reaches pytest by itself, which then ends in its own time
    child = subprocess.Popen([_python(tree), "-m", "pytest", *marks, *words], cwd=tree.root, env=env)
    status: int | None = None
    while status is None:
        try:
            status = child.wait()
        except KeyboardInterrupt:
            continue
        except Stopped:
            child.terminate()
    _complain(missing)
    return status if status >= 0 else 128 - status


def _complain(missing: list[str]) -> None:
    for variable in missing:
        _, mark, package = PROGRAMS[variable]
        print(MISSING.format(mark=mark, package=package), file=sys.stderr, flush=True)


def _python(tree: Tree) -> Path:
    return tree.root / ".venv" / "bin" / "python"


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped


if __name__ == "__main__":
    main()
