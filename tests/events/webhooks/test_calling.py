"""One call of a receiver: what it is sent, and how much of it is waited for and read."""

import ipaddress
import socket
import time
from datetime import timedelta
from email.utils import format_datetime

import pytest
from django.utils import timezone

from events.webhooks import calling
from events.webhooks.calling import BODY_KEPT, HEADER_KEPT, HEADERS_KEPT, call
from tests.support.receiver import Receiver, Reply, make_certificate


def post(url, **values):
    return call(url, **{"body": b"{}", "headers": {"webhook-id": "one"}, "timeout_s": 5.0} | values)


def test_a_call_carries_body_and_headers_and_brings_the_answer(receiver):
    receiver.reply = lambda call: Reply(202, {"X-Seen": "yes", "Set-Cookie": "a=b"}, b"taken")

    answer = post(receiver.url(path="/hook?a=1"), body=b'{"a":1}')

    (seen,) = receiver.calls
    assert (seen.path, seen.body, seen.id) == ("/hook?a=1", b'{"a":1}', "one")
    assert seen.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert (answer.status_code, answer.body, answer.error, answer.address) == (202, "taken", "", "127.0.0.1")
    assert answer.headers["X-Seen"] == "yes"
    assert "Set-Cookie" not in answer.headers


def test_a_redirect_is_not_followed(receiver):
    with Receiver() as elsewhere:
        receiver.reply = lambda call: Reply(307, {"Location": elsewhere.url()})

        answer = post(receiver.url())

    assert (answer.status_code, answer.error, answer.is_success) == (307, "redirect", False)
    assert not elsewhere.calls


def test_of_a_huge_answer_only_the_beginning_is_read(receiver):
    receiver.reply = lambda call: Reply(200, body=b"x" * 50_000_000)
    began = time.monotonic()

    answer = post(receiver.url())

    assert answer.is_success
    assert answer.body == "x" * BODY_KEPT
    assert time.monotonic() - began < 2


def test_of_headers_without_end_only_the_beginning_is_read(receiver):
    lines = [b"X-%d: " % number + b"x" * 900 + b"\r\n" for number in range(90)]
    receiver.reply = lambda call: Reply(raw=(b"HTTP/1.1 200 OK\r\n", *lines))

    answer = post(receiver.url())

    assert answer.is_success
    assert len(answer.headers) == HEADERS_KEPT
    assert {len(value) for value in answer.headers.values()} == {HEADER_KEPT}


@pytest.mark.parametrize("pause_s", [3.0, 0.1])
def test_an_answer_that_takes_its_time_is_cut_off(receiver, pause_s):
    """Silence, and one byte after the other: the time is for all of it."""
    receiver.reply = lambda call: Reply(raw=(b"H", b"T", b"T", b"P", b"/", *[b"1"] * 30), pause_s=pause_s)
    began = time.monotonic()

    answer = post(receiver.url(), timeout_s=0.5)

    assert (answer.status_code, answer.error) == (None, "timeout")
    assert 0.4 < time.monotonic() - began < 1.5


def test_a_status_counts_although_the_rest_does_not_come(receiver):
    receiver.reply = lambda call: Reply(raw=(b"HTTP/1.1 200 OK\r\n\r\nbe", b"gin", *[b"."] * 30), pause_s=0.1)

    answer = post(receiver.url(), timeout_s=0.5)

    assert answer.is_success
    assert answer.body.startswith("begin")


def test_what_is_no_http_is_said_to_be_none(receiver):
    receiver.reply = lambda call: Reply(raw=(b"SSH-2.0-OpenSSH\r\n",))

    assert post(receiver.url()).error == "answer"


def test_a_receiver_that_says_nothing_and_one_that_is_not_there(receiver):
    receiver.reply = lambda call: Reply(raw=(b"",))
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]

        assert post(receiver.url()).error == "answer"
        assert post(f"http://127.0.0.1:{port}/").error == "connect"


def test_a_name_that_nobody_has_is_said_so(at_home):
    assert post("https://no-such-name.invalid/").error == "name"


def test_text_that_postgresql_would_refuse_is_replaced(receiver):
    receiver.reply = lambda call: Reply(raw=(b"HTTP/1.1 200 OK\r\nX-Zero: a\x00b\r\n\r\na\x00b\xff",))

    answer = post(receiver.url())

    assert (answer.headers["X-Zero"], answer.body) == ("a\ufffdb", "a\ufffdb\ufffd")


# -- addresses


def test_a_private_address_is_refused_before_anything_is_sent(receiver, settings):
    settings.WEBHOOK_ALLOWED_NETWORKS = []

    for url in (receiver.url(), receiver.url("localhost"), receiver.url("2130706433")):
        assert post(url).error == "refused"

    assert not receiver.calls


class Rebinding:
    """A resolver that answers a name differently each time."""

    def __init__(self, name, *answers):
        self.name, self.answers, self.asked = name, list(answers), 0
        self.real = socket.getaddrinfo

    def __call__(self, host, port, *args, **kwargs):
        if host != self.name:
            return self.real(host, port, *args, **kwargs)
        self.asked += 1
        address = self.answers[min(self.asked, len(self.answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]


def test_a_name_that_changes_its_answer_gains_nothing(at_home, settings, monkeypatch):
    """127.0.0.2 stands for the public Internet, 127.0.0.1 for our own network, on the same port."""
    settings.WEBHOOK_ALLOWED_NETWORKS = [ipaddress.ip_network("127.0.0.2/32")]
    with Receiver("127.0.0.2") as outside, socket.create_server(("127.0.0.1", outside.port)) as inside:
        resolver = Rebinding("rebinding.example", "127.0.0.2", "127.0.0.1")
        monkeypatch.setattr(socket, "getaddrinfo", resolver)

        first = post(outside.url("rebinding.example"))
        second = post(outside.url("rebinding.example"))

        assert (first.status_code, first.address, resolver.asked) == (200, "127.0.0.2", 2)
        assert (second.error, second.address) == ("refused", "")
        inside.settimeout(0.1)
        with pytest.raises(TimeoutError):
            inside.accept()
    assert [call.headers["host"] for call in outside.calls] == [f"rebinding.example:{outside.port}"]


# -- https


@pytest.fixture
def certificate(tmp_path, settings):
    path = make_certificate(tmp_path / "receiver.pem")
    settings.WEBHOOK_CA_FILE = str(path)
    calling._tls.cache_clear()
    yield path
    calling._tls.cache_clear()


def test_over_https_the_certificate_must_fit_the_name_and_not_the_address(at_home, certificate):
    with Receiver(certificate=certificate) as receiver:
        fits = post(receiver.url())
        does_not = post(receiver.url("127.0.0.1"))

    assert (fits.status_code, fits.error) == (200, "")
    assert does_not.error == "tls"
    assert len(receiver.calls) == 1


def test_a_certificate_that_nobody_signed_is_refused(at_home, tmp_path):
    with Receiver(certificate=make_certificate(tmp_path / "own.pem")) as receiver:
        assert post(receiver.url()).error == "tls"

    assert not receiver.calls


def test_a_certificate_that_has_expired_is_refused(at_home, tmp_path, settings):
    settings.WEBHOOK_CA_FILE = str(make_certificate(tmp_path / "old.pem", expired=True))
    calling._tls.cache_clear()
    try:
        with Receiver(certificate=tmp_path / "old.pem") as receiver:
            assert post(receiver.url()).error == "tls"
    finally:
        calling._tls.cache_clear()


def test_a_receiver_that_hangs_in_the_middle_of_tls_is_left(at_home):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        answer = post(f"https://127.0.0.1:{silent.getsockname()[1]}/", timeout_s=0.3)

    assert answer.error == "timeout"


# -- Retry-After


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("soon", None),
        ("", None),
        ("-5", None),
        pytest.param("9" * 5000, None, id="long"),
        ("Mon, 01 Jan 99999999999 00:00:00 GMT", None),
    ],
)
def test_retry_after_in_seconds(receiver, value, seconds):
    receiver.reply = lambda call: Reply(429, {"Retry-After": value})

    assert post(receiver.url()).retry_after == (None if seconds is None else timedelta(seconds=seconds))


def test_retry_after_as_a_date(receiver):
    moment = timezone.now() + timedelta(minutes=10)
    receiver.reply = lambda call: Reply(503, {"Retry-After": format_datetime(moment)})

    answer = post(receiver.url())

    assert answer.retry_after
    assert 590 < answer.retry_after.total_seconds() < 601
