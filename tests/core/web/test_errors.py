"""Every refusal has the product's face, a way on, and a reference that stands in the log; the API gets problem+json."""

import re
from uuid import UUID

import pytest

from core.tenancy import enter_platform
from core.web.problems import problem
from tenants import directory
from tenants.models import Tenant

PROBLEM = "application/problem+json"


@pytest.fixture
def faulty(db, settings, acme, visitor):
    """Somebody at acme-corp's address, where some pages fail."""
    settings.TENANT_URLCONF = "tests.core.web.faults"
    return visitor(acme)


def reference_of(text: str) -> str:
    found = re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", text)
    assert found, text[:2000]
    return found.group(0)


def in_our_look(page) -> bool:
    text = page.content.decode().lstrip()
    return text.startswith("<!DOCTYPE html>") and "plx-fault" in text and "css/plexica.css" in text and "<h1>" in text


@pytest.mark.parametrize(
    ("kind", "status"),
    [("400", 400), ("403", 403), ("404", 404), ("409", 409), ("410", 410), ("422", 422), ("429", 429), ("500", 500),
     ("503", 503), ("database", 503)],
)  # fmt: skip
def test_every_error_is_a_page_in_the_products_look(kind, status, faulty):
    page = faulty.get(f"/fail/{kind}/")

    assert page.status_code == status
    assert in_our_look(page)
    assert f">{status}<" in page.content.decode()
    assert "secret reason" not in page.content.decode()
    assert "Traceback" not in page.content.decode()


@pytest.mark.parametrize("kind", ["400", "403", "409", "410", "500", "503"])
def test_the_reference_on_an_error_page_is_the_requests_id(kind, faulty):
    page = faulty.get(f"/fail/{kind}/")

    assert reference_of(page.content.decode()) == page["X-Request-ID"]


def test_the_reference_of_a_broken_page_stands_in_the_log_beside_the_reason(faulty, caplog):
    page = faulty.get("/fail/500/")

    lines = [record for record in caplog.records if record.levelname == "ERROR"]
    reference = reference_of(page.content.decode())
    assert any(reference in str(line.msg) for line in lines)
    assert any("ZeroDivisionError" in str(line.exc_info) or "ZeroDivisionError" in str(line.msg) for line in lines)


@pytest.mark.parametrize("path", ["/nothing/", "/nothing", "/team/nothing/", "/op/nothing/", "/op/applications/"])
def test_an_address_with_nothing_behind_it_is_a_page(path, db, visitor, acme):
    page = visitor(acme).get(path)

    assert page.status_code == 404
    assert in_our_look(page)


@pytest.mark.parametrize("method", ["get", "head"])
def test_a_method_that_an_address_does_not_take_is_answered_with_those_it_takes(method, faulty):
    page = getattr(faulty, method)("/post-only/")

    assert page.status_code == 405
    assert page["Allow"] == "POST"
    if method == "get":
        assert in_our_look(page)


@pytest.mark.parametrize("path", ["/", "/team/", "/search/", "/sign-ins.csv"])
def test_pages_that_only_show_take_no_posts(path, owner):
    page = owner.post(path, page=owner.get("/"))

    assert page.status_code == 405
    assert page["Allow"] == "GET, HEAD"
    assert in_our_look(page)


@pytest.mark.parametrize("path", ["/", "/team/", "/profile/", "/sign-ins.csv"])
def test_head_answers_like_get_without_a_body(path, owner):
    head, get = owner.head(path), owner.get(path)

    assert head.status_code == get.status_code == 200
    assert not head.content
    assert head["Content-Type"] == get["Content-Type"]


def test_unknown_and_unready_addresses_have_pages_of_their_own(db, visitor, acme):
    nobody = visitor(host="nobody-here.localhost:8000").get("/")
    with enter_platform():
        Tenant.objects.filter(pk=acme.id).update(status="provisioning")
    directory.forget()
    unready = visitor(acme).get("/")
    with enter_platform():
        Tenant.objects.filter(pk=acme.id).update(status="suspended")
    directory.forget()
    suspended = visitor(acme).get("/")

    assert [page.status_code for page in (nobody, unready, suspended)] == [404, 503, 403]
    assert all(in_our_look(page) for page in (nobody, unready, suspended))
    assert "nobody-here.localhost:8000" in nobody.content.decode()
    assert 'href="http://localhost:8000"' in nobody.content.decode()
    assert "Acme Corp is being set up" in unready.content.decode()
    assert "Acme Corp is suspended" in suspended.content.decode()


@pytest.mark.parametrize("status", ["failed", "deleted"])
def test_a_tenant_that_is_gone_is_an_unknown_address(status, db, visitor, acme):
    with enter_platform():
        Tenant.objects.filter(pk=acme.id).update(status=status)
    directory.forget()

    page = visitor(acme).get("/")

    assert page.status_code == 404
    assert "Acme" not in page.content.decode()


def test_unready_addresses_answer_programs_with_problems(db, visitor, acme):
    with enter_platform():
        Tenant.objects.filter(pk=acme.id).update(status="provisioning")
    directory.forget()

    assert visitor(acme).api("GET", "/api/v1/me/").json()["code"] == "tenant_not_ready"
    assert visitor(host="nobody.localhost:8000").api("GET", "/api/v1/me/").json()["code"] == "unknown_address"


@pytest.mark.parametrize(
    "host",
    [
        "acme-corp.localhost:8000@evil.example", "evil.example", "acme-corp.localhost.evil.example", "x.acme-corp.localhost",
        "acme-corp", "localhost.evil.example", "[::1]:8000", "127.0.0.1:8000", "acme corp.localhost", "a" * 300, "..localhost",
        "acme-corp.localhost/evil", "public.localhost", "<script>.localhost",
    ],
)  # fmt: skip
def test_other_hosts_lead_nowhere(host, db, visitor):
    page = visitor(host=host).get("/")

    assert page.status_code == 404
    assert in_our_look(page)
    assert "Acme" not in page.content.decode()
    assert "<script>." not in page.content.decode()


def test_a_forwarded_host_counts_for_nothing(db, visitor):
    page = visitor().get(
        "/", HTTP_X_FORWARDED_HOST="acme-corp.localhost:8000", HTTP_FORWARDED="host=acme-corp.localhost"
    )

    assert "Acme" not in page.content.decode()
    assert page.status_code == 200


# --- fragments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["400", "403", "404", "409", "500", "503"])
def test_a_fragment_that_fails_gets_a_notice_and_no_page(kind, faulty):
    answer = faulty.get(f"/fail/{kind}/", HTTP_HX_REQUEST="true")

    text = answer.content.decode()
    assert "data-px-notice" in text
    assert "<html" not in text
    assert reference_of(text) == answer["X-Request-ID"]


def test_a_fragment_without_csrf_token_gets_a_notice(faulty):
    answer = faulty.form("/post-only/", HTTP_HX_REQUEST="true")

    assert answer.status_code == 403
    assert "data-px-notice" in answer.content.decode()
    assert "<html" not in answer.content.decode()


def test_a_form_without_csrf_token_gets_a_page(faulty):
    answer = faulty.form("/post-only/")

    assert answer.status_code == 403
    assert in_our_look(answer)
    assert "Reload it" in answer.content.decode()


def test_a_fragment_asked_for_after_the_session_ended_sends_the_page_to_sign_in(db, visitor, acme):
    answer = visitor(acme).get(
        "/team/?q=x", HTTP_HX_REQUEST="true", HTTP_HX_CURRENT_URL="http://acme-corp.localhost:8000/team/?q=a"
    )

    assert answer.status_code == 401
    assert answer["HX-Redirect"] == "/oidc/authenticate/?next=%2Fteam%2F%3Fq%3Da"


@pytest.mark.parametrize(
    "elsewhere", ["http://evil.example/", "http://acme-corp.localhost:8000.evil.example/", "//evil"]
)
def test_a_fragment_is_never_sent_back_to_another_site(elsewhere, db, visitor, acme):
    answer = visitor(acme).get("/team/", HTTP_HX_REQUEST="true", HTTP_HX_CURRENT_URL=elsewhere)

    assert answer["HX-Redirect"] == "/oidc/authenticate/?next=%2F"


# --- the API ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [("403", 403, "forbidden"), ("404", 404, "not_found"), ("409", 409, "conflict"), ("410", 410, "gone"),
     ("422", 422, "invalid"), ("429", 429, "too_many"), ("503", 503, "unavailable"), ("database", 503, "unavailable")],
)  # fmt: skip
def test_the_api_answers_errors_with_problems(kind, status, code, faulty):
    answer = faulty.api("GET", f"/api/v1/fail/{kind}/")

    assert answer.status_code == status
    assert answer["Content-Type"] == PROBLEM
    assert answer.json()["code"] == code
    assert answer.json()["type"] == f"urn:plexica:problem:{code}"
    assert answer.json()["reference"] == answer["X-Request-ID"]
    assert "secret reason" not in answer.content.decode()


def test_the_api_answers_its_own_faults_with_a_problem_that_tells_nothing(faulty):
    answer = faulty.get("/api/v1/fail/500/")

    assert answer.status_code == 500
    assert answer["Content-Type"] == PROBLEM
    assert answer.json()["reference"] == answer["X-Request-ID"]
    assert "secret" not in answer.content.decode()


@pytest.mark.parametrize("path", ["/api/", "/api/v1/", "/api/v1/nothing/", "/api/v2/me/"])
def test_unknown_addresses_below_api_are_problems(path, db, visitor, acme):
    answer = visitor(acme).api("GET", path)

    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


def test_methods_that_the_api_does_not_take_are_problems_with_allow(owner):
    token = owner.get("/").content.decode().split('name="csrf-token" content="')[1].split('"')[0]

    answer = owner.api("DELETE", "/api/v1/me/", HTTP_X_CSRFTOKEN=token, HTTP_ORIGIN=f"http://{owner.host}")

    assert answer.status_code == 405
    assert answer.json()["code"] == "method_not_allowed"
    assert "GET" in answer["Allow"]


@pytest.mark.parametrize(
    "body", ["{", "[1,", '{"slug": }', "\x00", "nonsense", "\ud83d".encode("utf-8", "surrogatepass")]
)
def test_a_malformed_body_is_a_problem(body, operator_at_console, platform_issuer_token):
    answer = operator_at_console.api("POST", "/api/v1/tenants/", body=body, token=platform_issuer_token)

    assert answer.status_code == 400
    assert answer.json()["code"] == "malformed"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("[" * 5000, "nested too deeply"),
        ('{"slug": "one", "slug": "two"}', "“slug” stands twice"),
        ('{"slug": NaN}', "no JSON"),
    ],
)
def test_a_body_that_reads_two_ways_or_not_at_all_says_why(body, words, operator_at_console, platform_issuer_token):
    answer = operator_at_console.api("POST", "/api/v1/tenants/", body=body, token=platform_issuer_token)

    assert answer.status_code == 400
    assert answer.json()["code"] == "malformed"
    assert words in answer.json()["detail"]


def test_what_is_wrong_inside_a_list_is_named_by_its_place(operator_at_console, platform_issuer_token):
    body = {"answer": "retry", "ids": [str(UUID(int=1)), "abc"], "idz": []}

    answer = operator_at_console.api("POST", "/api/v1/events/answers/", body=body, token=platform_issuer_token)

    assert answer.json()["errors"] == {"ids.1": ["Must be a valid UUID."], "idz": ["There is no such field here."]}


def test_the_librarys_sentences_are_in_the_language_asked_for(operator_at_console, platform_issuer_token):
    answer = operator_at_console.api(
        "POST",
        "/api/v1/events/answers/",
        body={"answer": "retry", "ids": ["abc"], "reason": []},
        token=platform_issuer_token,
        HTTP_ACCEPT_LANGUAGE="it",
    )

    assert answer.json()["errors"] == {"ids.0": ["Indica un UUID valido."], "reason": ["Indica un testo."]}


@pytest.mark.parametrize("path", ["/api/v1/tenants", "/api/v1/tenants/acme-corp/suspend"])
def test_a_forgotten_slash_makes_no_reading_of_a_change(path, operator_at_console):
    answer = operator_at_console.form(path)

    assert answer.status_code == 308  # a 301 is followed with GET
    assert answer["Location"] == f"{path}/"


def test_options_says_nothing_of_fields_that_the_document_does_not(operator_at_console, platform_issuer_token):
    answer = operator_at_console.client.options(
        "/api/v1/events/failed/",
        HTTP_HOST=operator_at_console.host,
        HTTP_AUTHORIZATION=f"Bearer {platform_issuer_token}",
    )

    assert answer.json() == {
        "name": "Failed Event Collection",
        "description": "Events that subscribers could not handle, newest first; those that were answered, too.",
    }
    assert "GET" in answer["Allow"]


def test_an_operation_that_there_is_not_is_no_missing_tenant(operator_at_console):
    answer = operator_at_console.api("GET", f"/api/v1/operations/{UUID(int=1)}/")

    assert answer.status_code == 404
    assert answer.json()["code"] == "operation_not_found"
    assert str(UUID(int=1)) in answer.json()["detail"]


@pytest.mark.parametrize("body", ["[]", "[1]", "1", "null", '"text"', '[{"slug": "abc"}]'])
def test_a_body_of_another_shape_is_a_problem(body, operator_at_console, platform_issuer_token):
    answer = operator_at_console.api("POST", "/api/v1/tenants/", body=body, token=platform_issuer_token)

    assert answer.status_code in (400, 422)


def test_another_content_type_is_a_problem(operator_at_console, platform_issuer_token):
    answer = operator_at_console.form(
        "/api/v1/tenants/", {"slug": "x"}, HTTP_AUTHORIZATION=f"Bearer {platform_issuer_token}"
    )

    assert answer.status_code == 415
    assert answer["Content-Type"] == PROBLEM
    assert answer.json()["detail"] == "Send application/json."


def test_whoever_sends_an_archive_as_something_else_is_told_how(operator_at_console, platform_issuer_token):
    answer = operator_at_console.api("POST", "/api/v1/imports/", body={}, token=platform_issuer_token)

    assert answer.status_code == 415
    assert answer.json()["detail"] == "Send application/gzip."


def test_wrong_values_are_named_field_by_field(operator_at_console, platform_issuer_token):
    before = Tenant.objects.count()

    answer = operator_at_console.api(
        "POST",
        "/api/v1/tenants/",
        body={"slug": "A B", "name": "", "admin_email": "nobody"},
        token=platform_issuer_token,
    )

    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid"
    assert "name" in answer.json()["errors"]
    assert Tenant.objects.count() == before


@pytest.mark.parametrize("path", ["/?q=%00", "/team/?q=%00", "/search/?q=a%00b", "/oidc/callback/?code=%00&state=%00", "/%00/",
                                  "/op/authorize/?client_id=%00", "/op/set-password/%00/", "/brand.css?%00"])  # fmt: skip
def test_a_nul_byte_is_a_bad_request_everywhere(path, owner):
    page = owner.get(path)

    assert page.status_code == 400
    assert in_our_look(page)


@pytest.mark.parametrize("path", ["/api/v1/tenants/?q=%00", "/api/v1/tenants/?status=%00", "/api/v1/tenants/%00/"])
def test_a_nul_byte_is_a_bad_request_for_the_api(path, operator_at_console):
    answer = operator_at_console.api("GET", path)

    assert answer.status_code == 400
    assert answer.json()["code"] == "bad_request"


@pytest.mark.parametrize("fact", ["status", "code", "type", "title", "detail", "reference"])
def test_a_fact_never_takes_the_place_of_a_member_of_the_problem(fact):
    said = problem(code="a_code", title="A title", status=409, detail="A detail.", facts={fact: "other", "slug": "x"})

    assert (said["code"], said["status"], said["title"], said["detail"]) == ("a_code", 409, "A title", "A detail.")
    assert said["slug"] == "x"
    assert "other" not in said.values()
