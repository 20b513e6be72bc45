"""A visitor who speaks HTTP to a running platform, without a browser. Names below localhost need no resolver."""

import html
import re
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx


class HttpVisitor:
    """Somebody at one address of a platform at 127.0.0.1:port, with cookies of their own."""

    def __init__(self, port: int, host: str = "localhost") -> None:
        self.port = port
        self.netloc = f"{host}:{port}"
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, headers={"Host": self.netloc})
        self.page: httpx.Response | None = None

    def twin(self) -> "HttpVisitor":
        """The same person at the same address over another connection."""
        twin = HttpVisitor(self.port, self.netloc.partition(":")[0])
        twin.client.cookies = self.client.cookies
        return twin

    def get(self, path: str) -> httpx.Response:
        """GET a page and follow redirects at this address."""
        response = self.client.get(path)
        for _ in range(10):
            if not response.is_redirect:
                break
            target = urlsplit(
                urljoin(f"http://{self.netloc}{response.url.raw_path.decode()}", response.headers["Location"])
            )
            assert target.netloc == self.netloc, f"sent away to {target.netloc}"
            response = self.client.get(f"{target.path}?{target.query}")
        self.page = response
        return response

    def send(self, path: str, data: dict[str, str]) -> httpx.Response:
        """POST the form of the page that was read last, with its CSRF token, and follow."""
        assert self.page is not None
        headers = {"X-CSRFToken": _value(self.page, "csrfmiddlewaretoken"), "Origin": f"http://{self.netloc}"}
        response = self.client.post(path, data=data, headers=headers)
        return self.get(response.headers["Location"]) if response.is_redirect else response

    def sign_in(self, email: str, password: str, *, start: str = "/") -> httpx.Response:
        """Walk through the realm's sign-in page; returns the page that it ends on."""
        page = self.get(start)
        assert 'name="password"' in page.text, page.text[:500]
        path = page.url.raw_path.decode()
        return self.send(path, {"email": email, "password": password, "next": _value(page, "next")})

    def token(self) -> str:
        """An access token through the device flow, approved by this visitor, who has signed in."""
        program = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers={"Host": self.netloc}, timeout=60)
        asked = _ok(program.post("/op/device-authorization/", data={"client_id": "plexica-cli", "scope": "openid"}))
        self.get("/op/device/")
        answer = self.send("/op/device/", {"user_code": asked["user_code"]})
        done = self.send(answer.url.raw_path.decode(), {"action": "allow"})
        assert done.status_code == 200, done.text[:500]
        grant = "urn:ietf:params:oauth:grant-type:device_code"
        form = {"client_id": "plexica-cli", "grant_type": grant, "device_code": asked["device_code"]}
        return str(_ok(program.post("/op/token/", data=form))["access_token"])


def _ok(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def _value(page: httpx.Response, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page.text)
    return html.unescape(found.group(1)) if found else ""
