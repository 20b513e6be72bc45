import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Final, cast

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from django.conf import settings
from django.core.files.storage import Storage

from core.errors import Rejected, Unavailable
from core.tenancy import ask_guard, outside_transaction
from storage.adapters.port import BucketSize, Key
from storage.adapters.s3.clients import (
    ANSWER_S,
    MISSING,
    NEW_KEY_S,
    client_for,
    code_of,
    own_client,
    translated,
    translation_of,
)
from storage.adapters.s3.files import BucketFiles, Upload
from storage.names import checked_bucket, checked_name

OURS_ALREADY: Final = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists", "EntityAlreadyExists"}
NOT_YET: Final = {"403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"}
BUSY: Final = {"InternalError", "ServiceUnavailable", "SlowDown"}
POLICY: Final = "own-bucket"


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
        client = client_for("s3", settings.S3_ENDPOINT_URL, key)
        try:
            client.list_objects_v2(Bucket=bucket, MaxKeys=1)
        except ClientError as error:
            if code_of(error) in NOT_YET:
                return False
            raise translation_of(error) from error
        except (BotoCoreError, HTTPClientError) as error:
            raise translation_of(error) from error
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
        answer_s = NEW_KEY_S if service == "iam" and not name.startswith(("get_", "list_")) else ANSWER_S
        client = own_client(service, endpoint, settings.S3_ACCESS_KEY, settings.S3_SECRET_KEY, answer_s)
        with outside_transaction(), translated():
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
