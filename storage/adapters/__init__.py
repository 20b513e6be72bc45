"""The port to object storage, and the one adapter that settings choose."""

from functools import cache

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from storage.adapters.port import Key, ObjectStore

__all__ = ["ADAPTERS", "Key", "ObjectStore", "store"]

ADAPTERS = {"s3": "storage.adapters.s3.store.S3Store", "files": "storage.adapters.filesystem.FileStore"}


@cache
def store() -> ObjectStore:
    """Return this process's adapter."""
    adapter: ObjectStore = import_string(ADAPTERS[settings.STORAGE])()
    return adapter


def _forget(*, setting: str, **_: object) -> None:
    """Tests change settings."""
    if setting in ("STORAGE", "STORAGE_ROOT"):
        store.cache_clear()


setting_changed.connect(_forget)
