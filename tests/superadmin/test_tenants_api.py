"""The operators' API: tenants and operations. Each answer is compared with the OpenAPI document by `visitor.api`."""

import pytest
from django.utils import timezone

from core.audit.models import AuditEntry
from tenants.models import Operation, Tenant
from tenants.services.deletion import SETTLE
from tenants.services.provisioning import request_tenant

TENANTS = "/api/v1/tenants/"
ACME = f"{TENANTS}acme-corp/"
DELETION = {"typed_slug": "acme-corp", "reason": "The contract has ended"}


@pytest.fixture
def call(operator_at_console):
    """Calls the API with the operator's session and its CSRF token."""
    import re

    page = operator_at_console.get("/console/tenants/").content.decode()
    token = re.search(r'name="csrf-token" content="([^"]+)"', page).group(1)
    origin = f"http://{operator_at_console.host}"

    def ask(method, path, body=None, **headers):
        sent = {"HTTP_X_CSRFTOKEN": token, "HTTP_ORIGIN": origin, **headers}
        return operator_at_console.api(method, path, body=body, **sent)

    return ask


@pytest.fixture
def stuck(operator, db):
    """An operation that found leftovers."""
    operation = request_tenant(slug="stark", name="Stark", admin_email="p@stark.example", actor=operator)
    Operation.objects.filter(pk=operation.pk).update(
        status="stuck", resumes_as="running", error_code="leftovers_found", finished_at=timezone.now()
    )
    return Operation.objects.get(pk=operation.pk)


def test_tenants_are_searched_filtered_and_ordered(call):
    def slugs(params):
        return [tenant["slug"] for tenant in call("GET", f"{TENANTS}?{params}").json()["results"]]

    assert slugs("ordering=slug") == ["acme-corp", "globex-inc"]
    assert slugs("ordering=-name") == ["globex-inc", "acme-corp"]
    assert slugs("q=globex") == ["globex-inc"]
    assert slugs("status=suspended") == []


@pytest.mark.parametrize("params", ["ordering=admin_email", "status=nonsense"])
def test_what_nobody_can_ask_for_is_refused_by_name(params, call):
    answer = call("GET", f"{TENANTS}?{params}")

    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == [params.partition("=")[0]]


def test_a_tenant_is_renamed_and_nothing_else_changes(call, acme):
    answer = call("PATCH", ACME, {"name": "Acme Ltd"}, HTTP_IF_MATCH="2")

    assert answer.status_code == 200
    assert (answer.json()["name"], answer.json()["version"]) == ("Acme Ltd", 3)
    assert AuditEntry.objects.filter(action="tenant.renamed", target_id=acme.id).count() == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "x", "slug": "other"}, "slug"),
        ({"name": "x", "status": "deleted"}, "status"),
        ({"name": "x", "admin_email": "me@evil.example"}, "admin_email"),
        ({"name": "  "}, "name"),
        ({"name": "x" * 121}, "name"),
        ({}, "name"),
    ],
    ids=str,
)
def test_what_may_not_change_is_refused_and_nothing_is_written(body, field, call, acme):
    before = Tenant.objects.filter(pk=acme.id).values().get()

    answer = call("PATCH", ACME, body)

    assert answer.status_code == 422
    assert field in answer.json()["errors"]
    assert Tenant.objects.filter(pk=acme.id).values().get() == before


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", ACME, {"name": "Other"}),
        ("DELETE", ACME, DELETION),
        ("POST", f"{ACME}suspend/", {"reason": "unpaid"}),
    ],
)
def test_another_version_is_412_and_changes_nothing(method, path, body, call, acme):
    before = Tenant.objects.filter(pk=acme.id).values().get()

    answer = call(method, path, body, HTTP_IF_MATCH='"99"')

    assert (answer.status_code, answer.json()["code"]) == (412, "tenant_changed")
    assert Tenant.objects.filter(pk=acme.id).values().get() == before


@pytest.mark.parametrize("version", ["two", "-1", "2.0", "9" * 5000], ids=lambda version: version[:9])
def test_a_version_that_is_none_is_refused(version, call):
    answer = call("PATCH", ACME, {"name": "Other"}, HTTP_IF_MATCH=version)

    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == ["If-Match"]


def test_a_deletion_is_accepted_followed_and_undone(call, acme):
    accepted = call("DELETE", ACME, DELETION)
    location = accepted["Location"].partition("localhost:8000")[2]
    followed = call("GET", location).json()
    again = call("DELETE", ACME, DELETION)

    undone = call("POST", f"{ACME}undo-deletion/", {})

    assert accepted.status_code == 202
    assert (followed["kind"], followed["status"], followed["tenant"]) == ("delete", "pending", "acme-corp")
    assert len(followed["steps"]) > 5
    assert (again.status_code, again.json()["code"]) == (409, "tenant_busy")
    assert undone.json()["status"] == "active"
    assert call("POST", f"{ACME}undo-deletion/", {}).json()["code"] == "tenant_not_deleting"


def test_a_repeated_deletion_with_the_same_key_is_the_first_one(call):
    first = call("DELETE", ACME, DELETION, HTTP_IDEMPOTENCY_KEY="once")
    second = call("DELETE", ACME, DELETION, HTTP_IDEMPOTENCY_KEY="once")
    other = call("DELETE", ACME, {**DELETION, "now": True}, HTTP_IDEMPOTENCY_KEY="once")

    assert first.status_code == second.status_code == 202
    assert first.json()["id"] == second.json()["id"]
    assert other.json()["code"] == "idempotency_conflict"


@pytest.mark.parametrize(
    "wrong", [{"typed_slug": "acme"}, {"typed_slug": ""}, {"reason": ""}, {"reason": " "}, {"when": "now"}], ids=str
)
def test_a_wrong_deletion_changes_nothing(wrong, call, acme):
    answer = call("DELETE", ACME, {**DELETION, **wrong})

    assert answer.status_code == 422
    assert Tenant.objects.get(pk=acme.id).status == "active"
    assert not Operation.objects.filter(kind="delete", tenant__slug="acme-corp").exists()


def test_a_waiting_deletion_is_hastened(call):
    call("DELETE", ACME, DELETION)

    answer = call("POST", f"{ACME}delete-now/", DELETION)

    assert answer.status_code == 202
    assert Operation.objects.get(kind="delete", tenant__slug="acme-corp").due_at <= timezone.now() + SETTLE


def test_operations_and_audit_of_a_tenant(call, stuck):
    operations = call("GET", f"{TENANTS}stark/operations/").json()
    audit = call("GET", f"{TENANTS}stark/audit/?action=tenant.requested").json()

    assert [operation["id"] for operation in operations["results"]] == [str(stuck.pk)]
    assert [(entry["action"], entry["actor_name"]) for entry in audit["results"]] == [
        ("tenant.requested", "Jonas Weil")
    ]
    assert call("GET", f"{TENANTS}stark/audit/?q=nobody").json()["count"] == 0


def test_all_operations_are_filtered(call, stuck):
    def ids(params):
        return [operation["id"] for operation in call("GET", f"/api/v1/operations/?{params}").json()["results"]]

    assert ids("")[0] == str(stuck.pk)
    assert ids("status=stuck&kind=provision&tenant=stark") == ids("tenant=stark") == [str(stuck.pk)]
    assert str(stuck.pk) in ids("status=stuck&kind=provision")
    assert str(stuck.pk) not in ids("kind=delete")
    assert ids("kind=delete&tenant=stark") == []
    assert call("GET", "/api/v1/operations/?status=nonsense").status_code == 422


@pytest.mark.parametrize(("path", "status"), [("retry", "running"), ("give-up", "undoing")])
def test_a_stuck_operation_goes_on(path, status, call, stuck):
    answer = call(
        "POST", f"/api/v1/operations/{stuck.pk}/{path}/", {"reason": "mended"}, HTTP_IF_MATCH=str(stuck.version)
    )
    again = call("POST", f"/api/v1/operations/{stuck.pk}/{path}/", {"reason": "mended"})

    assert (answer.status_code, answer.json()["status"]) == (202, status)
    assert (again.status_code, again.json()["code"]) == (409, "operation_not_stuck")


@pytest.mark.parametrize("leftovers", ["adopt", "clean"])
def test_leftovers_get_an_answer(leftovers, call, stuck):
    answer = call("POST", f"/api/v1/operations/{stuck.pk}/retry/", {"leftovers": leftovers})

    assert answer.status_code == 202
    assert Operation.objects.get(pk=stuck.pk).inputs["leftovers"] == leftovers


def test_an_unknown_answer_or_version_changes_nothing(call, stuck):
    path = f"/api/v1/operations/{stuck.pk}/retry/"

    assert call("POST", path, {"leftovers": "burn"}).status_code == 422
    assert call("POST", path, {}, HTTP_IF_MATCH="99").json()["code"] == "operation_changed"
    assert Operation.objects.get(pk=stuck.pk).status == "stuck"
