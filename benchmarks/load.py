"""A small HTTP client for load: keep-alive connections in threads, one request after the other on each."""

import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Load:
    """What came back."""

    seconds: float = 0.0
    times_s: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return len(self.times_s) / self.seconds if self.seconds else 0.0


def request_for(host: str, path: str, cookie: str) -> bytes:
    """Return the bytes of a GET."""
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nAccept: application/json\r\n\r\n".encode()


def load(port: int, requests: Sequence[bytes], *, seconds: float = 0, connections: int = 4) -> Load:
    """Send the requests in turn for some seconds, or each of them once if none are given."""
    result, lock = Load(), threading.Lock()
    turn = iter(range(10**9))
    begin = time.perf_counter()
    end = begin + seconds if seconds else float("inf")

    def client() -> None:
        times: list[float] = []
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            while time.perf_counter() < end:
                with lock:
                    number = next(turn)
                if not seconds and number >= len(requests):
                    break
                sent_at = time.perf_counter()
                connection.sendall(requests[number % len(requests)])
                status = _read(connection)
                times.append(time.perf_counter() - sent_at)
                if status != b"200":
                    with lock:
                        result.errors.append(f"{status!r} for {requests[number % len(requests)][:120]!r}")
        with lock:
            result.times_s.extend(times)

    threads = [threading.Thread(target=client) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    result.seconds = time.perf_counter() - begin
    return result


def _read(connection: socket.socket) -> bytes:
    """Read one answer to its end and return its status."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += _some(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
    )
    missing = length - len(body)
    while missing > 0:
        missing -= len(_some(connection))
    return head.split(b" ", 2)[1]


def _some(connection: socket.socket) -> bytes:
    found = connection.recv(65536)
    if not found:
        raise ConnectionError("the server closed the connection")
    return found
