"""The API's documents: complete, valid, and what the server serves."""

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.support import openapi

PORTALS = pytest.mark.parametrize("platform", [True, False], ids=["platform", "tenant"])


@PORTALS
def test_the_document_is_made_without_a_warning(platform, capsys):
    from drf_spectacular.drainage import GENERATOR_STATS

    openapi.document.cache_clear()
    with GENERATOR_STATS.silence():
        GENERATOR_STATS.reset()
        openapi.document(platform=platform)

        warnings, errors = dict(GENERATOR_STATS._warn_cache), dict(GENERATOR_STATS._error_cache)

    assert not warnings
    assert not errors


@PORTALS
def test_the_document_is_valid_openapi_3_1(platform):
    document = openapi.document(platform=platform)

    assert document["openapi"].startswith("3.1.")
    assert not list(OpenAPIV31SpecValidator(document).iter_errors())


@PORTALS
def test_every_operation_says_who_may_call_it_and_that_it_may_be_refused(platform):
    for path, methods in openapi.document(platform=platform)["paths"].items():
        for method, operation in methods.items():
            assert operation["security"] == [{"bearer": []}, {"session": []}], (method, path)
            assert "application/problem+json" in operation["responses"]["default"]["content"], (method, path)
            assert operation["operationId"], (method, path)


@PORTALS
def test_every_route_below_api_is_described(platform, settings):
    from django.urls import URLPattern, get_resolver

    resolver = get_resolver(settings.PLATFORM_URLCONF if platform else settings.TENANT_URLCONF)
    included = [entry for entry in resolver.url_patterns if str(entry.pattern) == "api/v1/"]
    routes = {str(route.pattern) for entry in included for route in entry.url_patterns if isinstance(route, URLPattern)}

    described = openapi.document(platform=platform)["paths"]

    assert routes
    assert len(described) == len(routes)


def test_the_platforms_document_is_served_to_anybody(db, visitor):
    answer = visitor().get("/api/v1/schema/")

    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("application/vnd.oai.openapi+json")
    assert set(answer.json()["paths"]) == set(openapi.document(platform=True)["paths"])


def test_a_tenants_document_is_its_own(db, acme, visitor):
    served = visitor(acme).get("/api/v1/schema/").json()

    assert set(served["paths"]) == set(openapi.document(platform=False)["paths"])
    assert "/api/v1/tenants/" not in served["paths"]


def test_no_document_is_committed():
    from pathlib import Path

    root = Path(__file__).resolve().parent.parent
    ours = [
        path
        for room in ("docs", "superadmin", "workspace", "plexica", "static/js")
        for path in (root / room).rglob("*")
    ]

    assert not [
        path for path in ours if path.name.startswith(("openapi.", "schema.")) and path.suffix in {".json", ".yaml"}
    ]


def test_what_a_query_says_of_the_version_reaches_no_header(db, visitor):
    answer = visitor().get("/api/v1/schema/?version=1%0d%0aSet-Cookie:+a=b")

    assert answer.status_code == 200
    assert "Set-Cookie" not in answer["Content-Disposition"]


def test_a_list_without_a_next_or_previous_page_is_as_described(operator_at_console):
    first = operator_at_console.api("GET", "/api/v1/tenants/?page_size=1").json()  # compares with the document
    all_at_once = operator_at_console.api("GET", "/api/v1/tenants/?page_size=200").json()

    assert first["previous"] is None
    assert first["next"]
    assert all_at_once["next"] is None
