"""Makes, finds and deletes buckets over S3."""

from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from core.errors import Rejected, Unavailable

MISSING = {"404", "NoSuchBucket", "NotFound"}
OURS_ALREADY = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}


@cache
def _client() -> Any:
    return boto3.client(
        "s3",
        endpoint_url=settings.S3_ENDPOINT_URL,
        aws_access_key_id=settings.S3_ACCESS_KEY,
        aws_secret_access_key=settings.S3_SECRET_KEY,
        region_name=settings.S3_REGION,
        config=Config(
            connect_timeout=2,
            read_timeout=10,
            retries={"max_attempts": 1},
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def _call(name: str, **arguments: Any) -> Any:
    """Call S3. Raises Unavailable when the outcome is unknown, Rejected when repeating is useless; ClientError passes 404."""
    try:
        return getattr(_client(), name)(**arguments)
    except BotoCoreError as error:
        raise Unavailable(part="object storage") from error
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in MISSING | OURS_ALREADY:
            raise
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
        raise (Unavailable if status >= 500 else Rejected)(part="object storage", code=code) from error


def bucket_exists(name: str) -> bool:
    """Say whether there is a bucket with this name."""
    try:
        _call("head_bucket", Bucket=name)
    except ClientError:
        return False
    return True


def ensure_bucket(name: str) -> None:
    """Make the bucket unless it exists."""
    try:
        _call("create_bucket", Bucket=name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in OURS_ALREADY:
            raise Rejected(part="object storage") from error


def delete_bucket_with_contents(name: str) -> None:
    """Abort open uploads, delete every object and version, then the bucket. Safe to repeat."""
    try:
        for upload in _call("list_multipart_uploads", Bucket=name).get("Uploads", []):
            _call("abort_multipart_upload", Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
        while found := _some_objects(name):
            _call("delete_objects", Bucket=name, Delete={"Objects": found, "Quiet": True})
        _call("delete_bucket", Bucket=name)
    except ClientError:
        return  # it was gone before


def _some_objects(name: str) -> list[dict[str, str]]:
    page = _call("list_object_versions", Bucket=name, MaxKeys=500)
    entries = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
    if entries:
        return [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in entries]
    plain = _call("list_objects_v2", Bucket=name, MaxKeys=500).get("Contents", [])
    return [{"Key": entry["Key"]} for entry in plain]
