"""Steps that are left out while what they were made from has not changed."""

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from deploy.embedded.files import read_json, write_json
from deploy.embedded.paths import Tree

NOT_OURS = {
    ".git",
    ".venv",
    "node_modules",
    "staticfiles",
    "site",
    "var",
    "vendor",
    "__pycache__",
    "tests",
    "benchmarks",
    "docs",
}


class Stamps:
    """Remembers from what each step's result was made, in one file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def is_fresh(self, step: str, fingerprint: str, results: Iterable[Path] = ()) -> bool:
        """Whether the step ran with exactly this, and its results are still there."""
        return read_json(self.path).get(step) == fingerprint and all(result.exists() for result in results)

    def put(self, step: str, fingerprint: str) -> None:
        write_json(self.path, {**read_json(self.path), step: fingerprint})


def fingerprint(tree: Tree, files: Iterable[Path], *more: str) -> str:
    """A digest of these files' names and contents and of some more words."""
    digest = hashlib.sha256("\0".join(more).encode())
    for file in sorted(files):
        digest.update(f"\n{file.relative_to(tree.root)}\n".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def sources(tree: Tree, fits: Callable[[Path], bool], below: str = ".") -> list[Path]:
    """Our own files below a folder that fit."""
    found = []
    for folder, folders, names in os.walk(tree.root / below):  # Path.walk came with Python 3.12
        folders[:] = [name for name in folders if name not in NOT_OURS]
        found += [Path(folder) / name for name in names if fits(Path(folder) / name)]
    return found
