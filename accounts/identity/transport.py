"""Calls from the relying party to an issuer.

The built-in issuer is this very server. Asking it over the network would need a free thread, a name that resolves and a
trusted certificate, and with few threads it hangs; so it is answered in this process, on a thread with a database
connection of its own. Every other issuer is asked over HTTP.
"""

import io
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection, connections
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from accounts.identity.addresses import origin
from accounts.identity.realms import RealmRef

TIMEOUT_S = 10
_threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="issuer")


@cache
def _application() -> WSGIHandler:
    return WSGIHandler()


class InProcessAdapter(BaseAdapter):
    """Answers requests to the built-in issuer by calling the application."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        if not connection.in_atomic_block:
            connection.close()  # hand it back to the pool: the other thread needs one
        return _threads.submit(_answer, request).result(timeout=TIMEOUT_S)

    def close(self) -> None:
        pass


def session_for(realm: RealmRef) -> requests.Session:
    """Return a session that reaches `realm`'s issuer; it takes no proxies or credentials from the environment."""
    session = requests.Session()
    session.trust_env = False
    if realm.builtin:
        session.mount(f"{origin()}/", InProcessAdapter())
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
