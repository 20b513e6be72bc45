"""Makes, finds and deletes the buckets of tenants, with whichever adapter settings choose."""

from storage.adapters import store
from storage.adapters.port import BucketSize

MOST_COUNTED = 20_000  # objects: S3 gives a thousand at a time


def bucket_exists(name: str) -> bool:
    """Say whether there is a bucket with this name."""
    return store().bucket_exists(name)


def ensure_bucket(name: str) -> None:
    """Make the bucket unless it exists."""
    store().ensure_bucket(name)


def delete_bucket_with_contents(name: str) -> None:
    """Delete the keys to a bucket first, then every object and version, then the bucket. Safe to repeat."""
    store().delete_keyholder(name)
    store().delete_bucket_with_contents(name)


def measure_bucket(name: str) -> BucketSize:
    """Count what is in a bucket; of a very large one only the beginning."""
    return store().measure_bucket(name, most=MOST_COUNTED)
