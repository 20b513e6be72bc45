"""S3, with the keys of buckets made over the IAM API: AWS, or SeaweedFS, which answers both at one address.

The holder of a bucket's keys is an IAM user of the bucket's name; its one policy names that bucket.
"""

import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, BinaryIO, Final, cast

import boto3
from boto3.exceptions import S3UploadFailedError
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from django.conf import settings
from django.core.files.storage import Storage
from storages.backends.s3 import S3Storage

from core.errors import PlexicaError, Rejected, Unavailable
from core.tenancy import ask_guard
from storage.adapters.port import BucketSize, Key
from storage.names import checked_bucket, checked_name, content_type_of

MISSING: Final = {"404", "NoSuchBucket", "NoSuchKey", "NotFound", "NoSuchEntity"}
OURS_ALREADY: Final = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists", "EntityAlreadyExists"}
NOT_YET: Final = {"403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"}
TAKEN: Final = {"412", "PreconditionFailed", "ConditionalRequestConflict"}
BUSY: Final = {"InternalError", "ServiceUnavailable", "SlowDown"}
POLICY: Final = "own-bucket"
SPOOL_BYTES: Final = 4 * 1024 * 1024  # a file that is read lies in memory up to here, on disk beyond
PART_BYTES: Final = 8 * 1024 * 1024  # of a file that is written without knowing its length

_session_lock = threading.Lock()  # boto3's sessions make one client at a time; the clients serve any thread


@cache
def _session() -> boto3.Session:
    return boto3.Session()


def _config() -> Config:
    return Config(
        connect_timeout=2,
        read_timeout=10,
        retries={"max_attempts": 1},
        s3={"addressing_style": "path"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )


def _client(service: str, endpoint: str | None, key: Key) -> Any:
    with _session_lock:
        return _session().client(
            service,  # type: ignore[call-overload]
            endpoint_url=endpoint,
            aws_access_key_id=key.id,
            aws_secret_access_key=key.secret,
            region_name=settings.S3_REGION,
            config=_config(),
        )


@cache
def _resources() -> type[Any]:
    """Return the class of boto3's S3 resources: its objects are cheap, and no two threads may share one."""
    with _session_lock:
        return type(_session().resource("s3", region_name=settings.S3_REGION, endpoint_url="http://127.0.0.1:9"))


def code_of(error: ClientError) -> str:
    """Return the server's own word for what it refused."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _translation(error: Exception) -> PlexicaError:
    """Return Unavailable when the outcome is unknown, Rejected when repeating is useless."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
        return (Unavailable if status >= 500 else Rejected)(part="object storage", code=code_of(error))
    return Unavailable(part="object storage")


@contextmanager
def translated() -> Iterator[None]:
    """Raise our errors instead of boto3's. A file that is missing is Python's own FileNotFoundError."""
    try:
        yield
    except ClientError as error:
        if code_of(error) in MISSING:
            raise FileNotFoundError(str(error)) from error
        raise _translation(error) from error
    except (BotoCoreError, HTTPClientError, S3UploadFailedError) as error:
        raise _translation(error) from error


class BucketFiles(S3Storage):  # type: ignore[misc]
    """Files of one bucket. One client serves all threads; boto3's resources, which may not be shared, are made anew."""

    def __init__(self, bucket: str, key: Key) -> None:
        self._client = _client("s3", settings.S3_ENDPOINT_URL, key)
        super().__init__(
            bucket_name=bucket,
            access_key=key.id,
            secret_key=key.secret,
            security_token=None,
            session_profile=None,
            custom_domain=None,
            location="",
            default_acl=None,
            gzip=False,
            querystring_auth=True,
            file_overwrite=False,
            max_memory_size=SPOOL_BYTES,
            client_config=_config(),
            transfer_config=TransferConfig(use_threads=False),
        )

    @property
    def connection(self) -> Any:
        return _resources()(client=self._client)

    @property
    def bucket(self) -> Any:
        return self.connection.Bucket(self.bucket_name)

    def get_object_parameters(self, name: str) -> dict[str, Any]:
        """What an upload is sent with; the type follows from the name, whatever the uploader claims."""
        return {"ContentType": content_type_of(name)}

    def _open(self, name: str, mode: str = "rb") -> Any:
        with translated():
            opened = super()._open(name, mode)
            if "r" in mode:
                opened.file  # noqa: B018 -- fetched now: later its errors would be boto3's
            return opened

    def _save(self, name: str, content: Any) -> str:
        """Claim the name, then fill it: of two that save it at once the second gets another name."""
        with translated():
            while not self._claim(name):
                name = self.get_available_name(name)
            try:
                return str(super()._save(name, content))
            except BaseException:
                self._client.delete_object(Bucket=self.bucket_name, Key=name)
                raise

    def _claim(self, name: str) -> bool:
        try:
            self._client.put_object(
                Bucket=self.bucket_name, Key=name, Body=b"", IfNoneMatch="*", ContentType=content_type_of(name)
            )
        except ClientError as error:
            if code_of(error) in TAKEN:
                return False
            raise
        return True

    def exists(self, name: str) -> bool:
        with translated():
            return bool(super().exists(name))

    def delete(self, name: str) -> None:
        with translated():
            super().delete(name)

    def listdir(self, name: str) -> tuple[list[str], list[str]]:
        with translated():
            folders, files = super().listdir(name)
            return folders, files

    def size(self, name: str) -> int:
        with translated():
            return int(super().size(name))

    def get_modified_time(self, name: str) -> Any:
        with translated():
            return super().get_modified_time(name)


class Upload(io.RawIOBase):
    """A file that is sent in parts while it is written, and exists when `complete` was called."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call
        self._id = call("create_multipart_upload", ContentType="application/octet-stream")["UploadId"]
        self._waiting = bytearray()
        self._parts: list[dict[str, Any]] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        """Take all of `data`; what fills a part is sent."""
        self._waiting += data
        while len(self._waiting) >= self._part_bytes():
            size = self._part_bytes()
            self._send(bytes(self._waiting[:size]))
            del self._waiting[:size]
        return len(data)

    def complete(self) -> None:
        """Send the rest and make a file of the parts."""
        if self._waiting or not self._parts:
            self._send(bytes(self._waiting))
            self._waiting.clear()
        self._call("complete_multipart_upload", UploadId=self._id, MultipartUpload={"Parts": self._parts})

    def abort(self) -> None:
        """Give the parts up; what the server does not hear is found by `delete_file`."""
        with suppress(PlexicaError, FileNotFoundError):
            self._call("abort_multipart_upload", UploadId=self._id)

    def _part_bytes(self) -> int:
        """S3 takes 10,000 parts: they double with each thousand, so that the limit is that of a file (5 TB)."""
        return PART_BYTES << len(self._parts) // 1000

    def _send(self, data: bytes) -> None:
        number = len(self._parts) + 1
        sent = self._call("upload_part", UploadId=self._id, PartNumber=number, Body=data)
        self._parts.append({"PartNumber": number, "ETag": sent["ETag"]})


class S3Store:
    has_keys = True

    # -- buckets

    def bucket_exists(self, name: str) -> bool:
        return self._finds("s3", "head_bucket", Bucket=name)

    def ensure_bucket(self, name: str) -> None:
        self._call("s3", "create_bucket", accept=OURS_ALREADY, Bucket=checked_bucket(name))

    def list_buckets(self) -> list[str]:
        """Return the names of all buckets of the server, also of other installations."""
        return [bucket["Name"] for bucket in self._call("s3", "list_buckets")["Buckets"]]

    def delete_bucket_with_contents(self, name: str) -> None:
        try:
            for upload in self._call("s3", "list_multipart_uploads", Bucket=name).get("Uploads", []):
                self._call("s3", "abort_multipart_upload", Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
            while found := self._some_objects(name):
                answer = self._call("s3", "delete_objects", Bucket=name, Delete={"Objects": found, "Quiet": True})
                _refuse_what_stays(answer)
            self._call("s3", "delete_bucket", Bucket=name)
        except FileNotFoundError:
            return  # it was gone before

    def _some_objects(self, name: str) -> list[dict[str, str]]:
        page = self._call("s3", "list_object_versions", Bucket=name, MaxKeys=500)
        entries = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        if entries:
            return [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in entries]
        plain = self._call("s3", "list_objects_v2", Bucket=name, MaxKeys=500).get("Contents", [])
        return [{"Key": entry["Key"]} for entry in plain]

    def measure_bucket(self, name: str, *, most: int) -> BucketSize:
        objects = size_bytes = 0
        after: dict[str, Any] = {}
        while objects < most:
            page = self._call("s3", "list_objects_v2", Bucket=name, **after)
            objects += len(page.get("Contents", []))
            size_bytes += sum(int(entry["Size"]) for entry in page.get("Contents", []))
            if not page.get("IsTruncated"):
                return BucketSize(objects, size_bytes, is_complete=True)
            after = {"ContinuationToken": page["NextContinuationToken"]}
        return BucketSize(objects, size_bytes, is_complete=False)

    # -- keys

    def has_keyholder(self, bucket: str) -> bool:
        return self._finds("iam", "get_user", UserName=bucket)

    def make_key(self, bucket: str) -> Key:
        self._call("iam", "create_user", accept=OURS_ALREADY, UserName=checked_bucket(bucket))
        self._call(
            "iam", "put_user_policy", UserName=bucket, PolicyName=POLICY, PolicyDocument=json.dumps(policy_for(bucket))
        )
        made = self._call("iam", "create_access_key", UserName=bucket)["AccessKey"]
        return Key(id=made["AccessKeyId"], secret=made["SecretAccessKey"])

    def list_key_ids(self, bucket: str) -> list[str]:
        listed = self._call("iam", "list_access_keys", accept=MISSING, UserName=bucket)
        return [entry["AccessKeyId"] for entry in listed.get("AccessKeyMetadata", [])]

    def delete_key(self, bucket: str, key_id: str) -> None:
        self._call("iam", "delete_access_key", accept=MISSING, UserName=bucket, AccessKeyId=key_id)

    def delete_keyholder(self, bucket: str) -> None:
        for key_id in self.list_key_ids(bucket):
            self.delete_key(bucket, key_id)
        self._call("iam", "delete_user_policy", accept=MISSING, UserName=bucket, PolicyName=POLICY)
        self._call("iam", "delete_user", accept=MISSING, UserName=bucket)

    def is_in_force(self, bucket: str, key: Key) -> bool:
        client = _client("s3", settings.S3_ENDPOINT_URL, key)
        try:
            client.list_objects_v2(Bucket=bucket, MaxKeys=1)
        except ClientError as error:
            if code_of(error) in NOT_YET:
                return False
            raise _translation(error) from error
        except (BotoCoreError, HTTPClientError) as error:
            raise _translation(error) from error
        return True

    # -- files

    def files(self, bucket: str, key: Key | None) -> Storage:
        if key is None:
            raise Rejected(part="object storage", code="no key")
        files: Storage = BucketFiles(bucket, key)
        return files

    @contextmanager
    def write(self, bucket: str, name: str) -> Iterator[BinaryIO]:
        key = checked_name(name)
        upload = Upload(lambda call, **more: self._call("s3", call, Bucket=bucket, Key=key, **more))
        try:
            yield cast("BinaryIO", upload)
            upload.complete()
        except BaseException:
            upload.abort()
            raise

    @contextmanager
    def read(self, bucket: str, name: str) -> Iterator[BinaryIO]:
        body = self._call("s3", "get_object", Bucket=bucket, Key=checked_name(name))["Body"]
        try:
            with translated():
                yield cast("BinaryIO", body)
        finally:
            body.close()

    def delete_file(self, bucket: str, name: str) -> None:
        try:
            for upload in self._call("s3", "list_multipart_uploads", Bucket=bucket, Prefix=name).get("Uploads", []):
                if upload["Key"] == name:
                    self._call("s3", "abort_multipart_upload", Bucket=bucket, Key=name, UploadId=upload["UploadId"])
            self._call("s3", "delete_object", Bucket=bucket, Key=name)
        except FileNotFoundError:
            return  # it was gone before

    # -- calls as the platform itself

    def _finds(self, service: str, name: str, **arguments: Any) -> bool:
        try:
            self._call(service, name, **arguments)
        except FileNotFoundError:
            return False
        return True

    def _call(self, service: str, name: str, *, accept: set[str] | None = None, **arguments: Any) -> Any:
        """Call with the platform's own key; answers whose code is in `accept` are an empty success."""
        ask_guard()
        endpoint = settings.S3_ENDPOINT_URL if service == "s3" else settings.S3_IAM_ENDPOINT_URL
        client = _own_client(service, endpoint, settings.S3_ACCESS_KEY, settings.S3_SECRET_KEY)
        with translated():
            try:
                return getattr(client, name)(**arguments)
            except ClientError as error:
                if accept and code_of(error) in accept:
                    return {}
                raise


def _refuse_what_stays(answer: dict[str, Any]) -> None:
    """Raise what the server says of objects that it did not delete: with success as its answer for the whole."""
    for error in answer.get("Errors", []):
        code = str(error.get("Code", ""))
        raise (Unavailable if code in BUSY else Rejected)(part="object storage", code=code)


@cache
def _own_client(service: str, endpoint: str | None, key_id: str, secret: str) -> Any:
    return _client(service, endpoint, Key(key_id, secret))


def policy_for(bucket: str) -> dict[str, Any]:
    """Return what a tenant's key permits: reading, writing and listing files of one bucket, and nothing of the bucket's own."""
    files = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": files, "Resource": [f"arn:aws:s3:::{bucket}/*"]},
            {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [f"arn:aws:s3:::{bucket}"]},
        ],
    }
