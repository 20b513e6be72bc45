"""Which Node this checkout uses. Standard library alone: the bootstrap asks before anything is installed."""

import re
import shutil
import subprocess
from pathlib import Path

LEAST_MAJOR = 20


def bin_folder(root: Path) -> Path:
    """The folder with `node` and `npm`: the machine's if recent enough, else those that came as a wheel."""
    node, npm = shutil.which("node"), shutil.which("npm")
    own = root / ".venv" / "bin"
    if node and npm and Path(node).parent != own and (major(node) or 0) >= LEAST_MAJOR:
        return Path(node).parent
    return own


def major(node: str) -> int | None:
    """The major version of this Node; None when it does not run."""
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return None
    found = re.match(r"v(\d+)\.", said)
    return int(found.group(1)) if found else None
