"""The console's operations and fleet: lists, one with its steps, answers to a stuck one."""

import re

import pytest
from django.utils import timezone

from core.audit.models import AuditEntry
from tenants.fleet.models import Run, TenantRecord
from tenants.fleet.selectors import count_living_by_last_record
from tenants.models import Operation, Tenant
from tenants.services.provisioning import request_tenant


def text_of(answer):
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


@pytest.fixture
def stuck(operator_at_console, operator):
    """A tenant whose setting up found leftovers."""
    operation = request_tenant(slug="stark", name="Stark", admin_email="p@stark.example", actor=operator)
    Operation.objects.filter(pk=operation.pk).update(
        status="stuck", resumes_as="running", error_code="leftovers_found", error="These exist already: schema t_x.",
        started_at=timezone.now(), finished_at=timezone.now(),
    )  # fmt: skip
    return Operation.objects.get(pk=operation.pk)


def test_what_needs_somebody_stands_on_top_and_lists_are_filtered(operator_at_console, stuck):
    Operation.objects.filter(pk=stuck.pk).update(created_at="2020-01-01T00:00:00Z")

    def shown(params=""):
        page = operator_at_console.get(f"/console/operations/{params}").content.decode()
        return re.findall(r'<th scope="row"><a href="/console/operations/([^/]+)/"', page)

    assert shown()[0] == str(stuck.pk)
    assert len(shown()) == min(Operation.objects.count(), 25)  # a page
    assert {*shown("?status=stuck")} == {str(one.pk) for one in Operation.objects.filter(status="stuck")}
    assert str(stuck.pk) not in shown("?kind=delete")
    assert str(stuck.pk) not in shown("?status=succeeded")


def test_a_running_operation_makes_the_list_ask_again(operator_at_console, stuck):
    quiet = operator_at_console.get("/console/operations/").content.decode()
    Operation.objects.filter(pk=stuck.pk).update(status="running")

    live = operator_at_console.get("/console/operations/", HTTP_HX_REQUEST="true", HTTP_HX_TARGET="rows")

    assert "every 2s" not in quiet
    assert "every 2s" in live.content.decode()
    assert "<html" not in live.content.decode()


def test_a_list_that_a_poll_finds_empty_shows_the_way_on(operator_at_console):
    answer = operator_at_console.get(
        "/console/operations/?status=running&kind=clone", HTTP_HX_REQUEST="true", HTTP_HX_TARGET="rows"
    )

    assert re.search(r'href="/console/operations/"[^>]*>\s*Show all operations', answer.content.decode())


def test_the_sidebar_says_that_something_is_stuck(operator_at_console, stuck):
    assert "1 stuck" in text_of(operator_at_console.get("/console/tenants/"))

    Operation.objects.filter(pk=stuck.pk).update(status="running")

    assert "1 running" in text_of(operator_at_console.get("/console/tenants/"))


def test_an_operation_shows_its_steps_with_attempts_and_errors(operator_at_console, stuck):
    stuck.steps.filter(position=1).update(status="done", attempt=3, detail="stark", started_at=timezone.now())
    stuck.steps.filter(position=2).update(
        status="failed", attempt=1, error="Nobody <answers>", started_at=timezone.now()
    )

    page = operator_at_console.get(f"/console/operations/{stuck.pk}/")

    text = text_of(page)
    assert "3 attempts" in text
    assert "Nobody &lt;answers&gt;" in page.content.decode()
    assert "leftovers_found" in text
    assert all(word in text for word in ("Try again…", "Adopt…", "Remove…", "Give up…"))


def test_only_leftovers_can_be_adopted_and_only_a_stuck_one_takes_answers(operator_at_console, stuck):
    Operation.objects.filter(pk=stuck.pk).update(error_code="unexpected")
    offered = text_of(operator_at_console.get(f"/console/operations/{stuck.pk}/"))
    adopt = operator_at_console.get(f"/console/operations/{stuck.pk}/adopt/")
    Operation.objects.filter(pk=stuck.pk).update(status="running")
    retry = operator_at_console.get(f"/console/operations/{stuck.pk}/retry/")

    assert "Adopt…" not in offered
    assert "Try again…" in offered
    assert adopt.status_code == retry.status_code == 409
    assert operator_at_console.get(f"/console/operations/{stuck.pk}/nonsense/").status_code == 404


@pytest.mark.parametrize(
    ("answer", "status", "leftovers"),
    [
        ("retry", "running", ""),
        ("adopt", "running", "adopt"),
        ("clean", "running", "clean"),
        ("give-up", "undoing", ""),
    ],
)
def test_an_answer_lets_it_go_on(answer, status, leftovers, operator_at_console, stuck, operator):
    question = operator_at_console.get(f"/console/operations/{stuck.pk}/{answer}/", HTTP_HX_TARGET="ask")

    done = operator_at_console.post(f"/console/operations/{stuck.pk}/{answer}/", {"reason": "looked at it"})

    operation = Operation.objects.get(pk=stuck.pk)
    action = "operation.given_up" if answer == "give-up" else "operation.retried"
    assert "<html" not in question.content.decode()
    assert done.status_code == 302
    assert (operation.status, operation.inputs.get("leftovers") or "") == (status, leftovers)
    assert AuditEntry.objects.get(action=action).reason == "looked at it"
    assert AuditEntry.objects.get(action=action).actor_id == operator.id


def test_an_answer_to_what_has_changed_is_refused(operator_at_console, stuck):
    answer = operator_at_console.post(
        f"/console/operations/{stuck.pk}/retry/", {"reason": "", "version": str(stuck.version + 1)}
    )

    assert answer.status_code == 412
    assert Operation.objects.get(pk=stuck.pk).status == "stuck"


# --- fleet -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def run(committed, acme, globex):
    """A run that migrated acme-corp and failed at globex-inc."""
    run = Run.objects.using("ops").create(
        started_by="root@one", status="failed", migrations_hash="old", reason="1 of 2"
    )
    for ref, status, error in ((acme, "done", ""), (globex, "failed", "LockNotAvailable")):
        TenantRecord.objects.using("ops").create(
            run=run, tenant_id=ref.id, slug=ref.slug, status=status, error=error, migrations=["people.0002"], attempts=1,
        )  # fmt: skip
    yield run
    run.delete(using="ops")


def test_the_fleets_page_counts_runs_and_where_tenants_stand(run, signed_in):
    text = text_of(signed_in("operator").get("/console/fleet/"))

    assert "root@one" in text
    assert "other migrations than the last run" in text
    assert re.search(r"Migrated 1 ", text)
    assert re.search(r"Failed 1 ", text)


def test_a_runs_page_is_filtered_by_outcome(run, signed_in):
    whole = text_of(signed_in("operator").get(f"/console/fleet/{run.pk}/"))
    failed = text_of(signed_in("operator").get(f"/console/fleet/{run.pk}/?status=failed"))

    assert "acme-corp" in whole
    assert "globex-inc LockNotAvailable" in failed
    assert "acme-corp" not in failed


def test_a_tenant_that_no_run_touched_counts_as_made_so(db, acme):
    assert count_living_by_last_record()[""] == Tenant.objects.exclude(status__in=Tenant.GONE).count()
