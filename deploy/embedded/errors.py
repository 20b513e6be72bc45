"""What goes wrong here ends as one sentence on the terminal."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class StackError(Exception):
    """Something that the person at the terminal can mend; the message says what and how."""


class Stopped(BaseException):
    """The person (Ctrl-C) or the system (SIGTERM) wants this program to end. No error: cleaning up goes on."""


@contextmanager
def one_sentence(program: str) -> Iterator[None]:
    """End the program with a sentence instead of a traceback for what a person can mend."""
    try:
        yield
    except (KeyboardInterrupt, Stopped):
        print(f"{program}: stopped.", file=sys.stderr)
        sys.exit(130)
    except StackError as error:
        print(f"{program}: {error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EPERM}:
            raise
        where = f" ({error.filename})" if error.filename else ""
        print(f"{program}: {os.strerror(error.errno)}{where}.", file=sys.stderr)
        sys.exit(1)
