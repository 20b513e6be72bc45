"""Exports and copies of a tenant, as operators ask for them and take them: in the console and through the API."""

import base64
import hashlib
import io
import re
import secrets

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from archives import content
from archives.models import Archive
from archives.services.exports import request_export
from core.actors import SYSTEM
from core.audit.models import AuditEntry
from core.tenancy import enter
from tenants.infrastructure import look_at
from tenants.models import Operation, Tenant
from tenants.services.work import run_operation

TENANTS = "/api/v1/tenants/"
ACME = f"{TENANTS}acme-corp/"
REASON = {"reason": "They ask for their data"}


@pytest.fixture
def call(operator_at_console):
    """Calls the API with the operator's session and its CSRF token."""
    return caller(operator_at_console)


def caller(visitor):
    page = visitor.get("/console/tenants/").content.decode()
    token = re.search(r'name="csrf-token" content="([^"]+)"', page).group(1)
    origin = f"http://{visitor.host}"

    def ask(method, path, body=None, **headers):
        return visitor.api(method, path, body=body, HTTP_X_CSRFTOKEN=token, HTTP_ORIGIN=origin, **headers)

    return ask


def run(operation):
    for _ in range(60):
        if not run_operation(operation.pk):
            break
    operation.refresh_from_db()
    assert operation.status == Operation.Status.SUCCEEDED, operation.error


@pytest.fixture
def exported(new_tenant):
    """A tenant with a file, and its finished export."""
    tenant = new_tenant()
    with enter(tenant.ref):
        default_storage.save("report.txt", ContentFile(b"12345"))
    operation = request_export(tenant_id=tenant.pk, actor=SYSTEM, reason="a test")
    run(operation)
    return Archive.objects.get(operation=operation)


def taken(archive):
    return AuditEntry.objects.filter(action="tenant.export_taken", target_id=archive.tenant_id).count()


# --- the API -----------------------------------------------------------------------------------------------------------


def test_an_export_is_accepted_and_followed(call, acme):
    accepted = call("POST", f"{ACME}exports/", {**REASON, "masked": True}, HTTP_IF_MATCH="2")
    followed = call("GET", accepted["Location"].partition("localhost:8000")[2]).json()

    assert accepted.status_code == 202
    assert (followed["kind"], followed["tenant"]) == ("export", "acme-corp")
    assert Archive.objects.get(operation=followed["id"]).is_masked
    entry = AuditEntry.objects.get(action="tenant.export_requested", target_id=acme.id)
    assert (entry.reason, entry.actor_name) == (REASON["reason"], "Jonas Weil")
    assert call("GET", f"{ACME}exports/").json()["results"] == []  # not before it is finished


@pytest.mark.parametrize(
    ("path", "body"), [("exports/", REASON), ("clone/", {**REASON, "slug": "acme-copy"})], ids=["export", "clone"]
)
def test_a_repetition_with_the_same_key_is_the_first_one(path, body, call):
    first = call("POST", ACME + path, body, HTTP_IDEMPOTENCY_KEY="once")
    second = call("POST", ACME + path, body, HTTP_IDEMPOTENCY_KEY="once")
    other = call("POST", ACME + path, {**body, "reason": "another"}, HTTP_IDEMPOTENCY_KEY="once")

    assert first.status_code == second.status_code == 202
    assert first.json()["id"] == second.json()["id"]
    assert other.json()["code"] == "idempotency_conflict"


@pytest.mark.parametrize(
    ("path", "body", "headers", "code"),
    [
        ("exports/", {}, {}, "invalid"),
        ("exports/", {"reason": " "}, {}, "invalid"),
        ("exports/", {**REASON, "everything": True}, {}, "invalid"),
        ("exports/", REASON, {"HTTP_IF_MATCH": "99"}, "tenant_changed"),
        ("clone/", REASON, {}, "invalid"),
        ("clone/", {**REASON, "slug": "globex-inc"}, {}, "slug_taken"),
        ("clone/", {**REASON, "slug": "acme-copy", "masked": True}, {}, "invalid"),
        ("clone/", {**REASON, "slug": "acme-copy"}, {"HTTP_IF_MATCH": "99"}, "tenant_changed"),
    ],
    ids=str,
)
def test_a_refusal_writes_nothing(path, body, headers, code, call):
    tenants = Tenant.objects.count()

    answer = call("POST", ACME + path, body, **headers)

    assert answer.json()["code"] == code
    assert not Archive.objects.filter(tenant__slug="acme-corp").exists()
    assert Tenant.objects.count() == tenants
    assert not Operation.objects.filter(tenant__slug="acme-corp", kind__in=["export", "clone"]).exists()


def test_an_export_is_listed_and_taken_whole_which_is_audited(exported, signed_in):
    call = caller(signed_in("operator"))
    listed = call("GET", f"{TENANTS}{exported.tenant.slug}/exports/").json()["results"]
    read = call("GET", f"/api/v1/exports/{exported.pk}/").json()
    before = taken(exported)

    answer = call(
        "GET", f"/api/v1/exports/{exported.pk}/content/", HTTP_ACCEPT="application/gzip", HTTP_ACCEPT_ENCODING="gzip"
    )

    data = b"".join(answer.streaming_content)
    answer.close()
    assert listed == [read]
    assert read["size_bytes"] == len(data) == int(answer["Content-Length"])
    assert read["sha256"] == hashlib.sha256(data).hexdigest()
    assert answer["Repr-Digest"] == f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"
    assert answer["Content-Disposition"] == f'attachment; filename="{read["file_name"]}"'
    assert answer["Cache-Control"] == "private, no-store"
    assert content.read_archive(io.BytesIO(data)).file_count == read["file_count"] == 1
    assert (before, taken(exported)) == (0, 1)


@pytest.mark.parametrize("path", ["/api/v1/exports/{}/content/", "/console/exports/{}/"])
def test_only_taking_an_export_is_audited_and_head_takes_nothing(path, exported, signed_in):
    operator = signed_in("operator")
    path = path.format(exported.pk)

    answer = operator.head(path)

    assert answer.status_code == 405
    assert taken(exported) == 0


@pytest.mark.parametrize(
    "change", [{"removed_at": True}, {"kept_until": True}, {"finished_at": None}, {"purpose": "import"}]
)
def test_what_cannot_be_taken_is_not_there(change, exported, signed_in):
    operator = signed_in("operator")
    values = {name: timezone.now() if value is True else value for name, value in change.items()}
    Archive.objects.filter(pk=exported.pk).update(**values)

    answers = [
        operator.api("GET", f"/api/v1/exports/{exported.pk}/"),
        operator.api("GET", f"/api/v1/exports/{exported.pk}/content/"),
        operator.get(f"/console/exports/{exported.pk}/"),
    ]

    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert answers[0].json()["code"] == "archive_not_found"
    assert operator.api("GET", f"{TENANTS}{exported.tenant.slug}/exports/").json()["count"] == 0
    assert taken(exported) == 0


def test_nobody_of_a_tenant_reaches_an_export(exported, signed_in, visitor, acme):
    owner = signed_in("owner")
    there = [
        f"/api/v1/exports/{exported.pk}/",
        f"/api/v1/exports/{exported.pk}/content/",
        f"/console/exports/{exported.pk}/",
    ]
    with_cookies = visitor(cookies=owner.cookies)

    at_home = [owner.get(path).status_code for path in there]
    on_platform = [with_cookies.get(path).status_code for path in there]
    asked = with_cookies.form(f"{ACME}exports/", REASON).status_code

    assert at_home == [404, 404, 404]
    assert on_platform == [401, 401, 302]
    assert asked == 401
    assert taken(exported) == 0
    assert not Operation.objects.filter(kind="export", tenant=acme.id).exists()


# --- the console -------------------------------------------------------------------------------------------------------


def test_the_export_is_asked_for_on_a_page_and_shown_with_its_steps(operator_at_console, acme):
    question = operator_at_console.get("/console/tenants/acme-corp/export/")
    answer = operator_at_console.post(
        "/console/tenants/acme-corp/export/", {**REASON, "version": "2", "masked": "on"}, page=question
    )

    operation = Operation.objects.get(kind="export", tenant=acme.id)
    assert answer["Location"] == f"/console/operations/{operation.pk}/"
    assert Archive.objects.get(operation=operation).is_masked
    assert "Check of the archive" in operator_at_console.get(answer["Location"]).content.decode()
    again = operator_at_console.get("/console/tenants/acme-corp/export/")
    assert again.status_code == 409  # one at a time


def test_an_older_version_or_no_reason_exports_nothing(operator_at_console):
    path = "/console/tenants/acme-corp/export/"
    page = operator_at_console.get(path)

    old = operator_at_console.post(path, {**REASON, "version": "1"}, page=page)
    silent = operator_at_console.post(path, {"reason": " ", "version": "2"}, page=page)

    assert (old.status_code, silent.status_code) == (412, 422)
    assert not Archive.objects.filter(tenant__slug="acme-corp").exists()


def test_a_copy_is_asked_for_and_wrong_values_stay_in_the_form(operator_at_console):
    path = "/console/tenants/acme-corp/clone/"
    page = operator_at_console.get(path)
    said = {**REASON, "version": "2", "name": "Acme rehearsal"}

    taken_slug = operator_at_console.post(path, {**said, "slug": "globex-inc"}, page=page)
    nobody = operator_at_console.post(path, {**said, "slug": "acme-copy", "masked": "on"}, page=page)
    made = operator_at_console.post(path, {**said, "slug": "acme-copy"}, page=page)

    assert "globex-inc belongs to another tenant" in taken_slug.content.decode()
    assert "Acme rehearsal" in taken_slug.content.decode()
    assert "name a first administrator" in nobody.content.decode()
    assert (taken_slug.status_code, nobody.status_code) == (422, 422)
    assert made["Location"] == "/console/tenants/acme-copy/"
    assert Operation.objects.get(kind="clone", tenant__slug="acme-copy").tenant.name == "Acme rehearsal"


def test_the_pages_of_tenant_and_operation_lead_to_the_archive(exported, signed_in):
    operator = signed_in("operator")
    link = f'href="/console/exports/{exported.pk}/"'

    on_tenant = operator.get(f"/console/tenants/{exported.tenant.slug}/").content.decode()
    on_operation = operator.get(f"/console/operations/{exported.operation_id}/").content.decode()
    data = b"".join(operator.get(f"/console/exports/{exported.pk}/").streaming_content)

    assert link in on_tenant
    assert link in on_operation
    assert exported.sha256 in on_operation
    assert hashlib.sha256(data).hexdigest() == exported.sha256
    assert taken(exported) == 1


# --- before a deletion -------------------------------------------------------------------------------------------------


def test_the_question_before_a_deletion_offers_an_export_and_says_how_large(operator_at_console, acme):
    before = operator_at_console.get("/console/tenants/acme-corp/delete/").content.decode()
    look_at(Tenant.objects.get(pk=acme.id))

    after = operator_at_console.get("/console/tenants/acme-corp/delete/").content.decode()

    assert "Kept for 30 days." in before
    assert re.search(r"About [\d.]+.[KM]B before it is packed; kept for 30 days\.", after)


def test_a_deletion_with_an_export_leaves_an_archive_to_take(new_tenant, signed_in):
    tenant = new_tenant(slug=f"de-{secrets.token_hex(5)}")
    with enter(tenant.ref):
        default_storage.save("report.txt", ContentFile(b"12345"))
    operator = signed_in("operator")
    path = f"/console/tenants/{tenant.slug}/delete/"

    operator.post(path, {**REASON, "version": str(tenant.version), "confirm": tenant.slug, "export": "on", "now": "on"})
    deletion = Operation.objects.get(tenant=tenant, kind="delete")
    Operation.objects.filter(pk=deletion.pk).update(due_at=timezone.now())
    run(deletion)

    page = operator.get(f"/console/tenants/{tenant.pk}/").content.decode()
    listed = caller(operator)("GET", f"{TENANTS}{tenant.pk}/exports/").json()["results"]
    data = b"".join(operator.get(f"/console/exports/{listed[0]['id']}/").streaming_content)
    assert Tenant.objects.get(pk=tenant.pk).status == "deleted"
    assert f"/console/exports/{listed[0]['id']}/" in page
    assert content.read_archive(io.BytesIO(data)).file_count == 1


def test_a_deletion_through_the_api_can_begin_with_an_export(call):
    body = {"typed_slug": "acme-corp", "reason": "over"}

    with_export = call("DELETE", ACME, {**body, "export": True}).json()

    assert with_export["steps"][0]["label"] == "Archive"
