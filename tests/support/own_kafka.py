"""A Kafka of a test's own, which may be killed."""

import subprocess
import time
from pathlib import Path

from deploy.embedded import ports
from deploy.embedded.files import Secrets
from deploy.embedded.paths import Tree
from deploy.embedded.servers.kafka import Kafka
from tests.support.kafka import delete_topic

START_S = 240.0  # a busy machine


class OwnKafka:
    """A broker as the stack starts it, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._server = Kafka(Tree(folder), ports.choose(Kafka.port_names), Secrets(folder / "secrets.json"))
        self._process: subprocess.Popen[bytes] | None = None
        self.url = self._server.settings()["PLEXICA_BUS_URL"]

    def start(self) -> None:
        """Start it on the data that it had; return when it answers."""
        self._server.prepare()
        self._server.log.parent.mkdir(parents=True, exist_ok=True)
        command = self._server.command()
        with self._server.log.open("ab") as log:
            self._process = subprocess.Popen(
                command.argv,
                env=command.env,
                cwd=self._server.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_S
        while (fault := self._server.why_not_ready()) is not None:
            assert time.monotonic() < deadline, fault
            time.sleep(0.1)

    def kill(self) -> None:
        """`kill -9`."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def lose(self) -> None:
        """Take its data, while it runs."""
        delete_topic(self.url)
