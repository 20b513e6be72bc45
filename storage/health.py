from storage.buckets import bucket_exists


def object_storage() -> None:
    """S3 answers."""
    bucket_exists("px-health")
