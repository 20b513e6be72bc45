"""After a whole run: a few tests that failed beside the others run once more, alone, and what passes then is named."""

import json
import subprocess
import sys
from pathlib import Path

FAILED = Path(".pytest_cache/v/cache/lastfailed")
MOST = 8  # more at once is no accident
# what happens once there can happen to a user: tests of races, of isolation, of attacks
SURE = ("tests/attacks/", "tests/isolation/", "tests/storage/", "at_once", "second_click", "few_threads")
UNSTEADY = """
  *** UNSTEADY: failed beside the others, passed alone. Each is a defect of the test or of what it tests: ***
{names}
"""


def failures(root: Path) -> list[str]:
    """Return the tests that failed in the last run, set-ups included."""
    try:
        return sorted(json.loads((root / FAILED).read_text()))
    except FileNotFoundError:
        return []


def passes(root: Path, python: Path, env: dict[str, str]) -> bool:
    """Run the last run's failures alone; say whether all pass, and whether they may be looked at twice at all."""
    names = failures(root)
    if not names or len(names) > MOST or any(sure in name for name in names for sure in SURE):
        return False
    print("\nA second look at what failed, alone:", flush=True)
    alone: list[str | Path] = [python, "-m", "pytest", "--last-failed", "--last-failed-no-failures", "none"]
    if subprocess.run(alone, cwd=root, env=env, check=False).returncode:
        return False
    print(UNSTEADY.format(names="\n".join(f"  ***   {name}" for name in names)), file=sys.stderr, flush=True)
    return True
