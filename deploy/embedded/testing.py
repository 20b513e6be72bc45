"""`bin/test`: servers, front end and environment for the tests, then pytest."""

import os
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
from deploy.embedded.servers import USUAL
from deploy.embedded.stack import Stack
from deploy.embedded.steps import Steps

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WHOLE_SUITE = ["-n", "3", "--cov", "--cov-branch"]  # one of them mostly waits for browsers and processes
NO_BROWSER = """
  *** No Chromium on this machine: the browser tests are left out. ***
  *** Install it with: apt-get install chromium                    ***
"""


def main(argv: Sequence[str] | None = None) -> None:
    options = parse_test(sys.argv[1:] if argv is None else argv)
    in_ci = os.environ.get("CI") == "true"
    signal.signal(signal.SIGTERM, _stop)
    with one_sentence("bin/test"):
        browser = find_browser()
        if in_ci and not browser:
            raise StackError(
                "no Chromium on this machine, and CI=true leaves no test out. Run: apt-get install chromium"
            )
        sys.exit(run(Tree.here(), options.rest, browser, down=options.down or in_ci))


def run(tree: Tree, words: list[str], browser: str | None, *, down: bool) -> int:
    """Run pytest with these words, or the whole suite; returns its status."""
    stack = Stack(tree, progress.say)
    with stack.in_use():
        try:
            stack.up(USUAL)
            env = environment(tree, stack, browser)
            _build(tree, env)
            return _pytest(tree, words or WHOLE_SUITE, env)
        finally:
            if down:
                progress.say("stopping the servers")
                stack.down(USUAL)


def environment(tree: Tree, stack: Stack, browser: str | None) -> dict[str, str]:
    """What tests find in their environment."""
    env = {
        **platform.clean_environment(tree),
        **platform.platform_settings(tree, bind="127.0.0.1", name="localhost", port=8000),
        **stack.settings(USUAL),
        **platform.django_secrets(tree.stack / "test-secrets.json"),
        "PLEXICA_MAIL_DIR": str(tree.root / "var" / "test" / "mail"),
        "PLEXICA_PASSWORD_ITERATIONS": "1000",  # half a second of a core for each sign-in otherwise
        # on a bare machine the Node that playwright brings lacks a system library
        "PLAYWRIGHT_NODEJS_PATH": str(tree.root / ".venv" / "bin" / "node"),
    }
    if browser:
        env["PLEXICA_CHROMIUM"] = browser
    return env


def find_browser() -> str | None:
    """The Chromium that browser tests drive."""
    named = os.environ.get("PLEXICA_CHROMIUM")
    if named:
        if not os.access(named, os.X_OK):
            raise StackError(f"PLEXICA_CHROMIUM is {named}, which is no program")
        return named
    return next((found for found in map(shutil.which, BROWSERS) if found), None)


def _build(tree: Tree, env: dict[str, str]) -> None:
    steps = Steps(tree, env, tree.root / "var" / "test" / "logs", progress.say)
    try:
        frontend.build(tree, steps, _python(tree))
    except BaseException:
        steps.cancel()
        raise


def _pytest(tree: Tree, words: list[str], env: dict[str, str]) -> int:
    marks = [] if "PLEXICA_CHROMIUM" in env else ["-m", "not browser"]
    if marks:
        print(NO_BROWSER, file=sys.stderr, flush=True)
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
    if marks:
        print(NO_BROWSER, file=sys.stderr, flush=True)
    return status if status >= 0 else 128 - status


def _python(tree: Tree) -> Path:
    return tree.root / ".venv" / "bin" / "python"


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped


if __name__ == "__main__":
    main()
