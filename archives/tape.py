"""The archive's outer form: a tar of files, zipped, written and read from front to back in bounded memory.

The last entry lists all others with length and SHA-256, so that a reader that met anything else knows it. The reader takes
plain files alone, and of the tar format only what the writer writes: no links, no devices, no sparse files, no long lists
of options that would have to be kept in memory.
"""

import gzip
import hashlib
import io
import json
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, Final, cast

from django.conf import settings
from django.utils.translation import gettext as _

from archives.errors import ArchiveRefused, FileChanged

LISTING: Final = "contents.jsonl"
BLOCK: Final = 512
CHUNK: Final = 256 * 1024
SPOOL: Final = 4 * 1024 * 1024
MAX_OPTIONS: Final = 8 * 1024
LEVEL: Final = 4  # a third faster than 6, and hardly larger


@dataclass(frozen=True, slots=True)
class Written:
    """What a writer has written."""

    size_bytes: int
    sha256: str
    entries: int


class _Sink(io.RawIOBase):
    """Counts and hashes what goes through."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self.size, self.hash = 0, hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._target.write(data)
        self.hash.update(data)
        self.size += len(data)
        return len(data)


class Writer:
    """Writes an archive entry by entry; `finish` ends it."""

    def __init__(self, target: BinaryIO, *, made_at: datetime) -> None:
        self._sink = _Sink(target)
        self._zip = gzip.GzipFile(filename="", fileobj=self._sink, mode="wb", compresslevel=LEVEL, mtime=0)
        self._listing = cast("BinaryIO", SpooledTemporaryFile(SPOOL))  # noqa: SIM115 - `finish` closes it
        self._made_at = int(made_at.timestamp())
        self._entries = 0

    def add(self, name: str, data: bytes) -> None:
        """Write an entry that lies in memory."""
        self.add_stream(name, len(data), [data])

    def add_file(self, name: str, file: BinaryIO) -> None:
        """Write an entry from a file that can be measured."""
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        self.add_stream(name, size, iter(lambda: file.read(CHUNK), b""))

    def add_stream(self, name: str, size: int, chunks: Iterable[bytes]) -> None:
        """Write an entry of `size` bytes. Raises FileChanged if there are more or fewer."""
        digest = self._entry(name, size, chunks)
        line = {"name": name, "bytes": size, "sha256": digest}
        self._listing.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        self._entries += 1

    def finish(self) -> Written:
        """Write the listing and the end."""
        size = self._listing.tell()
        self._listing.seek(0)
        self._entry(LISTING, size, iter(lambda: self._listing.read(CHUNK), b""))
        self._zip.write(bytes(2 * BLOCK))
        self._zip.close()
        self._listing.close()
        return Written(self._sink.size, self._sink.hash.hexdigest(), self._entries)

    def _entry(self, name: str, size: int, chunks: Iterable[bytes]) -> str:
        info = tarfile.TarInfo(name)
        info.size, info.mtime, info.mode = size, self._made_at, 0o600
        self._zip.write(info.tobuf(tarfile.PAX_FORMAT))
        written, digest = 0, hashlib.sha256()
        for chunk in chunks:
            self._zip.write(chunk)
            digest.update(chunk)
            written += len(chunk)
        if written != size:
            raise FileChanged(name=name)
        self._zip.write(bytes(-size % BLOCK))
        return digest.hexdigest()


class Entry:
    """One entry under the reader's head: read once, in order."""

    def __init__(self, name: str, size: int, reader: "Reader") -> None:
        self.name, self.size = name, size
        self._reader = reader
        self._left = size
        self._hash = hashlib.sha256()

    def chunks(self) -> Iterator[bytes]:
        """Yield what is left of it, piece by piece."""
        while self._left:
            chunk = self._reader.take(min(CHUNK, self._left))
            self._left -= len(chunk)
            self._hash.update(chunk)
            yield chunk

    def read(self, limit: int) -> bytes:
        """Return all of it. Raises ArchiveRefused if that is more than `limit` bytes."""
        if self.size > limit:
            raise ArchiveRefused(reason=_("%(name)s is too long") % {"name": self.name})
        return b"".join(self.chunks())

    def finish(self) -> str:
        """Skip what nobody read and return the SHA-256 of all."""
        for _chunk in self.chunks():
            pass
        self._reader.skip_padding(self.size)
        return self._hash.hexdigest()


class Reader:
    """Reads an archive from front to back. Whatever is not as it was written raises ArchiveRefused."""

    def __init__(self, source: BinaryIO, *, max_bytes: int | None = None) -> None:
        self._zip = gzip.GzipFile(fileobj=source, mode="rb")
        self._taken = 0
        self._max_bytes = max_bytes

    def entries(self) -> Iterator[Entry]:
        """Yield every entry but the listing, and compare with it at the end: only then is what was read sure to be whole."""
        with cast("BinaryIO", SpooledTemporaryFile(SPOOL)) as seen:
            while (entry := self._next()) is not None:
                if entry.name == LISTING:
                    self._compare(entry, seen)
                    return
                yield entry
                line = {"name": entry.name, "bytes": entry.size, "sha256": entry.finish()}
                seen.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        raise ArchiveRefused(reason=_("its list of contents is missing"))

    def _compare(self, listing: Entry, seen: BinaryIO) -> None:
        length = seen.tell()
        seen.seek(0)
        same = listing.size == length
        for chunk in listing.chunks():
            same = same and seen.read(len(chunk)) == chunk
        listing.finish()
        if not same:
            raise ArchiveRefused(reason=_("a checksum differs"))
        if self.take(2 * BLOCK).strip(b"\0") or self._read(1):
            raise ArchiveRefused(reason=_("something follows its end"))

    def take(self, size: int) -> bytes:
        """Return exactly `size` bytes."""
        data = self._read(size)
        while len(data) < size:
            more = self._read(size - len(data))
            if not more:
                raise ArchiveRefused(reason=_("it breaks off"))
            data += more
        return data

    def skip_padding(self, size: int) -> None:
        """Go to the next block."""
        if self.take(-size % BLOCK).strip(b"\0"):
            raise ArchiveRefused(reason=_("something stands between its entries"))

    def _read(self, size: int) -> bytes:
        try:
            data = self._zip.read(size)
        except (gzip.BadGzipFile, EOFError, zlib.error):
            raise ArchiveRefused(reason=_("it is no archive, or breaks off")) from None
        self._taken += len(data)
        if self._taken > settings.ARCHIVE_MAX_BYTES:
            raise ArchiveRefused(reason=_("it unpacks to more than PLEXICA_ARCHIVE_MAX_GB permits"))
        if self._max_bytes is not None and self._taken > self._max_bytes:
            raise ArchiveRefused(reason=_("it unpacks to more than PLEXICA_IMPORT_MAX_MB permits here"))
        return data

    def _next(self) -> Entry | None:
        header = self._header()
        if header is None:
            return None
        options: dict[str, str] = {}
        if header.type == tarfile.XHDTYPE:
            options = self._options(header.size)
            header = self._header()
        if header is None or header.type != tarfile.REGTYPE:
            raise ArchiveRefused(reason=_("it holds something that is no plain file"))
        size = int(options.get("size", header.size))
        if size < 0:
            raise ArchiveRefused(reason=_("a header is damaged"))
        return Entry(options.get("path", header.name), size, self)

    def _header(self) -> tarfile.TarInfo | None:
        block = self.take(BLOCK)
        if not block.strip(b"\0"):
            return None
        try:
            return tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        except (tarfile.HeaderError, ValueError):
            raise ArchiveRefused(reason=_("a header is damaged")) from None

    def _options(self, size: int) -> dict[str, str]:
        """Return path and size from a pax header: records of `<length> <name>=<value>\\n`."""
        if not 0 < size <= MAX_OPTIONS:
            raise ArchiveRefused(reason=_("a header is damaged"))
        left, found = self.take(size), {}
        self.skip_padding(size)
        try:
            while left:
                length = int(left[: left.index(b" ")])
                record, left = left[:length], left[length:]
                name, value = record[record.index(b" ") + 1 : -1].decode().split("=", 1)
                found[name] = value
                if record[-1:] != b"\n" or name not in ("path", "size"):
                    raise ValueError(name)
            int(found.get("size", "0"))
        except ValueError:
            raise ArchiveRefused(reason=_("a header is damaged")) from None
        return found
