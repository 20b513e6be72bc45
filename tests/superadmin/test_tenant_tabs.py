"""A tenant's page in the console: its tabs, its figures, what is asked before a change, and what the change does."""

import re
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from accounts.people.models import Person
from core.audit.models import AuditEntry
from core.tenancy import enter
from events.outbox.models import OutboxMessage
from tenants.infrastructure import last_look, look_at, tenant_checks, verdict_of
from tenants.models import Operation, Tenant
from tenants.schemas.facts import count_rows
from tenants.services.deletion import SETTLE, request_deletion
from tenants.services.lifecycle import suspend_tenant

ACME = "/console/tenants/acme-corp/"
FRAGMENT = {"HTTP_HX_REQUEST": "true"}


def text_of(answer):
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def ask_delete(acme, operator, **said):
    return request_deletion(tenant_id=acme.id, typed_slug="acme-corp", actor=operator, reason="over", **said)


# --- members, operations, audit log ----------------------------------------------------------------------------------


def test_members_are_those_of_the_tenant_and_can_be_searched(operator_at_console):
    everybody = text_of(operator_at_console.get(f"{ACME}members/"))
    found = text_of(operator_at_console.get(f"{ACME}members/?q=kadlec"))

    assert "Mara Ellsworth" in everybody
    assert "Tomas Kadlec" in everybody
    assert "Lea Novak" not in everybody
    assert "Tomas Kadlec" in found
    assert "Mara Ellsworth" not in found


def test_a_tenant_without_a_schema_has_no_members_tab(operator_at_console, acme):
    Tenant.objects.filter(pk=acme.id).update(status="provisioning")

    answer = operator_at_console.get(f"{ACME}members/")

    assert answer.status_code == 302
    assert "members/" not in operator_at_console.get(ACME).content.decode()


@pytest.mark.parametrize(
    ("method", "path", "target"), [("get", "members/?q=a", "rows"), ("post", "check/", "overview")]
)
def test_a_part_of_a_page_that_went_meanwhile_leads_to_the_whole_page(operator_at_console, acme, method, path, target):
    more = {"page": operator_at_console.get(ACME)} if method == "post" else {}
    Tenant.objects.filter(pk=acme.id).update(status="provisioning")

    answer = getattr(operator_at_console, method)(f"{ACME}{path}", HTTP_HX_TARGET=target, **FRAGMENT, **more)

    assert answer.headers["HX-Redirect"] == ACME
    assert answer.content == b""


def test_the_audit_log_is_narrowed_by_action_by_who_and_by_when(operator_at_console, acme, operator):
    suspend_tenant(tenant_id=acme.id, actor=operator, reason="Invoice 42 unpaid")

    def shown(params):
        page = operator_at_console.get(f"{ACME}audit/?{params}").content.decode()
        return re.findall(r'<th scope="row">(?:<a[^>]*>)?([^<]+)', page)

    assert shown("action=tenant.suspended") == ["Tenant suspended"]
    assert shown("q=invoice+42") == ["Tenant suspended"]
    assert "Tenant suspended" in shown("q=weil")
    assert shown("q=nobody") == []
    assert len(shown("")) > 1
    assert shown("since=1d") == shown("")
    assert shown("action=nonsense") == shown("")


def test_the_operations_of_a_tenant_lead_to_their_pages(operator_at_console, acme):
    operation = Operation.objects.get(tenant=acme.id)

    page = operator_at_console.get(f"{ACME}operations/").content.decode()

    assert f"/console/operations/{operation.pk}/" in page
    assert re.findall(r'href="/console/operations/([^"/]+)/"', page) == [str(operation.pk)]


# --- what a tenant consists of ---------------------------------------------------------------------------------------


def test_checking_looks_at_every_part(operator_at_console, acme, db):
    answer = operator_at_console.post(f"{ACME}check/", page=operator_at_console.get(ACME))

    text = text_of(operator_at_console.get(ACME))
    assert answer.status_code == 302
    assert "Leads here" in text
    assert re.search(r"(\d+) of \1 migrations", text)
    assert "Own schema only" in text
    assert "3 accounts" in text
    assert "Reachable" in text
    assert "just now" in text


def test_what_is_found_follows_what_is_there(new_tenant):
    tenant = new_tenant()
    checks = {check.key: check for check in tenant_checks()}
    before = look_at(tenant)
    with enter(tenant.ref):
        default_storage.save("report.txt", ContentFile(b"12345"))
    Tenant.objects.filter(pk=tenant.pk).update(status="suspended")

    after = look_at(tenant)

    assert before.found["bucket"]["objects"] == 0
    assert (after.found["bucket"]["objects"], after.found["bucket"]["size_bytes"]) == (1, 5)
    assert verdict_of(checks["bucket"], after).text == "Reachable"
    assert after.found["realm"]["accounts"] == 1


def test_what_is_missing_is_said(new_tenant):
    from storage.buckets import delete_bucket_with_contents
    from tenants.schemas.making import drop_schema

    tenant = new_tenant()
    delete_bucket_with_contents(tenant.bucket_name)
    drop_schema(tenant.ref)

    look = look_at(tenant)

    said = {check.key: verdict_of(check, look) for check in tenant_checks()}
    assert {key: verdict.tone for key, verdict in said.items() if key != "address"} == dict.fromkeys(
        ("schema", "role", "realm", "bucket"), "bad"
    )
    assert {said["schema"].text, said["role"].text, said["bucket"].text} == {"Missing"}


def test_what_was_found_is_among_the_tenants_own_cache_entries(acme, globex, db):
    tenant = Tenant.objects.get(pk=acme.id)

    look_at(tenant)

    assert last_look(tenant) is not None
    assert last_look(Tenant.objects.get(pk=globex.id)) is None
    with enter(acme):
        cache.clear()


def test_rows_are_counted_in_all_tables(acme, db):
    before = count_rows(acme)
    with enter(acme):
        AuditEntry.objects.create(actor_kind="system", actor_name="x", action="session.started")

    after = count_rows(acme)

    assert after.rows == before.rows + 1
    assert after.is_exact
    assert after.tables == before.tables > 10


def test_the_figures_follow_the_people(operator_at_console, acme):
    def figures():
        page = operator_at_console.get(ACME)
        return text_of(page).partition("Active members")[2][:60]

    before = figures()
    with enter(acme):
        Person.objects.filter(email="member@people.example").update(is_active=False)
    after = figures()
    with enter(acme):
        Person.objects.update(created_at=timezone.now() - timedelta(days=90))
    later = figures()

    assert re.match(r" 3 \+3 in 30 days, of 3", before)
    assert re.match(r" 2 \+2 in 30 days, of 3", after)
    assert re.match(r" 2 \+0 in 30 days, of 3", later)


# --- changes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["suspend", "rename", "delete"])
def test_a_question_is_a_page_and_a_fragment_of_a_dialog(change, operator_at_console):
    page = operator_at_console.get(f"{ACME}{change}/").content.decode()
    fragment = operator_at_console.get(f"{ACME}{change}/", HTTP_HX_TARGET="ask", **FRAGMENT).content.decode()

    assert "<html" in page
    assert "<html" not in fragment
    for text in (page, fragment):
        assert f'action="{ACME}{change}/"' in text
        assert 'id="ask-title"' in text
        assert 'name="version"' in text


def test_suspending_without_a_reason_is_refused_beside_the_field(operator_at_console, acme):
    answer = operator_at_console.post(f"{ACME}suspend/", {"reason": "  "})

    assert answer.status_code == 422
    assert "Say why" in answer.content.decode()
    assert Tenant.objects.get(pk=acme.id).status == "active"


def test_of_two_operators_the_second_meets_a_conflict(operator_at_console, acme, operator):
    page = operator_at_console.get(f"{ACME}suspend/")
    version = re.search(r'name="version" value="(\d+)"', page.content.decode()).group(1)
    Tenant.objects.filter(pk=acme.id).update(version=int(version) + 1)

    answer = operator_at_console.post(f"{ACME}suspend/", {"reason": "late", "version": version}, page=page)

    assert answer.status_code == 412
    assert Tenant.objects.get(pk=acme.id).status == "active"


def test_renaming_is_recorded_and_announced_and_the_same_name_is_not(operator_at_console, acme):
    operator_at_console.post(f"{ACME}rename/", {"name": "Acme Ltd"})
    operator_at_console.post(f"{ACME}rename/", {"name": "Acme Ltd"})

    entry = AuditEntry.objects.get(action="tenant.renamed", target_id=acme.id)
    assert Tenant.objects.get(pk=acme.id).name == "Acme Ltd"
    assert entry.facts == {"before": "Acme Corp", "after": "Acme Ltd"}
    assert OutboxMessage.objects.filter(name="plexica.tenant.renamed", tenant_id=acme.id).count() == 1


@pytest.mark.parametrize("name", ["", "   ", "x" * 121, "two\nlines"])
def test_a_wrong_name_changes_nothing(name, operator_at_console, acme):
    answer = operator_at_console.post(f"{ACME}rename/", {"name": name})

    assert answer.status_code == 422
    assert Tenant.objects.get(pk=acme.id).name == "Acme Corp"
    assert not AuditEntry.objects.filter(action="tenant.renamed", target_id=acme.id).exists()


def test_deleting_counts_what_is_lost_and_asks_for_the_slug(operator_at_console, acme):
    text = text_of(operator_at_console.get(f"{ACME}delete/"))

    rows = count_rows(acme)
    assert re.search(r"Members 3 ", text)
    assert f"Tables {rows.tables} " in text
    assert re.search(r"Files 0 · 0", text)
    assert "Type acme-corp to confirm" in text
    assert "Export everything first" in text


def test_no_export_is_offered_where_there_is_no_step_for_it(operator_at_console, settings):
    settings.DELETION_EXPORT_STEP = ""

    assert "Export everything first" not in text_of(operator_at_console.get(f"{ACME}delete/"))


@pytest.mark.parametrize("wrong", [{"confirm": "acme"}, {"confirm": ""}, {"reason": ""}], ids=str)
def test_a_deletion_with_wrong_values_changes_nothing(wrong, operator_at_console, acme):
    answer = operator_at_console.post(f"{ACME}delete/", {"reason": "over", "confirm": "acme-corp", **wrong})

    assert answer.status_code == 422
    assert Tenant.objects.get(pk=acme.id).status == "active"
    assert not Operation.objects.filter(kind="delete", tenant__slug="acme-corp").exists()


def test_a_deletion_waits_and_is_undone_with_one_click(operator_at_console, acme, operator):
    operator_at_console.post(f"{ACME}delete/", {"reason": "over", "confirm": "acme-corp"})
    page = operator_at_console.get(ACME)
    operation = Operation.objects.get(kind="delete", tenant__slug="acme-corp")

    answer = operator_at_console.post(f"{ACME}undo-deletion/", page=page)

    assert "Will be deleted on" in text_of(page)
    assert operation.due_at > timezone.now() + timedelta(days=6)
    assert answer.status_code == 302
    assert Tenant.objects.get(pk=acme.id).status == "active"
    assert "Will be deleted on" not in text_of(operator_at_console.get(ACME))
    assert AuditEntry.objects.filter(action="tenant.deletion_undone", actor_id=operator.id).count() == 1


def test_at_once_means_without_the_grace_period(operator_at_console, acme):
    operator_at_console.post(f"{ACME}delete/", {"reason": "over", "confirm": "acme-corp", "now": "on"})

    assert Operation.objects.get(kind="delete", tenant__slug="acme-corp").due_at < timezone.now() + timedelta(minutes=1)


def test_a_waiting_deletion_can_be_hastened(operator_at_console, acme, operator):
    ask_delete(acme, operator)

    answer = operator_at_console.post(f"{ACME}delete-now/", {"reason": "sure", "confirm": "acme-corp"})

    assert answer.status_code == 302
    assert Operation.objects.get(kind="delete", tenant__slug="acme-corp").due_at <= timezone.now() + SETTLE


def test_a_busy_tenant_is_not_deleted_and_the_answer_names_what_is_under_way(operator_at_console, acme, operator):
    ask_delete(acme, operator)

    answer = operator_at_console.get(f"{ACME}delete/")
    fragment = operator_at_console.get(f"{ACME}delete/", HTTP_HX_TARGET="ask", **FRAGMENT)

    assert answer.status_code == fragment.status_code == 409
    assert "Deletion of acme-corp is under way" in text_of(answer)
    assert "data-px-notice" in fragment.content.decode()


@pytest.mark.parametrize("status", ["running", "stuck"])
def test_once_a_deletion_has_begun_nobody_looks_into_the_tenant(status, operator_at_console, acme, operator):
    ask_delete(acme, operator)
    waiting = text_of(operator_at_console.get(ACME))
    Operation.objects.filter(kind="delete", tenant__slug="acme-corp").update(status=status)
    Tenant.objects.filter(pk=acme.id).update(schema_name="t_gone", role_name="px_gone")

    page = operator_at_console.get(ACME)

    assert "Infrastructure" in waiting
    assert page.status_code == 200
    assert "Infrastructure" not in text_of(page)
    assert operator_at_console.get(f"{ACME}members/").status_code == 302
    assert operator_at_console.post(f"{ACME}check/", page=page).status_code == 302


def test_a_deleted_tenants_page_shows_the_proof_also_when_the_slug_is_used_again(operator_at_console, acme, operator):
    ask_delete(acme, operator)
    left = {"schema": 0, "bucket": 0, "cache_entries": 0}
    Operation.objects.filter(kind="delete", tenant__slug="acme-corp").update(
        status="succeeded", finished_at=timezone.now(), facts={"left": left, "looked_at": timezone.now().isoformat()}
    )
    Tenant.objects.filter(pk=acme.id).update(status="deleted", deleted_at=timezone.now())
    by_slug = operator_at_console.get(ACME)

    by_id = operator_at_console.get(f"/console/tenants/{acme.id}/")

    assert by_slug.status_code == by_id.status_code == 200
    assert "Nothing is left" in text_of(by_id)
    assert text_of(by_id).count("0 Gone") == 3
    assert "Danger zone" not in text_of(by_id)
    assert f"/console/tenants/{acme.id}/audit/" in by_id.content.decode()


# --- many at once ----------------------------------------------------------------------------------------------------


def test_many_are_suspended_each_for_itself_and_the_outcome_says_why_not(operator_at_console, acme, globex, operator):
    suspend_tenant(tenant_id=globex.id, actor=operator, reason="before")
    ticked = {"tenant": [str(acme.id), str(globex.id)], "change": "suspend"}
    asked = text_of(
        operator_at_console.get(f"/console/tenants/bulk/?change=suspend&tenant={acme.id}&tenant={globex.id}")
    )

    answer = operator_at_console.post(
        "/console/tenants/bulk/", {**ticked, "reason": "unpaid"}, page=operator_at_console.get("/console/tenants/")
    )

    said = text_of(answer)
    assert "Suspend 1 tenant?" in asked
    assert "stays as it is: globex-inc" in asked
    assert answer.status_code == 200
    assert "1 tenant is suspended" in said
    assert "1 was not changed" in said
    assert "globex-inc is Suspended" in said
    assert set(Tenant.objects.filter(pk__in=[acme.id, globex.id]).values_list("status", flat=True)) == {"suspended"}
    assert AuditEntry.objects.filter(action="tenant.suspended", target_id=acme.id, reason="unpaid").count() == 1


def test_many_are_not_changed_without_a_reason(operator_at_console, acme):
    answer = operator_at_console.post(
        "/console/tenants/bulk/",
        {"tenant": [str(acme.id)], "change": "suspend", "reason": ""},
        page=operator_at_console.get("/console/tenants/"),
    )

    assert answer.status_code == 422
    assert Tenant.objects.get(pk=acme.id).status == "active"


@pytest.mark.parametrize("query", ["", "?change=suspend", "?change=drop&tenant=x", "?change=suspend&tenant=nonsense"])
def test_nothing_ticked_is_nothing_to_ask(query, operator_at_console):
    assert operator_at_console.get(f"/console/tenants/bulk/{query}").status_code == 404


# --- CSV -------------------------------------------------------------------------------------------------------------


def test_the_csv_has_what_the_list_shows_and_runs_no_formula(operator_at_console, acme):
    Tenant.objects.filter(pk=acme.id).update(name="=1+1")

    answer = operator_at_console.get("/console/tenants.csv?q=acme")

    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert lines[0].startswith("slug,name,status")
    assert len(lines) == 2
    assert lines[1].startswith("acme-corp,'=1+1,active")


def test_tenants_are_narrowed_by_when_they_were_created(operator_at_console, acme):
    Tenant.objects.filter(pk=acme.id).update(created_at=timezone.now() - timedelta(days=40))

    page = text_of(operator_at_console.get("/console/tenants/?since=30d"))

    assert "globex-inc" in page
    assert "acme-corp" not in page
