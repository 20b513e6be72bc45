"""Names of files: which ones are taken, and what a name says of the content.

A name is refused, never mended: what one adapter would read as a way out of the tenant's bucket, or as another name for
the same file, exists in none.
"""

import mimetypes
import re
import unicodedata
from typing import Final

from django.core.exceptions import SuspiciousFileOperation

from core.errors import Rejected

MAX_NAME_BYTES: Final = 900  # S3 takes 1024; the rest is for what versions and parts append
MAX_PART_BYTES: Final = 255  # of a file system
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]\Z")
_BACKSLASH: Final = "\\"


def checked_bucket(name: str) -> str:
    """Return `name` if it may name a bucket, on S3 and as a folder. Raises Rejected."""
    if not _BUCKET.match(name):
        raise Rejected(part="object storage", code="InvalidBucketName")
    return name


def checked_name(name: str, *, is_folder: bool = False) -> str:
    """Return `name` unchanged if it names a file inside the bucket; with `is_folder` the empty name is the bucket itself.

    Raises SuspiciousFileOperation, which a page answers with 400.
    """
    if is_folder and name in ("", "/", "."):
        return ""
    if is_folder:
        name = name.removesuffix("/")
    if complaint := _complaint(name):
        raise SuspiciousFileOperation(f"The file name {name!r} is refused: it {complaint}.")
    return name


def _complaint(name: str) -> str | None:
    if not name.isprintable():
        return "has characters that cannot be seen"
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "is no Unicode text"
    if size > MAX_NAME_BYTES:
        return "is too long"
    if unicodedata.normalize("NFC", name) != name:
        return "could be written in two ways"
    return next(filter(None, map(_complaint_about_part, name.split("/"))), None)


def _complaint_about_part(part: str) -> str | None:
    looks_like = unicodedata.normalize("NFKC", part).strip()
    if looks_like in ("", ".", ".."):
        return "has a part that is empty or leads elsewhere"
    if _BACKSLASH in looks_like or "/" in looks_like:
        return "has a character that reads as a separator"
    if len(part.encode()) > MAX_PART_BYTES:
        return "has a part that is too long"
    return None


def content_type_of(name: str) -> str:
    """Return the media type that follows from the name; what an uploader claims is not believed."""
    kind, encoding = mimetypes.guess_type(name, strict=True)
    return kind if kind and not encoding else "application/octet-stream"
