"""Short lines with the time gone by: what a person sees while waiting, on a terminal or in a file."""

import os
import sys
import threading
import time

_lock = threading.Lock()
_began = float(os.environ.get("PLEXICA_BEGAN") or time.time())


def elapsed_s() -> float:
    """Seconds since the command was given."""
    return time.time() - _began


def say(text: str) -> None:
    """Print a line of progress to stderr, so that stdout stays free for results."""
    with _lock:
        print(f"[{elapsed_s():6.1f} s] {text}", file=sys.stderr, flush=True)
