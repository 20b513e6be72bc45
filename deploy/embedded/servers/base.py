"""What the stack asks of every server."""

import importlib.util
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from deploy.embedded.errors import StackError
from deploy.embedded.files import Secrets
from deploy.embedded.paths import Tree
from deploy.embedded.processes import FRIENDLY, Nudge


@dataclass(frozen=True)
class Command:
    """How a server's process is started."""

    argv: Sequence[str | Path]
    env: dict[str, str] = field(default_factory=dict)


class Server(ABC):
    """One real server of one checkout: its folder, its ports, how it starts and how it shows that it is ready."""

    name: ClassVar[str]
    title: ClassVar[str]
    port_names: ClassVar[tuple[str, ...]]  # the first one is the address that clients use
    needs: ClassVar[tuple[str, ...]] = ()  # servers that must be ready before
    start_timeout_s: ClassVar[float] = 60
    nudges: ClassVar[Sequence[Nudge]] = FRIENDLY

    def __init__(self, tree: Tree, ports: dict[str, int], secrets: Secrets) -> None:
        self.tree = tree
        self.ports = ports
        self.secrets = secrets
        self.folder = tree.stack / self.name
        self.log = tree.logs / f"{self.name}.log"

    @property
    def port(self) -> int:
        return self.ports[self.port_names[0]]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    @abstractmethod
    def program(self) -> Path:
        """The executable that the server's process runs."""

    @abstractmethod
    def version(self) -> str:
        """The server's own version, without starting anything."""

    def prepare(self) -> None:
        """Make folders and configuration. Safe to repeat; the server is not running."""
        self.folder.mkdir(parents=True, exist_ok=True)

    @abstractmethod
    def command(self) -> Command: ...

    @abstractmethod
    def why_not_ready(self) -> str | None:
        """Ask the server something in its own protocol; None when it answers as it should.

        Raises StackError when waiting longer is pointless.
        """

    def after_start(self) -> None:  # noqa: B027 -- most servers need nothing
        """Make what clients expect to find. Safe to repeat."""

    def after_stop(self) -> None:  # noqa: B027
        """Remove what the server leaves outside its folder."""

    @abstractmethod
    def settings(self) -> dict[str, str]:
        """The PLEXICA_* variables that lead to this server."""


def environment(**extra: str) -> dict[str, str]:
    """This process's environment for a server: none of our own variables, and these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PLEXICA_", "PYTHON", "PG"))}
    return {**kept, **extra}


def wheel_folder(package: str) -> Path:
    """Where a package of the `stack` group is installed, without running its code."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise StackError(f"The package {package} is missing. Set up the environment with: bin/_venv")
    return Path(found.origin).resolve().parent
