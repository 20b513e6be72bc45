"""Takes a copy of an export to a file or to standard output."""

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from django.core.management.base import CommandError

from archives.services.exports import open_export
from archives.tape import SPOOL
from core.actors import SYSTEM

STDOUT = "-"


def take_copy(archive_id: UUID, output: str) -> None:
    """Write an export to `output`, whole or not at all. Raises CommandError if the copy is not what was made."""
    with open_export(archive_id=archive_id, actor=SYSTEM) as (archive, source), _opened(output) as target:
        copied = _Hashing(target)
        shutil.copyfileobj(source, copied, SPOOL)
        if copied.hash.hexdigest() != archive.sha256:
            raise CommandError("The copy differs from what was exported. Try again.")


class _Hashing:
    def __init__(self, target: BinaryIO) -> None:
        self._target, self.hash = target, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        return self._target.write(data)


@contextmanager
def _opened(output: str) -> Iterator[BinaryIO]:
    if output == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(output)
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as target:
            yield target
        unfinished.replace(path)
    except OSError as error:
        raise CommandError(f"{output} cannot be written: {error.strerror}") from None
    finally:
        unfinished.unlink(missing_ok=True)


def refuse_taken(output: str) -> None:
    """Raise CommandError if a file is in the way or none can be made there, before any work is done."""
    if not output or output == STDOUT:
        return
    if Path(output).exists():
        raise CommandError(f"{output} exists already. Choose another name, or remove it.")
    if not os.access(Path(output).parent, os.W_OK | os.X_OK):
        raise CommandError(f"{output} cannot be written: its directory does not exist, or is not yours to write to.")
