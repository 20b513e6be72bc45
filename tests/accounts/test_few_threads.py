"""A real web server with one process and two threads takes six sign-ins at once, and says what is wrong without a database."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
import requests

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(**changes: str) -> Iterator[int]:
    """Run the web server as production does, with two threads."""
    port = free_port()
    command = [
        sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1", "--blocking-threads", "2", "plexica.wsgi:application",
    ]  # fmt: skip
    environment = {
        **os.environ,
        "PLEXICA_PUBLIC_URL": f"http://localhost:{port}",
        "PLEXICA_BIND": f"127.0.0.1:{port}",
        **changes,
    }
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert process.poll() is None, "the server ended"
            try:
                requests.get(f"http://127.0.0.1:{port}/health", timeout=5)
                break
            except requests.ConnectionError:
                time.sleep(0.2)
        yield port
    finally:
        process.terminate()
        process.wait(30)


class Browser:
    """Keeps cookies by host, path and name, and reaches every *.localhost at 127.0.0.1."""

    def __init__(self) -> None:
        self.jar: dict[tuple[str, str, str], str] = {}
        self.http = requests.Session()
        self.http.trust_env = False

    def send(self, method: str, url: str, data: dict[str, str] | None = None) -> requests.Response:
        at = urlsplit(url)
        cookies = "; ".join(
            f"{name}={value}"
            for (host, path, name), value in self.jar.items()
            if host == at.hostname and at.path.startswith(path)
        )
        headers = {"Host": at.netloc, **({"Cookie": cookies} if cookies else {})}
        if data is not None:
            headers["Origin"] = f"{at.scheme}://{at.netloc}"
        self.http.cookies.clear()
        target = at._replace(netloc=f"127.0.0.1:{at.port}").geturl()
        answer = self.http.request(method, target, headers=headers, data=data, allow_redirects=False, timeout=60)
        for line in answer.raw.headers.getlist("Set-Cookie"):
            for name, morsel in SimpleCookie(line).items():
                self.jar[at.hostname or "", morsel["path"] or "/", name] = morsel.value
        answer.url = url
        return answer

    def follow(self, url: str) -> requests.Response:
        for _ in range(12):
            answer = self.send("GET", url)
            if answer.status_code != 302:
                return answer
            url = urljoin(url, answer.headers["Location"])
        raise AssertionError("too many redirects")

    def sign_in(self, start: str, email: str, password: str) -> requests.Response:
        form = self.follow(start)
        values = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form.text))
        values = {name: value.replace("&amp;", "&") for name, value in values.items()}
        answer = self.send("POST", form.url, {**values, "email": email, "password": password})
        assert answer.status_code == 302, answer.status_code
        return self.follow(urljoin(form.url, answer.headers["Location"]))


@pytest.fixture(scope="module")
def port(django_db_setup) -> Iterator[int]:
    with served() as number:
        yield number


def test_six_people_sign_in_at_once(port, committed, world):
    sign_ins = [("acme-corp", "owner"), ("acme-corp", "member"), ("globex-inc", "outsider")] * 2

    def sign_in(where_and_who):
        slug, who = where_and_who
        person = world.person(who)
        return Browser().sign_in(f"http://{slug}.localhost:{port}/", person.email, person.password)

    with ThreadPoolExecutor(6) as threads:
        landed = list(threads.map(sign_in, sign_ins))

    assert [page.status_code for page in landed] == [200] * 6
    for (slug, _), page in zip(sign_ins, landed, strict=True):
        assert page.url == f"http://{slug}.localhost:{port}/"
        assert "plx-sidebar" in page.text


def test_the_servers_cookies_carry_its_port_and_the_issuers_stay_below_op(port, committed, world):
    browser, person = Browser(), world.person("member")
    browser.sign_in(f"http://acme-corp.localhost:{port}/", person.email, person.password)

    assert {(path, name) for _, path, name in browser.jar} >= {
        ("/", f"px_session_{port}"),
        ("/op/", f"px_issuer_{port}"),
    }


def test_without_a_database_the_server_says_so():
    gone = re.sub(r":\d+/", ":1/", os.environ["PLEXICA_DATABASE_URL"])
    with served(PLEXICA_DATABASE_URL=gone) as port, ThreadPoolExecutor(3) as threads:
        health = requests.get(f"http://127.0.0.1:{port}/health", timeout=10)
        first = threads.submit(requests.get, f"http://127.0.0.1:{port}/health/ready", timeout=60)
        second = threads.submit(Browser().send, "GET", f"http://acme-corp.localhost:{port}/")
        third = threads.submit(Browser().send, "GET", f"http://acme-corp.localhost:{port}/api/v1/me/")
        ready, page, program = first.result(), second.result(), third.result()

    assert health.status_code == 200
    assert ready.status_code == 503
    assert ready.json()["parts"]["database"]["ok"] is False
    assert page.status_code == 503
    assert "plx-fault" in page.text
    assert program.status_code == 503
    assert program.headers["Content-Type"] == "application/problem+json"
