"""Takes archives that operators send, to disk and no further than the settings permit."""

from typing import Any

from django.conf import settings
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http import HttpRequest

from archives.errors import ArchiveTooLarge

FORM_MAX_BYTES = 64 * 1024  # what stands around the file


class ArchiveUpload(TemporaryFileUploadHandler):
    """Writes what comes into a temporary file, which is gone when the request ends. Raises ArchiveTooLarge."""

    chunk_size = 256 * 1024

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self._size = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> Any:
        self._size += len(raw_data)
        refuse_too_large(self._size)
        return super().receive_data_chunk(raw_data, start)


def refuse_too_large(size_bytes: int) -> None:
    """Raise ArchiveTooLarge for more than the settings permit."""
    if size_bytes > settings.IMPORT_MAX_BYTES:
        raise ArchiveTooLarge(limit_mb=settings.IMPORT_MAX_BYTES // 1_000_000)


def announced_size(request: HttpRequest) -> int:
    """Return how long the request says that its body is."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    return int(length) if length.isdecimal() else 0
