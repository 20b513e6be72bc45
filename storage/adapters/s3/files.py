"""Files of one bucket, and uploads whose length nobody knows before."""

import io
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError
from django.conf import settings
from storages.backends.s3 import S3Storage

from core.errors import PlexicaError
from storage.adapters.port import Key
from storage.adapters.s3.clients import client_config, client_for, code_of, resources, translated
from storage.names import content_type_of

TAKEN: Final = {"412", "PreconditionFailed", "ConditionalRequestConflict"}
SPOOL_BYTES: Final = 4 * 1024 * 1024  # a file that is read lies in memory up to here, on disk beyond
PART_BYTES: Final = 8 * 1024 * 1024  # of a file that is written without knowing its length


class BucketFiles(S3Storage):  # type: ignore[misc]
    """Files of one bucket. One client serves all threads; boto3's resources, which may not be shared, are made anew."""

    def __init__(self, bucket: str, key: Key) -> None:
        self._client = client_for("s3", settings.S3_ENDPOINT_URL, key)
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
            client_config=client_config(),
            transfer_config=TransferConfig(use_threads=False),
        )

    @property
    def connection(self) -> Any:
        return resources()(client=self._client)

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
