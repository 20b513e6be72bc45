"""Where a checkout keeps what it makes while running."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Tree:
    """A checkout. Everything made at run time is below `var/`."""

    root: Path

    @classmethod
    def here(cls) -> "Tree":
        """The checkout that this file belongs to."""
        return cls(Path(__file__).resolve().parents[2])

    @property
    def stack(self) -> Path:
        return self.root / "var" / "stack"

    @property
    def logs(self) -> Path:
        return self.stack / "logs"

    @property
    def demo(self) -> Path:
        return self.root / "var" / "demo"

    def shorten(self, path: Path) -> str:
        """The path as a person in the checkout would type it."""
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)
