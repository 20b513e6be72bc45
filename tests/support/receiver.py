"""A receiver of webhooks on this machine: answers as it is told and remembers what came; over https if it is given a certificate."""

import datetime as dt
import ipaddress
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Call:
    """What came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """The delivery's id."""
        return self.headers["webhook-id"]


@dataclass(frozen=True)
class Reply:
    """What goes back; `raw` instead of all of it, piece by piece, with pauses."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    raw: tuple[bytes, ...] = ()
    pause_s: float = 0.0


class Receiver:
    """Listens from the beginning of the block to its end."""

    def __init__(self, host: str = "127.0.0.1", *, certificate: Path | None = None) -> None:
        self.calls: list[Call] = []
        self.reply: Callable[[Call], Reply] = lambda call: Reply()
        self._server = ThreadingHTTPServer((host, 0), _handler_for(self))
        self._server.daemon_threads = True
        self._scheme = "http"
        self.name = host
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self._scheme, self.name = "https", "localhost"

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.server_address[1]

    def url(self, name: str = "", path: str = "/hook") -> str:
        """Its address, under another name if one is given."""
        return f"{self._scheme}://{name or self.name}:{self.port}{path}"

    def wait_for(self, count: int, *, timeout_s: float = 20.0) -> None:
        """Wait until so many calls have come."""
        deadline = time.monotonic() + timeout_s
        while len(self.calls) < count:
            assert time.monotonic() < deadline, f"{len(self.calls)} of {count} calls came"
            time.sleep(0.02)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler_for(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            call = Call(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            receiver.calls.append(call)
            reply = receiver.reply(call)
            try:
                self._answer(reply)
            except OSError:  # the sender has had enough
                self.close_connection = True

        def _answer(self, reply: Reply) -> None:
            if reply.raw:
                self.close_connection = True
                for piece in reply.raw:
                    self.wfile.write(piece)
                    self.wfile.flush()
                    time.sleep(reply.pause_s)
                return
            time.sleep(reply.pause_s)
            self.send_response(reply.status)
            for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    return Handler


def make_certificate(path: Path, *, name: str = "localhost", expired: bool = False) -> Path:
    """Write a key and a certificate that it signed itself, for a name, into one file; return it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.3"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=2))
        .not_valid_after(now + dt.timedelta(days=-1 if expired else 1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path
