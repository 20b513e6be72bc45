"""A visitor without a browser: Django's test client at one address, with its own cookies, that follows redirects as asked."""

import re
from functools import cache
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.http import HttpResponse
from django.test import Client
from django.test.client import ClientHandler

from core.tenancy import TenantRef
from tests.support import keycloak, openapi


@cache
def _handler() -> ClientHandler:
    """One chain of middleware for all visitors, as a server has."""
    return ClientHandler(enforce_csrf_checks=True)


class Visitor:
    """Sends requests to a tenant's address (or the platform's), through every middleware."""

    def __init__(self, tenant: TenantRef | None = None, *, host: str | None = None, cookies: Any = None) -> None:
        from django.conf import settings

        self.host = host or (f"{tenant.slug}.{settings.PUBLIC_NETLOC}" if tenant else settings.PUBLIC_NETLOC)
        self.client = Client(enforce_csrf_checks=True, raise_request_exception=False)
        self.client.handler = _handler()
        if cookies is not None:
            self.client.cookies.load({name: morsel.value for name, morsel in cookies.items()})

    @property
    def cookies(self) -> Any:
        """The visitor's cookies."""
        return self.client.cookies

    def get(self, path: str, *, follow: bool = False, **headers: str) -> Any:
        """GET a path or an address; with `follow` go along up to ten redirects."""
        response = self._send("GET", path, headers)
        for _ in range(10 if follow else 0):
            if response.status_code not in (301, 302, 303):
                break
            response = self._send("GET", response["Location"], {})
        return response

    def post(self, path: str, data: dict[str, Any] | None = None, *, page: Any = None, **headers: str) -> Any:
        """POST a form with the CSRF token of `page` (default: the page at the same path)."""
        page = page or self.get(path)
        token = re.search(r'name="csrf(?:middlewaretoken|-token)" (?:value|content)="([^"]+)"', page.content.decode())
        sent = {"HTTP_X_CSRFTOKEN": token.group(1) if token else "", "HTTP_ORIGIN": f"http://{self.host}"}
        return self._send("POST", path, {**sent, **headers}, data=data or {})

    def api(self, method: str, path: str, *, body: Any = None, token: str | None = None, **headers: str) -> Any:
        """Call the API with JSON, and a bearer token if one is given; the answer must be as the API's document says."""
        if token:
            headers["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        extra = {"data": body, "content_type": "application/json"} if body is not None else {}
        response = self._send(method, path, headers, **extra)
        openapi.check_response(method, path, response, on_platform=self.host == settings_netloc())
        return response

    def form(self, path: str, data: dict[str, Any] | None = None, **headers: str) -> Any:
        """POST a form as a program does, or a page from elsewhere: with the cookies, but without a CSRF token."""
        kind = "application/x-www-form-urlencoded"
        return self._send("POST", path, headers, data=urlencode(data or {}), content_type=kind)

    def head(self, path: str, **headers: str) -> Any:
        """HEAD a path."""
        return self._send("HEAD", path, headers)

    def sign_in(self, email: str, password: str, *, start: str | None = None, app: Any = None) -> "Visitor":
        """Walk through the realm's sign-in pages, with the codes of `app` if one is given.

        Needs committed data: the issuer answers on another connection.
        """
        from django.conf import settings

        page = self.get(start or ("/console/" if self.host == settings.PUBLIC_NETLOC else "/"))
        while page.status_code in (301, 302, 303):
            if outside := _keycloaks_address(page["Location"]):
                landed = self.get(keycloak.sign_in_at(outside, email, password, app=app), follow=True)
                assert landed.status_code == 200, (landed.status_code, landed.request["PATH_INFO"])
                return self
            page = self.get(page["Location"])
        assert page.status_code == 200, (page.status_code, page.request["PATH_INFO"])
        path = f"{page.request['PATH_INFO']}?{page.request['QUERY_STRING']}"
        answer = self.post(path, {"email": email, "password": password, "next": _hidden(page, "next")}, page=page)
        assert answer.status_code == 302, "sign-in was refused"
        if app and answer["Location"].startswith("/op/sign-in/code/"):
            asked = self.get(answer["Location"])
            answer = self.post(answer["Location"], {"code": app.code(), "tab": _hidden(asked, "tab")}, page=asked)
            assert answer.status_code == 302, "the code was refused"
        landed = self.get(answer["Location"], follow=True)
        assert not landed.request["PATH_INFO"].startswith("/op/sign-in/"), (
            f"more is asked: {landed.request['PATH_INFO']}"
        )
        assert landed.status_code == 200, (landed.status_code, landed.request["PATH_INFO"])
        return self

    def _send(self, method: str, path: str, headers: dict[str, str], **kwargs: Any) -> HttpResponse:
        url = urlsplit(path)
        host = url.netloc or self.host
        target = f"{url.path}?{url.query}" if url.query else url.path
        cookies = None
        if host != self.host:  # a browser keeps cookies for each host
            cookies, self.client.cookies = self.client.cookies, type(self.client.cookies)()
        try:
            sender = getattr(self.client, method.lower())
            response: HttpResponse = sender(
                target, HTTP_HOST=host, SERVER_NAME=host.rpartition(":")[0] or host, **headers, **kwargs
            )
        finally:
            if cookies is not None:
                self.client.cookies = cookies
        return response


def settings_netloc() -> str:
    """Return the platform's own host and port."""
    from django.conf import settings

    return str(settings.PUBLIC_NETLOC)


def _keycloaks_address(address: str) -> str:
    """Return the address if it is at a Keycloak."""
    from django.conf import settings

    at = tuple(f"{server.outer_url}/" for server in settings.KEYCLOAK_SERVERS.values())
    return address if address.startswith(at) else ""


def _hidden(page: Any, name: str) -> str:
    import html

    found = re.search(rf'name="{name}" value="([^"]*)"', page.content.decode())
    return html.unescape(found.group(1)) if found else ""
