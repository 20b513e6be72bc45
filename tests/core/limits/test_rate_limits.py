"""Quotas of a tenant, a client and an address, with the real Valkey."""

import re

import pytest
from django_redis import get_redis_connection

from core.limits import quotas
from core.tenancy.cache import pattern_of
from core.web.addresses import client_address, network_of


@pytest.fixture
def limited(settings):
    """Sets quotas: `limited(client="3/minute")`. The others stay off."""

    def set_quotas(**rates: str) -> None:
        off = dict.fromkeys(("tenant", "client", "address", "sign-in"), "")
        settings.RATE_LIMITS = off | {name.replace("_", "-"): rate for name, rate in rates.items()}

    return set_quotas


def statuses(visitor, times, path="/api/v1/me/", **headers):
    return [visitor.get(path, **headers).status_code for _ in range(times)]


def test_a_client_that_calls_too_often_is_told_to_wait(limited, owner):
    limited(client="3/minute")

    answers = [owner.api("GET", "/api/v1/me/") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    refused = answers[-1]
    assert refused["Content-Type"] == "application/problem+json"
    assert refused.json()["code"] == "too_many_requests"
    assert refused.json()["violated"] == ["client"]
    assert 1 <= int(refused["Retry-After"]) <= 60


def test_each_answer_says_what_is_left_in_the_fields_of_the_draft(limited, owner):
    limited(client="3/minute", tenant="9/minute", address="20/10second")

    first, second = owner.get("/api/v1/me/"), owner.get("/api/v1/me/")

    assert first["RateLimit-Policy"] == '"address";q=20;w=10, "tenant";q=9;w=60, "client";q=3;w=60'
    left = re.findall(r'"([a-z-]+)";r=(\d+);t=(\d+)', second["RateLimit"])
    assert [(name, int(remaining)) for name, remaining, _ in left] == [("address", 18), ("tenant", 7), ("client", 1)]
    assert all(1 <= int(reset) <= 60 for *_, reset in left)
    assert "Retry-After" not in second


def test_people_of_one_tenant_have_quotas_of_their_own_and_share_the_tenants(limited, owner, member, outsider):
    limited(client="2/minute", tenant="3/minute")

    assert statuses(owner, 3) == [200, 200, 429]  # the third took from the tenant's too
    assert statuses(member, 1) == [429]
    assert statuses(outsider, 2) == [200, 200]


def test_an_address_is_counted_before_anybody_is_known_and_whatever_the_tenant(limited, visitor, acme, globex, db):
    limited(address="3/minute")

    at_acme = statuses(visitor(acme), 2, HTTP_AUTHORIZATION="Bearer guessed")
    at_globex = statuses(visitor(globex), 2, HTTP_AUTHORIZATION="Bearer guessed")
    from_elsewhere = visitor(globex).get("/api/v1/me/", REMOTE_ADDR="203.0.113.9")

    assert (at_acme, at_globex) == ([401, 401], [401, 429])
    assert from_elsewhere.status_code == 401


def test_pages_are_not_counted(limited, owner):
    limited(client="1/minute", tenant="1/minute", address="1/minute", sign_in="1/minute")

    assert statuses(owner, 3, "/") == [200, 200, 200]


@pytest.mark.parametrize(
    "path", ["/op/sign-in/", "/op/token/", "/op/set-password/made-up/", "/op/device-authorization/"]
)
def test_whoever_tries_secrets_is_slowed_down(path, limited, visitor, acme, db):
    limited(sign_in="2/minute")
    guesser = visitor(acme)

    answers = [guesser.form(path, {"email": "owner@people.example", "password": "guess"}) for _ in range(3)]

    assert answers[-1].status_code == 429
    assert 429 not in [answer.status_code for answer in answers[:2]]
    assert "Retry-After" in answers[-1]


def test_somebody_in_a_browser_gets_a_page_that_says_how_long(limited, visitor, acme, db):
    limited(sign_in="1/minute")
    guesser = visitor(acme)
    guesser.form("/op/sign-in/")

    page = guesser.form("/op/sign-in/")

    assert page.status_code == 429
    text = page.content.decode()
    assert "Too many requests" in text
    assert re.search(r"You can go on in <b[^>]*>\d+ seconds?</b>", text)


def test_looking_at_the_sign_in_page_costs_nothing(limited, visitor, acme, db):
    limited(sign_in="1/minute")

    assert statuses(visitor(acme), 3, "/op/sign-in/") == [200, 200, 200]


def test_people_signing_in_at_once_do_not_use_up_the_servers_own_address(limited, committed, world, visitor):
    limited(sign_in="2/minute")  # each sign-in sends one form; the server asks its own token endpoint besides
    person = world.person("member")

    for number in range(3):
        address = f"203.0.113.{number}"
        somebody = visitor(person.tenant)
        somebody.client.defaults["REMOTE_ADDR"] = address
        somebody.sign_in(person.email, person.password)


def test_without_valkey_requests_go_on_and_it_is_left_alone_for_a_while(limited, owner, settings, monkeypatch):
    limited(client="1/minute", address="1/minute")
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}
    monkeypatch.setattr(quotas, "_left_alone_until", 0.0)

    answers = [owner.get("/api/v1/me/") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert "RateLimit" not in answers[0]
    assert quotas._left_alone_until > 0


def test_a_tenants_counters_are_among_what_its_deletion_removes(limited, owner, acme):
    limited(client="3/minute", tenant="3/minute")
    owner.get("/api/v1/me/")

    keys = list(get_redis_connection("default").scan_iter(match=pattern_of(acme.id, "")))

    assert sum(b":limit:" in key for key in keys) == 2


def test_an_ipv6_visitor_is_their_network():
    assert network_of("2001:db8:1:2:3:4:5:6") == network_of("2001:db8:1:2::9") == "2001:db8:1:2::"
    assert network_of("2001:db8:1:3::9") != network_of("2001:db8:1:2::9")
    assert network_of("::ffff:203.0.113.7") == network_of("203.0.113.7") == "203.0.113.7"
    assert network_of("nonsense") == "unknown"


def test_the_address_that_a_visitor_writes_counts_for_nothing(rf, settings):
    said = {"HTTP_X_FORWARDED_FOR": "198.51.100.1, 203.0.113.7", "REMOTE_ADDR": "10.0.0.2"}

    settings.TRUST_PROXY = False
    direct = client_address(rf.get("/", **said))
    settings.TRUST_PROXY = True
    behind_a_proxy = client_address(rf.get("/", **said))

    assert (direct, behind_a_proxy) == ("10.0.0.2", "203.0.113.7")
