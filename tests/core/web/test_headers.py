"""What every answer carries: a strict Content-Security-Policy, the browser's other protections, the request's id."""

import pytest

CSP = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
ANSWERS = ["/", "/team/", "/profile/", "/nothing/", "/op/sign-in/", "/api/v1/me/", "/api/v1/docs/", "/api/v1/schema/",
           "/brand.css", "/sign-ins.csv", "/health", "/op/.well-known/jwks.json", "/op/token/", "/metrics"]  # fmt: skip


@pytest.mark.parametrize("path", ANSWERS)
def test_every_answer_carries_the_strict_policy_and_no_weaker_one(path, owner, settings):
    """Forms may end at the Keycloaks of the settings: signing out does."""
    keycloaks = [server.outer_url for server in settings.KEYCLOAK_SERVERS.values()]

    answer = owner.get(path)

    policy = dict(part.strip().split(" ", 1) for part in answer["Content-Security-Policy"].split(";"))
    assert policy == CSP | {"form-action": " ".join(["'self'", *keycloaks])}
    assert "Content-Security-Policy-Report-Only" not in answer


@pytest.mark.parametrize("path", ANSWERS)
def test_every_answer_carries_the_browsers_other_protections(path, owner):
    answer = owner.get(path)

    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert len(answer["X-Request-ID"]) == 36


def test_pages_for_signed_in_people_stay_in_no_shared_cache(owner):
    for path in ("/", "/team/", "/profile/"):
        answer = owner.get(path)

        assert "Cookie" in answer["Vary"], path
        assert "public" not in answer.get("Cache-Control", ""), path


@pytest.mark.parametrize(
    "path", ["/op/sign-in/", "/sign-in-failed/", "/op/authorize/", "/oidc/callback/", "/oidc/authenticate/"]
)
def test_pages_of_signing_in_are_kept_by_no_cache(path, owner):
    assert "no-store" in owner.get(path).get("Cache-Control", "") or "no-cache" in owner.get(path).get(
        "Cache-Control", ""
    )


def test_a_request_id_from_outside_is_not_taken_over(db, visitor):
    answer = visitor().get("/", HTTP_X_REQUEST_ID="mine" * 40)

    assert "mine" not in answer["X-Request-ID"]


def test_each_request_has_its_own_id(db, visitor):
    ids = {visitor().get("/")["X-Request-ID"] for _ in range(3)}

    assert len(ids) == 3


def test_only_public_documents_may_be_read_from_other_origins(owner):
    shared = [path for path in ANSWERS if "Access-Control-Allow-Origin" in owner.get(path)]

    assert set(shared) <= {"/op/.well-known/jwks.json", "/op/token/"}


@pytest.mark.parametrize("path", ["/", "/op/sign-in/", "/team/"])
def test_no_page_carries_inline_style_or_script(path, owner):
    import re

    text = owner.get(path).content.decode()

    assert not re.search(r"<[^>]+\sstyle=", text)
    assert not re.search(r"<[^>]+\son\w+=", text)
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert "<style" not in text
