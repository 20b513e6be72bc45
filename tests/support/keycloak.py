"""A real Keycloak for tests: started once, prepared by our own set-up, and its sign-in page filled in like a browser does."""

import base64
import functools
import html
import os
import re
import threading
from typing import Any
from urllib.parse import urljoin

import requests

from deploy.embedded.paths import Tree
from deploy.embedded.stack import Stack
from tests.support import database

FIXTURES = {"keycloak": "keycloak", "second_keycloak": "keycloak-2"}


@functools.cache
def servers() -> dict[str, Any]:
    """Every server that tests may start, by its name. Settings know the first alone."""
    from accounts.identity.keycloak.servers import parse_servers

    return {server.name: server for server in parse_servers(os.environ["TESTS_KEYCLOAK_SERVERS"])}


def start(name: str = "keycloak") -> Any:
    """Start a server unless it runs, make its provisioner unless it is there, and return what the settings say of it."""
    from accounts.identity.keycloak.client import provisioner
    from accounts.identity.keycloak.setup import Administrator, set_up_server
    from core.errors import Rejected

    server = servers()[name]
    with database.one_process(name):
        Stack(Tree.here()).up([name])
        try:
            provisioner(server).token(fresh=True)
        except Rejected:
            user, password = os.environ["PLEXICA_KEYCLOAK_ADMIN_USER"], os.environ["PLEXICA_KEYCLOAK_ADMIN_PASSWORD"]
            list(set_up_server(Administrator.sign_in(server, user, password)))
    return server


def start_early(fixtures: set[str]) -> None:
    """Let the servers that tests will want begin to start: that takes longer than most tests together."""
    names = [name for fixture, name in FIXTURES.items() if fixture in fixtures]
    if names:
        threading.Thread(target=Stack(Tree.here()).up, args=(names,), daemon=True).start()


def sign_in_at(
    address: str, email: str, password: str, *, session: requests.Session | None = None, app: Any = None
) -> str:
    """Fill in the sign-in page at this address, and return the address that the browser is sent back to.

    With `app` a code is given where one is asked for; an app that has no key yet is set up where that is asked for.
    """
    browser = session or requests.Session()
    page = browser.get(address, cookies=cookies_of(browser), timeout=60, allow_redirects=False)
    if page.status_code in (302, 303):  # signed in already
        return page.headers["Location"]
    assert page.status_code == 200, (page.status_code, page.text[:500])
    form = re.search(r'<form[^>]*id="kc-form-login"[^>]*action="([^"]+)"', page.text)
    assert form, page.text[:2000]
    answer = browser.post(
        html.unescape(form.group(1)),
        data={"username": email, "password": password, "credentialId": ""},
        cookies=cookies_of(browser),
        timeout=60,
        allow_redirects=False,
    )
    if app and answer.status_code == 302 and "CONFIGURE_TOTP" in answer.headers["Location"]:
        answer = browser.get(answer.headers["Location"], cookies=cookies_of(browser), timeout=60)
        secret = re.search(r'name="totpSecret" value="([^"]+)"', answer.text)
        assert secret, answer.text[:2000]
        app.key = base64.b32encode(secret.group(1).encode()).decode()
        sent = {"totp": app.code(), "totpSecret": secret.group(1), "userLabel": ""}
        answer = _send(browser, answer.text, "kc-totp-settings-form", sent)
    elif app and answer.status_code == 200:
        answer = _send(browser, answer.text, "kc-otp-login-form", {"otp": app.code()})
    assert answer.status_code == 302, f"sign-in was refused: {_error(answer.text)}"
    assert "/login-actions/" not in answer.headers["Location"], f"more is asked: {answer.headers['Location']}"
    return answer.headers["Location"]


def _send(browser: requests.Session, page: str, form: str, data: dict[str, str]) -> requests.Response:
    found = re.search(rf'<form[^>]*id="{form}"[^>]*>', page)
    assert found, _error(page)
    action = re.search(r'action="([^"]+)"', found.group(0))
    assert action, found.group(0)
    where = html.unescape(action.group(1))
    return browser.post(where, data=data, cookies=cookies_of(browser), timeout=60, allow_redirects=False)


def follow(browser: requests.Session, address: str) -> requests.Response:
    """GET an address of the server's in a browser, and whatever it redirects to there; return the page that it ends at."""
    answer = browser.get(address, cookies=cookies_of(browser), timeout=60, allow_redirects=False)
    for _ in range(8):
        if answer.status_code not in (302, 303):
            break
        onward = urljoin(answer.url, answer.headers["Location"])
        answer = browser.get(onward, cookies=cookies_of(browser), timeout=60, allow_redirects=False)
    return answer


def say_yes(browser: requests.Session, page: requests.Response) -> requests.Response:
    """Press *Yes* on the page that asks whether a program may act for somebody."""
    form = re.search(r'<form[^>]*action="([^"]+)"[^>]*>', page.text)
    assert form, page.text[:2000]
    code = re.search(r'name="code" value="([^"]*)"', page.text)
    answer = browser.post(
        urljoin(page.url, html.unescape(form.group(1))),
        data={"code": html.unescape(code.group(1)) if code else "", "accept": "Yes"},
        cookies=cookies_of(browser),
        timeout=60,
        allow_redirects=False,
    )
    assert answer.status_code in (302, 303), answer.text[:2000]
    return follow(browser, urljoin(page.url, answer.headers["Location"]))


def cookies_of(browser: requests.Session) -> dict[str, str]:
    """Return all cookies: over http a browser sends those marked Secure to loopback too, which requests does not."""
    return {cookie.name: str(cookie.value) for cookie in browser.cookies}


def _error(page: str) -> str:
    found = re.search(r'id="input-error[^"]*"[^>]*>\s*([^<]+)', page)
    return html.unescape(found.group(1)).strip() if found else page[:300]
