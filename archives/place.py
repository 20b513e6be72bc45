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


def _bucket() -> str:
    return archive_bucket_name(installation_code())


@contextmanager
def writing(archive: Archive) -> Iterator[BinaryIO]:
    """Write an archive's file; it is there when the block ends well, in place of what an earlier attempt left."""
    store().ensure_bucket(_bucket())
    with store().write(_bucket(), archive.object_name) as target:
        yield target


@contextmanager
def reading(archive: Archive) -> Iterator[BinaryIO]:
    """Read an archive's file from its beginning. Raises ArchiveNotFound if it is gone."""
    if archive.removed_at:
        raise ArchiveNotFound
    opening = store().read(_bucket(), archive.object_name)
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
    store().delete_file(_bucket(), archive.object_name)
    return bool(Archive.objects.filter(pk=archive.pk, removed_at=None).update(removed_at=timezone.now()))
