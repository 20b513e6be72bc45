"""Django's default storage: the files of the current tenant, and of nobody else.

Bucket and key come from the context with each call. There is no argument with which to name another's, and outside of a
tenant every call is refused. An opened file stays bound to the bucket that it was opened in.
"""

import threading
import unicodedata
from collections import OrderedDict
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.core import signing
from django.core.files.base import File
from django.core.files.storage import Storage
from django.urls import reverse
from django.utils.deconstruct import deconstructible

from core.tenancy import require
from storage.adapters import Key, ObjectStore, store
from storage.keys.services import current_key
from storage.names import checked_name, content_type_of

MAX_OPEN_BUCKETS: Final = 64  # a client takes about 1 MB
LINK_LASTS_S: Final = 600


class OpenBuckets:
    """Storages by bucket and key, the least recently used dropped first. Whoever has one in use goes on with it."""

    def __init__(self, limit: int = MAX_OPEN_BUCKETS) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._open: OrderedDict[tuple[ObjectStore, str, str | None], Storage] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def get(self, adapter: ObjectStore, bucket: str, key: Key | None) -> Storage:
        """Return the storage for this bucket and key, made on first use."""
        name = (adapter, bucket, key.id if key else None)
        with self._lock:
            if found := self._open.get(name):
                self._open.move_to_end(name)
                return found
        made = adapter.files(bucket, key)
        with self._lock:
            found = self._open.setdefault(name, made)
            while len(self._open) > self._limit:
                self._open.popitem(last=False)
        return found


@deconstructible(path="storage.tenant_files.TenantFiles")
class TenantFiles(Storage):
    """Files of the current tenant. A name that could lead elsewhere is refused; a name that is taken gets another."""

    def __init__(self) -> None:
        self._buckets = OpenBuckets()

    def _files(self) -> Storage:
        return self._buckets.get(store(), require().bucket, current_key())

    def _open(self, name: str, mode: str = "rb") -> "File[Any]":
        return self._files().open(checked_name(name), mode)

    def _save(self, name: str, content: "File[Any]") -> str:
        return self._files()._save(checked_name(name), content)  # type: ignore[no-any-return, attr-defined]

    def save(self, name: str | None, content: Any, max_length: int | None = None) -> str:
        """Save a new file and return its name, which differs from `name` if that is taken."""
        return super().save(checked_name(name or getattr(content, "name", "") or ""), content, max_length)

    def get_valid_name(self, name: str) -> str:
        """Return a file's name fit for saving, written in one way."""
        return super().get_valid_name(unicodedata.normalize("NFC", name))

    def delete(self, name: str) -> None:
        """Delete a file; one that does not exist is no error."""
        self._files().delete(checked_name(name))

    def exists(self, name: str) -> bool:
        """Say whether the tenant has this file."""
        return self._files().exists(checked_name(name))

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        """Return the names of folders and files in a folder; "" is the bucket."""
        return self._files().listdir(checked_name(path, is_folder=True))

    def size(self, name: str) -> int:
        """Return a file's length in bytes. Raises FileNotFoundError."""
        return self._files().size(checked_name(name))

    def get_modified_time(self, name: str) -> datetime:
        """Return when the file was written. Raises FileNotFoundError."""
        return self._files().get_modified_time(checked_name(name))

    def content_type(self, name: str) -> str:
        """Return the media type with which the file is sent."""
        return content_type_of(checked_name(name))

    def url(self, name: str | None) -> str:
        """Return a path on the tenant's own address under which the file can be read for ten minutes.

        Who has it needs no sign-in; at another tenant's address it is worth nothing.
        """
        name = checked_name(name or "")
        return reverse("file_read", urlconf=settings.TENANT_URLCONF, args=[_signer().sign_object(name)])


def read_link(token: str) -> str:
    """Return the name of the file that a link of the current tenant's leads to. Raises signing.BadSignature."""
    return checked_name(_signer().unsign_object(token, max_age=LINK_LASTS_S))


def _signer() -> signing.TimestampSigner:
    return signing.TimestampSigner(salt=f"storage.file:{require().id}")
