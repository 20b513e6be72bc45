"""Where archives lie: a bucket of the platform's own, which no tenant's key opens."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from django.utils import timezone

from archives.errors import ArchiveNotFound
from archives.models import Archive
from core.tenancy.names import archive_bucket_name
from storage.adapters import store
from tenants.selectors import installation_code


def address_of(archive: Archive) -> tuple[str, str]:
    """Return the bucket, and the name in it."""
    return archive_bucket_name(installation_code()), archive.object_name


@contextmanager
def writing(archive: Archive) -> Iterator[BinaryIO]:
    """Write an archive's file; it is there when the block ends well, in place of what an earlier attempt left."""
    bucket, name = address_of(archive)
    store().ensure_bucket(bucket)
    with store().write(bucket, name) as target:
        yield target


@contextmanager
def reading(archive: Archive) -> Iterator[BinaryIO]:
    """Read an archive's file from its beginning. Raises ArchiveNotFound if it is gone."""
    if archive.removed_at:
        raise ArchiveNotFound
    opening = store().read(*address_of(archive))
    try:
        source = opening.__enter__()
    except FileNotFoundError:
        raise ArchiveNotFound from None
    try:
        yield source
    finally:
        opening.__exit__(None, None, None)


def discard(archive: Archive) -> bool:
    """Remove an archive's file for good, or what there is of it; False if that was done before. Safe to repeat."""
    store().delete_file(*address_of(archive))
    return bool(Archive.objects.filter(pk=archive.pk, removed_at=None).update(removed_at=timezone.now()))
