import secrets

import pytest

from core.ids import uuid7
from core.tenancy import TenantRef
from storage.adapters import store
from storage.keys import services


@pytest.fixture(params=["s3", "files"])
def adapter(request, settings, tmp_path):
    """Each adapter in turn, chosen as settings choose it."""
    settings.STORAGE_ROOT = str(tmp_path / "files")
    settings.STORAGE = request.param
    yield store()
    store.cache_clear()


@pytest.fixture
def new_bucket(adapter):
    """Makes buckets of names that nobody had; they are taken away after the test."""
    made = []

    def make():
        name = f"px-testing-{secrets.token_hex(6)}"
        made.append(name)
        adapter.ensure_bucket(name)
        return name

    yield make
    for name in made:
        adapter.delete_keyholder(name)
        adapter.delete_bucket_with_contents(name)


@pytest.fixture
def opened(adapter, new_bucket):
    """Opens a new bucket's files with a key of its own."""

    def give(bucket=None):
        bucket = bucket or new_bucket()
        return adapter.files(bucket, key_to(adapter, bucket))

    return give


def key_to(adapter, bucket):
    """A key that is in force."""
    if not adapter.has_keys:
        return None
    key = adapter.make_key(bucket)
    ref = TenantRef(uuid7(), "x", "X", "t_x", "px_x", "active", bucket=bucket)
    services.wait_until_in_force(ref, key)
    return key
