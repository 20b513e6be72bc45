"""boto3's clients, and its errors in our words."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

import boto3
from boto3.exceptions import S3UploadFailedError
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from django.conf import settings

from core.errors import PlexicaError, Rejected, Unavailable
from storage.adapters.port import Key

MISSING: Final = {"404", "NoSuchBucket", "NoSuchKey", "NotFound", "NoSuchEntity"}

ANSWER_S: Final = 10
NEW_KEY_S: Final = 60  # SeaweedFS takes longer for a new key the more users it has (ADR 22)

_session_lock = threading.Lock()  # boto3's sessions make one client at a time; the clients serve any thread


@cache
def _session() -> boto3.Session:
    return boto3.Session()


def client_config(answer_s: int = ANSWER_S) -> Config:
    """Return how long a call may take, and how addresses are written."""
    return Config(
        connect_timeout=2,
        read_timeout=answer_s,
        retries={"max_attempts": 1},
        s3={"addressing_style": "path"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )


def client_for(service: str, endpoint: str | None, key: Key, answer_s: int = ANSWER_S) -> Any:
    """Return a new client with this key, which any thread may use."""
    with _session_lock:
        return _session().client(
            service,  # type: ignore[call-overload]
            endpoint_url=endpoint,
            aws_access_key_id=key.id,
            aws_secret_access_key=key.secret,
            region_name=settings.S3_REGION,
            config=client_config(answer_s),
        )


@cache
def resources() -> type[Any]:
    """Return the class of boto3's S3 resources: its objects are cheap, and no two threads may share one."""
    with _session_lock:
        return type(_session().resource("s3", region_name=settings.S3_REGION, endpoint_url="http://127.0.0.1:9"))


def code_of(error: ClientError) -> str:
    """Return the server's own word for what it refused."""
    return str(error.response.get("Error", {}).get("Code", ""))


def translation_of(error: Exception) -> PlexicaError:
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
        raise translation_of(error) from error
    except (BotoCoreError, HTTPClientError, S3UploadFailedError) as error:
        raise translation_of(error) from error


@cache
def own_client(service: str, endpoint: str | None, key_id: str, secret: str, answer_s: int = ANSWER_S) -> Any:
    """Return the client with the platform's own key, the same one each time."""
    return client_for(service, endpoint, Key(key_id, secret), answer_s)
