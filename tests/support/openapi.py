"""Checks every answer of the API that a test sees against the API's own document."""

import json
import re
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

PROBLEM = "application/problem+json"
# the document and its page are no part of what the document describes
UNDESCRIBED = ("/api/v1/schema/", "/api/v1/docs/")


@cache
def document(*, platform: bool) -> dict[str, Any]:
    """Return the API's document of the platform or of a tenant, as JSON."""
    from django.conf import settings
    from drf_spectacular.generators import SchemaGenerator
    from drf_spectacular.settings import spectacular_settings
    from drf_spectacular.validation import validate_schema

    assert spectacular_settings.OAS_VERSION.startswith("3.1")
    urlconf = settings.PLATFORM_URLCONF if platform else settings.TENANT_URLCONF
    schema = SchemaGenerator(urlconf=urlconf).get_schema(request=None, public=True)
    validate_schema(schema)
    described: dict[str, Any] = json.loads(json.dumps(schema))
    return described


def check_response(method: str, path: str, response: Any, *, on_platform: bool) -> None:
    """Assert that the document names the status and content type, and that the body fits its schema."""
    path = path.partition("?")[0]
    if not path.startswith("/api/") or path in UNDESCRIBED:
        return
    said = document(platform=on_platform)
    operation = _operation(said, method.lower(), path)
    where = f"{method} {path} -> {response.status_code}"
    assert response.status_code != 500, f"{where}: {response.content[:300]!r}"
    if operation is None or response.status_code >= 400:
        # an address or a method that is not described, or a refusal: the problem that every operation may answer
        assert response.status_code >= 400, f"{where}: answered, but no such operation is described"
        _check_body(said, {"$ref": "#/components/schemas/Problem"}, PROBLEM, response, where)
        assert response.json()["status"] == response.status_code, where
        return
    described = operation["responses"].get(str(response.status_code))
    assert described is not None, f"{where}: described are {sorted(operation['responses'])}"
    for name in described.get("headers", {}):
        assert name in response, f"{where}: the header {name} is described and missing"
    if "content" not in described:
        assert not response.content, f"{where}: answered a body, and none is described"
        return
    content_type, media = next(iter(described["content"].items()))
    if media["schema"].get("format") == "binary":
        assert response["Content-Type"] == content_type, f"{where}: {response['Content-Type']}"
        return
    _check_body(said, media["schema"], content_type, response, where)
    _check_nothing_more(said, media["schema"], response.json(), where)


def _operation(said: dict[str, Any], method: str, path: str) -> dict[str, Any] | None:
    for template, methods in said["paths"].items():
        if re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)), path):
            found: dict[str, Any] | None = methods.get(method)
            return found
    return None


def _check_body(said: dict[str, Any], schema: dict[str, Any], content_type: str, response: Any, where: str) -> None:
    assert response["Content-Type"].partition(";")[0] == content_type, f"{where}: {response['Content-Type']}"
    whole = {**schema, "components": said["components"]}
    faults = list(Draft202012Validator(whole, format_checker=FormatChecker()).iter_errors(response.json()))
    assert not faults, f"{where}: {[(fault.json_path, fault.message) for fault in faults]}"


def _check_nothing_more(said: dict[str, Any], schema: dict[str, Any], body: Any, where: str) -> None:
    """A field that nobody described is a promise that nobody made."""
    if "$ref" in schema:
        schema = said["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if isinstance(body, list):
        for item in body:
            _check_nothing_more(said, schema.get("items", {}), item, where)
    elif isinstance(body, dict) and "properties" in schema:
        assert set(body) <= set(schema["properties"]), f"{where}: undescribed {set(body) - set(schema['properties'])}"
        for name, value in body.items():
            _check_nothing_more(said, schema["properties"][name], value, where)
