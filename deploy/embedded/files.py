"""Small files that several processes read and write: whole or not at all, and private."""

import fcntl
import json
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
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
    """Random passwords by name, made on first use and kept in one file of mode 600.

    Several threads and processes may ask at once: all get the same.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock_file = path.with_name(f".{path.name}.lock")

    def find(self, name: str) -> str | None:
        """The secret if it was ever made."""
        return read_json(self.path).get(name)

    def get(self, name: str, make: Callable[[], str] = lambda: secrets.token_hex(24)) -> str:
        """The secret of this name; letters and digits, safe in addresses and configuration, unless `make` differs."""
        found = self.find(name)
        if found:
            return found
        with locked(self._lock_file):
            known = read_json(self.path)
            if name not in known:
                known[name] = make()
                write_json(self.path, known)
            return str(known[name])


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
