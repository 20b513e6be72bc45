"""/health, /health/ready and /metrics: at any host, without secrets, for those who may."""

import pytest

PARTS = {"database", "cache", "broker", "object_storage", "identity_servers"}


@pytest.mark.parametrize(
    "host", ["localhost:8000", "acme-corp.localhost:8000", "10.1.2.3", "anything.example", "[::1]:80"]
)
@pytest.mark.parametrize("path", ["/health", "/health/"])
def test_health_answers_at_any_host(path, host, visitor):
    answer = visitor(host=host).get(path)

    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"


def test_health_asks_nothing_of_the_database(visitor):
    """No database mark: the test would fail if it did."""
    assert visitor().get("/health").status_code == 200


def test_readiness_names_every_part_with_its_latency(committed, visitor):
    answer = visitor(host="10.1.2.3").get("/health/ready")

    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    assert set(answer.json()["parts"]) == PARTS
    for part in answer.json()["parts"].values():
        assert part["ok"] is True
        assert 0 <= part["latency_ms"] < 5_000


def test_a_part_that_does_not_answer_makes_it_unready_and_is_named(committed, visitor, settings):
    caches = {"default": {**settings.CACHES["default"], "LOCATION": "redis://:a-secret@127.0.0.1:1/0"}}
    settings.CACHES = caches

    answer = visitor().get("/health/ready")

    assert answer.status_code == 503
    assert answer.json()["status"] == "unavailable"
    parts = answer.json()["parts"]
    assert parts["cache"]["ok"] is False
    assert all(part["ok"] for name, part in parts.items() if name != "cache")
    assert "a-secret" not in answer.content.decode()
    assert "127.0.0.1" not in answer.content.decode()


def test_readiness_tells_no_secrets(committed, visitor, settings):
    text = visitor().get("/health/ready").content.decode()

    database = settings.DATABASES["default"]
    for secret in (
        database["PASSWORD"],
        database["HOST"],
        settings.S3_SECRET_KEY,
        settings.CELERY_BROKER_URL,
        "px_app",
    ):
        assert str(secret) not in text


def test_pages_work_while_valkey_is_away(committed, visitor, acme, signed_in, settings):
    signed_in("owner")
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}

    page = signed_in("owner").get("/")

    assert page.status_code == 200


# --- metrics ---------------------------------------------------------------------------------------------------------


def test_metrics_are_for_this_machine_when_no_token_is_set(db, visitor, settings):
    settings.METRICS_TOKEN, settings.TRUST_PROXY = "", False

    assert visitor().get("/metrics").status_code == 200
    assert visitor().get("/metrics", REMOTE_ADDR="::1").status_code == 200
    for elsewhere in ("10.0.0.1", "203.0.113.7", "", "nonsense"):
        assert visitor().get("/metrics", REMOTE_ADDR=elsewhere).status_code == 403, elsewhere


def test_a_forwarded_address_makes_nobody_local(visitor, settings):
    settings.METRICS_TOKEN, settings.TRUST_PROXY = "", False

    answer = visitor().get("/metrics", REMOTE_ADDR="203.0.113.7", HTTP_X_FORWARDED_FOR="127.0.0.1")

    assert answer.status_code == 403


def test_behind_a_proxy_everybody_looks_local_so_nobody_is_let_in_without_a_token(visitor, settings):
    settings.METRICS_TOKEN, settings.TRUST_PROXY = "", True

    assert visitor().get("/metrics").status_code == 403


def test_with_a_token_only_the_token_counts(db, visitor, settings):
    settings.METRICS_TOKEN = "the-metrics-token"

    assert visitor().get("/metrics").status_code == 403
    assert visitor().get("/metrics", HTTP_AUTHORIZATION="Bearer another").status_code == 403
    assert visitor().get("/metrics", HTTP_AUTHORIZATION="the-metrics-token").status_code == 403
    good = visitor().get("/metrics", HTTP_AUTHORIZATION="Bearer the-metrics-token", REMOTE_ADDR="203.0.113.7")
    assert good.status_code == 200
    assert "the-metrics-token" not in good.content.decode()


def test_a_token_of_other_letters_is_refused_and_breaks_nothing(visitor, settings):
    settings.METRICS_TOKEN = "the-metrics-token"

    assert visitor().get("/metrics", HTTP_AUTHORIZATION="Bearer tök\u2019n").status_code == 403


def test_requests_are_counted_by_route_and_never_by_path(owner, visitor, settings):
    settings.METRICS_TOKEN = ""
    owner.get("/team/?q=xanthippe")
    owner.get("/no/such/page-of-xanthippe/")

    text = visitor().get("/metrics").content.decode()

    assert 'plexica_http_requests_total{method="GET",portal="workspace",route="team_list",status="200"}' in text
    assert 'route="none",status="404"' in text
    assert "xanthippe" not in text
    assert "acme" not in text


def test_made_up_methods_do_not_fill_the_memory(db, visitor, settings):
    settings.METRICS_TOKEN = ""
    person = visitor()
    for name in ("AAAA", "BBBB"):
        person.client.generic(name, "/", HTTP_HOST=person.host)

    assert "AAAA" not in visitor().get("/metrics").content.decode()
