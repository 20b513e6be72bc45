"""What the platform asks of object storage. `tests/storage/test_contract.py` is what every adapter passes.

An adapter raises `core.errors.Unavailable` when the outcome is unknown (every call may be repeated) and `Rejected` when
repeating is useless.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

from django.core.files.storage import Storage


@dataclass(frozen=True, slots=True)
class Key:
    """What opens one bucket."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class BucketSize:
    """What is in a bucket; at least that much, if it was not counted to its end."""

    objects: int
    size_bytes: int
    is_complete: bool


class ObjectStore(Protocol):
    """Buckets, the key of each, and the files in it."""

    has_keys: bool  # whether a bucket is opened by a key of its own

    def bucket_exists(self, name: str) -> bool:
        """Say whether there is a bucket with this name."""

    def ensure_bucket(self, name: str) -> None:
        """Make the bucket unless it exists."""

    def delete_bucket_with_contents(self, name: str) -> None:
        """Abort open uploads, delete every object and version, then the bucket. Safe to repeat."""

    def measure_bucket(self, name: str, *, most: int) -> BucketSize:
        """Count the bucket's objects and their bytes, in thousands, until there are `most` or more."""

    def has_keyholder(self, bucket: str) -> bool:
        """Say whether somebody is registered who holds keys to this bucket."""

    def make_key(self, bucket: str) -> Key:
        """Make a new key that is good for this bucket alone; those made before stay."""

    def list_key_ids(self, bucket: str) -> list[str]:
        """Return the names of all keys to this bucket."""

    def delete_key(self, bucket: str, key_id: str) -> None:
        """Take one key out of force. Safe to repeat."""

    def delete_keyholder(self, bucket: str) -> None:
        """Delete the keys to this bucket, what they permit, and their holder. Safe to repeat."""

    def is_in_force(self, bucket: str, key: Key) -> bool:
        """Say whether the key opens its bucket by now."""

    def files(self, bucket: str, key: Key | None) -> Storage:
        """Return a storage for the files of one bucket, opened with its own key. Safe for many threads."""

    def write(self, bucket: str, name: str) -> AbstractContextManager[BinaryIO]:
        """Write a file of a bucket of the platform's own, of any length, in bounded memory.

        It is there, in place of an older one, when the block ends well; otherwise nothing is.
        """

    def read(self, bucket: str, name: str) -> AbstractContextManager[BinaryIO]:
        """Read a file of a bucket of the platform's own from its beginning. Raises FileNotFoundError."""

    def delete_file(self, bucket: str, name: str) -> None:
        """Delete a file of a bucket of the platform's own, and what writing it left unfinished. Safe to repeat."""
