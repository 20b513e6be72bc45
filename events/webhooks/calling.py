"""One call of a receiver: to an address that was looked at, within a time and a size, and nowhere else.

The name is resolved once, its addresses are checked, and the connection goes to one of these very addresses; so a name that
changes its answer in between gains nothing. TLS still asks for the name. No redirect is followed, no proxy is asked, no
cookie or connection is kept.
"""

import http.client
import io
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from events.webhooks import addresses
from events.webhooks.addresses import PORTS, AddressRefused

CONNECT_S = 5.0  # for each of the name's addresses
RESPONSE_MAX = 64 * 1024  # bytes that are read at all, status line and headers included
BODY_KEPT = 4 * 1024
HEADERS_KEPT = 40
HEADER_KEPT = 300  # characters of a value
FAULTS = {
    "name": _("The name has no address."),
    "refused": _("The name leads to an address in a private network, which is not called."),
    "connect": _("No connection: nobody answers there."),
    "tls": _("The certificate does not fit the name, has expired, or nobody known signed it."),
    "timeout": _("No answer in time."),
    "answer": _("What came back is no answer of HTTP."),
    "redirect": _("The answer leads elsewhere. Redirects are not followed: register the address itself."),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a call: a status or an error, and the beginning of what came back."""

    started_at: datetime
    duration_ms: int
    address: str = ""
    status_code: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    error: str = ""
    retry_after: timedelta | None = None

    @property
    def is_success(self) -> bool:
        """Whether the receiver took it."""
        return self.status_code is not None and 200 <= self.status_code < 300

    @property
    def result(self) -> str:
        """What the figures count it under: delivered, one of FAULTS, or the kind of status, http_5xx for instance."""
        return "delivered" if self.is_success else self.error or f"http_{(self.status_code or 0) // 100}xx"


class _Failed(Exception):
    """The call ended with one of FAULTS."""

    def __init__(self, fault: str) -> None:
        self.fault = fault


def call(url: str, *, body: bytes, headers: Mapping[str, str], timeout_s: float) -> Answer:
    """Post `body` and return what came of it, after `timeout_s` at the latest; a slow resolver may take its own time."""
    started_at, began = timezone.now(), time.monotonic()
    seen = _Seen()
    error = ""
    try:
        _post(url, body, headers, began + timeout_s, seen)
    except _Failed as failed:
        error = failed.fault
    except TimeoutError:
        error = "timeout"
    except (OSError, http.client.HTTPException, ValueError):
        error = "answer"
    if seen.status_code is not None:  # whatever happened to the rest
        error = "redirect" if 300 <= seen.status_code < 400 else ""
    return Answer(
        started_at=started_at,
        duration_ms=round((time.monotonic() - began) * 1000),
        address=seen.address,
        status_code=seen.status_code,
        headers=seen.headers,
        body=seen.body.decode(errors="replace").replace("\x00", "\ufffd"),
        error=error,
        retry_after=_retry_after(seen.retry_after, started_at),
    )


@dataclass(slots=True)
class _Seen:
    """What is known so far."""

    address: str = ""
    status_code: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    retry_after: str = ""


def _post(url: str, body: bytes, headers: Mapping[str, str], deadline: float, seen: _Seen) -> None:
    try:
        parts = addresses.parse(url)  # the settings may have become stricter
    except ValueError:
        raise _Failed("refused") from None
    host = str(parts.hostname)
    with _connect(host, parts.port or PORTS[parts.scheme], deadline, seen) as raw:
        stream = _secured(raw, host, deadline) if parts.scheme == "https" else raw
        with stream:
            connection = http.client.HTTPConnection(host)
            connection.sock = _BoundedSocket(stream, deadline)
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.putrequest("POST", target, skip_host=True, skip_accept_encoding=True)
            for name, value in {"Host": parts.netloc, "Content-Length": str(len(body)), **headers}.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            response = connection.getresponse()
            seen.status_code = response.status
            seen.headers = _kept(response)
            seen.retry_after = response.headers.get("Retry-After", "")
            while len(seen.body) < BODY_KEPT and (some := response.read1(BODY_KEPT - len(seen.body))):
                seen.body += some


def _connect(host: str, port: int, deadline: float, seen: _Seen) -> socket.socket:
    try:
        found = addresses.resolve(host, port)
    except AddressRefused:  # which one it was is not shown: it may be a name of our own networks
        raise _Failed("refused") from None
    except (OSError, UnicodeError):
        raise _Failed("name") from None
    fault = "name"
    for address in found:
        seen.address = address
        try:
            return socket.create_connection((address, port), timeout=min(CONNECT_S, _left(deadline)))
        except TimeoutError:
            fault = "timeout"
        except OSError:
            fault = "connect"
    raise _Failed(fault)


def _secured(raw: socket.socket, host: str, deadline: float) -> ssl.SSLSocket:
    raw.settimeout(_left(deadline))
    try:
        return _tls().wrap_socket(raw, server_hostname=host.rstrip("."))
    except (ssl.SSLError, ssl.CertificateError, ConnectionError):
        raise _Failed("tls") from None


@cache
def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    if settings.WEBHOOK_CA_FILE:
        context.load_verify_locations(settings.WEBHOOK_CA_FILE)
    return context


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _BoundedSocket:
    """What http.client needs of a socket: every read and write within what is left of the time, and of the size."""

    def __init__(self, stream: socket.socket, deadline: float) -> None:
        self._stream, self._deadline = stream, deadline

    def sendall(self, data: bytes) -> None:
        self._stream.settimeout(_left(self._deadline))
        self._stream.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_BoundedReader(self._stream, self._deadline))

    def close(self) -> None:
        """Leave it to whoever opened the stream."""


class _BoundedReader(io.RawIOBase):
    def __init__(self, stream: socket.socket, deadline: float) -> None:
        self._stream, self._deadline, self._left_bytes = stream, deadline, RESPONSE_MAX

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = min(len(memoryview(buffer)), self._left_bytes)
        if not size:
            return 0  # as if it ended here
        self._stream.settimeout(_left(self._deadline))
        count = self._stream.recv_into(buffer, size)
        self._left_bytes -= count
        return count


def _kept(response: http.client.HTTPResponse) -> dict[str, str]:
    """Return the first headers; a receiver's cookies are nobody's business."""
    shown = [(name, value) for name, value in response.getheaders() if name.lower() != "set-cookie"]
    return {_plain(name): _plain(value) for name, value in shown[:HEADERS_KEPT]}


def _plain(text: str) -> str:
    return text[:HEADER_KEPT].replace("\x00", "\ufffd")


def _retry_after(value: str, now: datetime) -> timedelta | None:
    """Read a Retry-After header: seconds, or a date."""
    try:
        if value.strip().isdecimal():
            return timedelta(seconds=min(int(value), 10**9))
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError, OverflowError):  # a year or a number that nobody means
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(moment - now, timedelta(0))
