"""The demo with small programs in place of Plexica's: `tiny_demo.py CHECKOUT steady|failing`."""

import argparse
import os
import sys
import time
from pathlib import Path

from deploy.embedded import progress
from deploy.embedded.demo import Demo, run_until_stopped
from deploy.embedded.errors import one_sentence
from deploy.embedded.paths import Tree
from deploy.embedded.run import VARIABLE, hold_lock
from deploy.embedded.supervisor import Program

SLEEP = "import time; time.sleep(60)"
WITH_CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', '{SLEEP}'])"
FAIL = "import sys; print('no such thing'); sys.exit(3)"


class Tiny(Demo):
    """Everything of the demo but what takes long."""

    def _prepare(self) -> None:
        env = {**os.environ, VARIABLE: self.run.token}
        codes = {"web": SLEEP, "worker": FAIL if self.options.kind == "failing" else WITH_CHILD}
        logs = self.tree.demo / "logs"
        self.programs = {
            name: Program(name, [sys.executable, "-c", code], logs / f"{name}.log", env) for name, code in codes.items()
        }
        self.supervisor.first_delay_s = 0.05

    def _launch(self) -> None:
        self._up(["valkey"])
        self._start("web", "worker")
        while self.options.kind == "steady" and len(self.run.strays()) < 3:
            time.sleep(0.05)
        progress.say("tiny demo is ready")


if __name__ == "__main__":
    tree = Tree(Path(sys.argv[1]))
    options = argparse.Namespace(kind=sys.argv[2], port=0, bind="127.0.0.1", keycloak=False, kafka=False)
    with one_sentence("bin/demo"), hold_lock(tree):
        run_until_stopped(Tiny(tree, options))
