"""A folder for each bucket below one root: for installations of one machine. Folders have no keys."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Final

from django.conf import settings
from django.core.files.storage import FileSystemStorage

from core.errors import Rejected, Unavailable
from core.tenancy import ask_guard
from storage.adapters.port import BucketSize, Key
from storage.names import checked_bucket, checked_name

_NO_KEYS: Final = "a folder has no keys"


class BucketFolder(FileSystemStorage):
    """Files of one bucket, readable by the platform's own user alone."""

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        """Return folders and files in a folder; one that does not exist is empty, as in S3."""
        try:
            return super().listdir(path)
        except FileNotFoundError:
            return [], []

    def _save(self, name: str, content: Any) -> str:
        self._refuse_if_deleted()
        return super()._save(name, content)  # type: ignore[no-any-return, misc]

    def _open(self, name: str, mode: str = "rb") -> Any:
        if "w" in mode:
            self._refuse_if_deleted()
            Path(self.path(name)).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return super()._open(name, mode)  # type: ignore[misc]

    def _refuse_if_deleted(self) -> None:
        """Django would make the folder anew, and a deleted tenant would have a file again."""
        if not Path(self.location).is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.location)


class FileStore:
    has_keys = False

    def bucket_exists(self, name: str) -> bool:
        with _translated():
            return self._folder(name).is_dir()

    def ensure_bucket(self, name: str) -> None:
        ask_guard()
        with _translated():
            self._folder(name).mkdir(parents=True, exist_ok=True, mode=0o700)

    def delete_bucket_with_contents(self, name: str) -> None:
        ask_guard()
        with _translated(), suppress(FileNotFoundError):  # it was gone before
            shutil.rmtree(self._folder(name))

    def measure_bucket(self, name: str, *, most: int) -> BucketSize:
        objects = size_bytes = 0
        with _translated():
            for folder, _folders, files in os.walk(self._folder(name)):
                for file in files:
                    with suppress(FileNotFoundError):  # deleted since it was listed
                        size_bytes += (Path(folder) / file).stat().st_size
                        objects += 1
                if objects >= most:
                    return BucketSize(objects, size_bytes, is_complete=False)
        return BucketSize(objects, size_bytes, is_complete=True)

    def has_keyholder(self, bucket: str) -> bool:
        return False

    def make_key(self, bucket: str) -> Key:
        raise NotImplementedError(_NO_KEYS)

    def list_key_ids(self, bucket: str) -> list[str]:
        return []

    def delete_key(self, bucket: str, key_id: str) -> None:
        raise NotImplementedError(_NO_KEYS)

    def delete_keyholder(self, bucket: str) -> None:
        """Nothing to delete."""

    def is_in_force(self, bucket: str, key: Key) -> bool:
        raise NotImplementedError(_NO_KEYS)

    def files(self, bucket: str, key: Key | None) -> BucketFolder:
        return BucketFolder(
            location=str(self._folder(bucket)), file_permissions_mode=0o600, directory_permissions_mode=0o700
        )

    @contextmanager
    def write(self, bucket: str, name: str) -> Iterator[BinaryIO]:
        path = self._file(bucket, name)
        unfinished = path.with_name(f"{path.name}.unfinished")
        with _translated():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                yield file
            unfinished.replace(path)

    @contextmanager
    def read(self, bucket: str, name: str) -> Iterator[BinaryIO]:
        with self._file(bucket, name).open("rb") as file:
            yield file

    def delete_file(self, bucket: str, name: str) -> None:
        path = self._file(bucket, name)
        with _translated():
            path.unlink(missing_ok=True)
            path.with_name(f"{path.name}.unfinished").unlink(missing_ok=True)

    def _file(self, bucket: str, name: str) -> Path:
        return self._folder(bucket) / checked_name(name)

    def _folder(self, name: str) -> Path:
        return Path(settings.STORAGE_ROOT) / checked_bucket(name)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except PermissionError as error:
        raise Rejected(part="object storage", code=os.strerror(error.errno or 0)) from error
    except OSError as error:
        raise Unavailable(part="object storage") from error
