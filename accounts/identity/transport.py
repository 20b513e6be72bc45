"""Calls from the relying party to an issuer.

The built-in issuer is this very server. Asking it over the network would need a free thread, a name that resolves and a
trusted certificate, and with few threads it hangs; so it is answered in this process, on a thread with a database
connection of its own. Every other issuer is asked over HTTP, at its inner address where it has one. No transaction that a
pooler makes us open waits for either.
"""

import io
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection, connections
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.structures import CaseInsensitiveDict

from accounts.identity.addresses import origin
from accounts.identity.realms import RealmRef
from core.tenancy import outside_transaction
from core.web.addresses import IN_PROCESS

TIMEOUT_S = 10
_threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="issuer")


@cache
def _application() -> WSGIHandler:
    return WSGIHandler()


class InProcessAdapter(BaseAdapter):
    """Answers requests to the built-in issuer by calling the application."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        with outside_transaction():
            if not connection.in_atomic_block:
                connection.close()  # hand it back to the pool: the other thread needs one
            return _threads.submit(_answer, request).result(timeout=TIMEOUT_S)

    def close(self) -> None:
        pass


class OutsideAdapter(HTTPAdapter):
    """Asks a server somewhere else."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        with outside_transaction():
            return super().send(request, *args, **kwargs)


class InnerAdapter(OutsideAdapter):
    """Asks a server at its inner address, in the name of the outer one, which is what its tokens and endpoints say."""

    def __init__(self, outer: str, inner: str) -> None:
        super().__init__()
        self.outer, self.inner = outer, inner

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        outer = urlsplit(self.outer)
        request.url = self.inner + str(request.url).removeprefix(self.outer)
        request.headers["Host"] = request.headers["X-Forwarded-Host"] = outer.netloc
        request.headers["X-Forwarded-Proto"] = outer.scheme
        return super().send(request, *args, **kwargs)


def session_for(realm: RealmRef) -> requests.Session:
    """Return a session that reaches `realm`'s issuer; it takes no proxies or credentials from the environment."""
    session = requests.Session()
    session.trust_env = False
    for scheme in ("http://", "https://"):
        session.mount(scheme, OutsideAdapter())
    if realm.builtin:
        session.mount(f"{origin()}/", InProcessAdapter())
    elif realm.inner_url != realm.outer_url:
        session.mount(f"{realm.outer_url}/", InnerAdapter(realm.outer_url, realm.inner_url))
    return session


def _answer(request: requests.PreparedRequest) -> requests.Response:
    try:
        return _call(request)
    finally:
        connections.close_all()


def _call(request: requests.PreparedRequest) -> requests.Response:
    status: list[str] = []
    headers: list[tuple[str, str]] = []

    def start_response(line: str, fields: list[tuple[str, str]], exc_info: Any = None) -> Any:
        status.append(line)
        headers.extend(fields)
        return lambda data: None

    result = _application()(_environ(request), start_response)
    try:
        content = b"".join(result)
    finally:
        if hasattr(result, "close"):
            result.close()
    response = requests.Response()
    response.status_code = int(status[0].split()[0])
    response.reason = status[0].partition(" ")[2]
    response.headers = CaseInsensitiveDict(headers)
    response.url, response.request, response._content, response.encoding = str(request.url), request, content, "utf-8"
    return response


def _environ(request: requests.PreparedRequest) -> dict[str, Any]:
    url = urlsplit(str(request.url))
    body = request.body or b""
    body = body.encode() if isinstance(body, str) else bytes(body)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(url.path),
        "QUERY_STRING": url.query,
        "SERVER_NAME": url.hostname,
        "SERVER_PORT": str(url.port or (443 if url.scheme == "https" else 80)),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        IN_PROCESS: True,
        "HTTP_HOST": url.netloc,
        "HTTP_X_FORWARDED_PROTO": url.scheme,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": url.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        if key == "CONTENT_TYPE":
            environ[key] = value
        elif key not in ("CONTENT_LENGTH", "HOST", "ACCEPT_ENCODING"):  # nothing to gain here from compression
            environ[f"HTTP_{key}"] = value
    return environ
