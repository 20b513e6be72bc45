"""Logs carry request and tenant ids, and no addresses of people, passwords, tokens or queries."""

import logging
import re

import pytest
import structlog
from django.db import IntegrityError, transaction

from accounts.people.models import Role
from core.tenancy import enter


@pytest.fixture
def log_lines():
    """Everything that is logged, as it would be written."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    handler = Keep(logging.DEBUG)
    handler.setFormatter(logging.getLogger().handlers[0].formatter)
    logging.getLogger().addHandler(handler)
    yield lines
    logging.getLogger().removeHandler(handler)


def test_a_sign_in_leaves_ids_in_the_log_and_nothing_personal(committed, acme, visitor, world, log_lines):
    person = world.person("member")

    signed_in = visitor(acme).sign_in(person.email, person.password, start="/team/?q=a-name-somebody-looks-for")
    signed_in.get("/team/?q=another-name")
    signed_in.post("/profile/", {"name": "", "language": "", "time_zone": "", "theme": "light"})

    text = "\n".join(log_lines)
    assert "request_finished" in text
    assert str(acme.id) in text
    assert re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-", text), "request ids"
    for secret in (
        person.email,
        person.password,
        "a-name-somebody-looks-for",
        "another-name",
        "people.example",
        "Tomas",
    ):
        assert secret not in text, secret
    assert "eyJ" not in text, "a JSON Web Token"
    assert "code=" not in re.sub(r"\bcode=\d{3}\b", "", text), "an authorization code"
    for morsel in signed_in.cookies.values():
        assert morsel.value not in text, morsel.key


def test_refused_sign_ins_leave_no_address_in_the_log(db, acme, visitor, log_lines):
    page = visitor(acme)
    page.post("/op/sign-in/", {"email": "somebody@secret.example", "password": "a very secret password"})
    page.get("/oidc/callback/?code=stolen-code&state=unknown-state")
    page.get("/oidc/callback/?error=access_denied&state=unknown-state")

    text = "\n".join(log_lines)
    assert "request_finished" in text
    for secret in ("secret.example", "very secret", "stolen-code", "unknown-state"):
        assert secret not in text, secret


def test_a_set_password_link_is_not_logged(db, acme, visitor, log_lines):
    token = "aB3-" * 11

    visitor(acme).get(f"/op/set-password/{token}/")

    assert token not in "\n".join(log_lines)
    assert "/op/set-password/" in "\n".join(log_lines)


def test_a_bearer_token_is_not_logged(db, acme, visitor, log_lines):
    visitor(acme).api("GET", "/api/v1/me/", token="eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln")

    assert "eyJ" not in "\n".join(log_lines)


def test_what_postgresql_quotes_of_a_row_stays_out_of_the_log(db, acme, log_lines):
    with enter(acme), transaction.atomic(), pytest.raises(IntegrityError) as refusal:
        Role.objects.create(name="admin", label="Again")
    assert "(admin)" in str(refusal.value)

    structlog.get_logger("tests").error("refused", error=str(refusal.value), exc_info=refusal.value)

    assert "unique constraint" in log_lines[-1]
    assert "(admin)" not in log_lines[-1]
