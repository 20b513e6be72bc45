"""Small files that several processes read and write: whole or not at all, and private."""

import fcntl
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def write_private(path: Path, text: str) -> None:
    """Replace the file in one step; only its owner may read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any]:
    """The object in the file; empty when there is no file or when it is not readable as one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Replace the file with this object, readable by its owner alone."""
    write_private(path, json.dumps(content, indent=2, sort_keys=True) + "\n")


class Secrets:
    """Random passwords by name, made on first use and kept in one file of mode 600."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[str, str] = read_json(path)

    def get(self, name: str) -> str:
        """The secret of this name: letters and digits, safe in addresses and configuration files."""
        return self._known.get(name) or self._keep(name, secrets.token_hex(24), replace=False)

    def find(self, name: str) -> str | None:
        """The secret if it was ever made."""
        return self._known.get(name)

    def put(self, name: str, value: str) -> str:
        """Keep this value under this name."""
        return self._keep(name, value, replace=True)

    def _keep(self, name: str, value: str, *, replace: bool) -> str:
        # servers are prepared side by side: without the lock one's new password would be overwritten by the other's
        with locked(self.path.with_suffix(".lock")):
            kept = read_json(self.path)
            self._known = {**kept, name: value} if replace or name not in kept else kept
            if self._known != kept:
                write_json(self.path, self._known)
            return self._known[name]


@contextmanager
def locked(path: Path, *, shared: bool = False, wait: bool = True) -> Iterator[bool]:
    """Hold the lock behind this file; yields whether it was had. The system frees it when the process dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    with path.open("a+") as file:
        try:
            fcntl.flock(file, kind if wait else kind | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
