"""The console's tenants: found, asked for, watched while they are set up."""

import re

import pytest
from django.utils import timezone

from core.audit.models import AuditEntry
from core.tenancy import enter_platform
from events.outbox.models import OutboxMessage
from tenants.models import Domain, Operation, OperationStep, Tenant

GOOD = {
    "name": "Initech GmbH",
    "slug": "initech",
    "admin_name": "Nina Hartmann",
    "admin_email": "nina@initech.example",
    "language": "",
    "time_zone": "Europe/Berlin",
}


def rows(page):
    return re.findall(r'<code class="plx-3rd">([^<]+)</code>', page.content.decode())


def written():
    return tuple(model.objects.count() for model in (Tenant, Domain, Operation, OperationStep, AuditEntry))


@pytest.fixture
def many_tenants(operator_at_console):
    """Sixty tenants that exist as rows alone."""
    from tenants.selectors import installation_code

    made = []
    for number in range(60):
        tenant = Tenant.new(
            installation=installation_code(), slug=f"many-{number:02}", name=f"Many {number:02}",
            admin_name="A", admin_email=f"admin{number:02}@many.example",
            status=["active", "suspended", "failed"][number % 3],
        )  # fmt: skip
        tenant.save(force_insert=True)
        made.append(tenant)
    return made


# --- list ------------------------------------------------------------------------------------------------------------


def test_tenants_are_searched_by_name_slug_and_the_admins_address(operator_at_console, many_tenants):
    def found(query):
        return rows(operator_at_console.get(f"/console/tenants/?q={query}"))

    assert found("many-07") == ["many-07"]
    assert found("MANY 07") == ["many-07"]
    assert found("admin07@many") == ["many-07"]
    assert found("%25") == []
    assert found("_____________") == []


def test_tenants_are_filtered_by_state_and_the_filters_count(operator_at_console, many_tenants):
    page = operator_at_console.get("/console/tenants/?status=suspended&q=many-")

    assert len(rows(page)) == 20
    assert all(int(slug[-2:]) % 3 == 1 for slug in rows(page))
    suspended = re.search(r"status=suspended[^>]*aria-current=\"true\">Suspended <span>(\d+)", page.content.decode())
    assert int(suspended.group(1)) >= 20


@pytest.mark.parametrize("status", ["nonsense", "'", "deleted", "ACTIVE"])
def test_other_states_break_nothing(status, operator_at_console):
    assert operator_at_console.get(f"/console/tenants/?status={status}").status_code == 200


def test_tenants_are_sorted_as_asked(operator_at_console, many_tenants):
    def order(sort):
        return rows(operator_at_console.get(f"/console/tenants/?q=many-&sort={sort}"))

    assert order("name")[:2] == ["many-00", "many-01"]
    assert order("-name")[:2] == ["many-59", "many-58"]
    assert order("created")[0] == "many-00"
    assert order("-created")[0] == "many-59"
    assert order("admin_email") == order("-created")


def test_a_long_list_comes_in_pages_that_keep_the_question(operator_at_console, many_tenants):
    pages = [operator_at_console.get(f"/console/tenants/?q=many-&sort=name&page={number}") for number in (1, 2, 3)]

    assert [len(rows(page)) for page in pages] == [25, 25, 10]
    assert len({slug for page in pages for slug in rows(page)}) == 60
    assert re.search(r'href="\?q=many-&amp;sort=name&amp;page=2"', pages[0].content.decode())


def test_a_fragment_is_only_the_rows(operator_at_console):
    fragment = operator_at_console.get("/console/tenants/?q=acme", HTTP_HX_REQUEST="true", HTTP_HX_TARGET="rows")

    assert fragment.status_code == 200
    assert "<html" not in fragment.content.decode()
    assert 'id="rows"' in fragment.content.decode()
    assert rows(fragment) == ["acme-corp"]


def test_the_list_asks_as_little_for_sixty_tenants_as_for_few(
    operator_at_console, many_tenants, django_assert_max_num_queries
):
    with django_assert_max_num_queries(12):
        operator_at_console.get("/console/tenants/?q=many-")


def test_an_empty_answer_says_what_to_do(operator_at_console):
    assert "Show all tenants" in operator_at_console.get("/console/tenants/?q=no-such-tenant").content.decode()


# --- create ----------------------------------------------------------------------------------------------------------


def test_creating_writes_the_tenant_and_its_operation_and_leads_to_its_page(operator_at_console, operator):
    answer = operator_at_console.post("/console/tenants/create/", GOOD)

    tenant = Tenant.objects.get(slug="initech")
    operation = tenant.operations.get()
    assert answer.status_code == 302
    assert answer["Location"] == "/console/tenants/initech/"
    assert (tenant.name, tenant.status, tenant.admin_email) == ("Initech GmbH", "provisioning", "nina@initech.example")
    assert operation.inputs["time_zone"] == "Europe/Berlin"
    assert operation.actor_id == operator.id
    assert AuditEntry.objects.filter(action="tenant.requested", target_id=tenant.pk, actor_id=operator.id).count() == 1


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"slug": "acme-corp"}, "slug"),
        ({"slug": "www"}, "slug"),
        ({"slug": "ab"}, "slug"),
        ({"slug": "a" * 49}, "slug"),
        ({"slug": "Initech"}, "slug"),
        ({"slug": "ini tech"}, "slug"),
        ({"slug": "initéch"}, "slug"),
        ({"slug": "初めまして"}, "slug"),
        ({"slug": "../etc"}, "slug"),
        ({"slug": "x'; DROP TABLE tenants_tenant;--"}, "slug"),
        ({"slug": "-initech"}, "slug"),
        ({"slug": "initech-"}, "slug"),
        ({"slug": "9lives"}, "slug"),
        ({"slug": "init\x00ech"}, "slug"),
        ({"slug": ""}, "slug"),
        ({"name": ""}, "name"),
        ({"name": "   "}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"admin_email": "nobody"}, "admin_email"),
        ({"admin_email": "a@b"}, "admin_email"),
        ({"admin_email": ""}, "admin_email"),
        ({"admin_email": "a b@c.example"}, "admin_email"),
        ({"admin_email": "a" * 250 + "@long.example"}, "admin_email"),
        ({"admin_email": "nina@initech.example\nBcc: all@x.example"}, "admin_email"),
        ({"admin_name": ""}, "admin_name"),
        ({"admin_name": "x" * 121}, "admin_name"),
        ({"time_zone": "Mars/Phobos"}, "time_zone"),
        ({"time_zone": ""}, "time_zone"),
        ({"language": "tlh"}, "language"),
    ],
    ids=str,
)
def test_a_wrong_value_gets_one_clear_error_and_nothing_is_written(wrong, field, operator_at_console):
    before = written()

    page = operator_at_console.post("/console/tenants/create/", {**GOOD, **wrong})

    text = page.content.decode()
    assert page.status_code == 422
    assert re.findall(r'aria-invalid="true"', text) == ['aria-invalid="true"']
    assert re.search(rf'<a href="#id_{field}">', text)
    assert written() == before


def test_what_was_typed_stays(operator_at_console):
    text = operator_at_console.post("/console/tenants/create/", {**GOOD, "slug": "www"}).content.decode()

    for value in ("Initech GmbH", "www", "Nina Hartmann", "nina@initech.example"):
        assert f'value="{value}"' in text
    assert '<option value="Europe/Berlin" selected>' in text


def test_a_second_click_makes_no_second_tenant(operator_at_console):
    operator_at_console.post("/console/tenants/create/", GOOD)
    before = written()

    again = operator_at_console.post("/console/tenants/create/", GOOD)

    assert again.status_code == 422
    assert "initech belongs to another tenant" in again.content.decode()
    assert written() == before


def test_a_failed_tenants_slug_can_be_had_again(operator_at_console):
    operator_at_console.post("/console/tenants/create/", GOOD)
    first = Tenant.objects.get(slug="initech")
    first.domains.all().delete()
    Tenant.objects.filter(pk=first.pk).update(status="failed")

    answer = operator_at_console.post("/console/tenants/create/", GOOD)

    assert answer.status_code == 302
    assert Tenant.objects.filter(slug="initech").count() == 2
    assert "Being set up" in operator_at_console.get("/console/tenants/initech/").content.decode()


@pytest.mark.parametrize(
    ("slug", "says"),
    [("initech", "initech is free"), ("acme-corp", "belongs to another tenant"), ("www", "reserved"), ("A", "3 to 48"),
     ("In itech", "a–z"), ("", "")],
)  # fmt: skip
def test_a_slug_is_checked_while_it_is_typed(slug, says, operator_at_console):
    fragment = operator_at_console.get(
        f"/console/tenants/create/?slug={slug}", HTTP_HX_REQUEST="true", HTTP_HX_TARGET="slug_check"
    )

    text = fragment.content.decode()
    assert fragment.status_code == 200
    assert "<html" not in text
    assert 'id="slug_check"' in text
    assert says in text


def test_creating_needs_the_csrf_token(operator_at_console):
    before = written()

    assert operator_at_console.form("/console/tenants/create/", GOOD).status_code == 403
    assert written() == before


# --- one tenant ------------------------------------------------------------------------------------------------------


def test_a_tenants_page_shows_what_it_has(operator_at_console, acme):
    text = operator_at_console.get("/console/tenants/acme-corp/").content.decode()

    for fact in (
        acme.schema,
        acme.role,
        str(acme.id),
        "http://acme-corp.localhost:8000",
        "http://acme-corp.localhost:8000/op",
    ):
        assert fact in text
    assert "owner@people.example" in text


def test_progress_is_a_fragment_that_asks_again_until_the_work_is_done(operator_at_console):
    operator_at_console.post("/console/tenants/create/", GOOD)

    def progress():
        answer = operator_at_console.get("/console/tenants/initech/", HTTP_HX_REQUEST="true", HTTP_HX_TARGET="progress")
        assert "<html" not in answer.content.decode()
        return answer.content.decode()

    running = progress()
    operation = Operation.objects.get(tenant__slug="initech")
    operation.steps.filter(position__lte=2).update(status="done")
    further = progress()
    operation.steps.update(status="done")
    Operation.objects.update(status="succeeded", finished_at=timezone.now())
    done = progress()

    assert 'hx-trigger="every 500ms"' in running
    assert "0 of 6 steps" in running
    assert "2 of 6 steps" in further
    assert "6 of 6 steps" in done
    assert "every 500ms" not in done


def test_a_failure_is_shown_with_its_reason_and_reference(operator_at_console):
    operator_at_console.post("/console/tenants/create/", GOOD)
    operation = Operation.objects.get(tenant__slug="initech")
    Operation.objects.update(status="failed", error="Storage <b>said</b> no", finished_at=timezone.now())
    Tenant.objects.filter(slug="initech").update(status="failed")

    text = operator_at_console.get("/console/tenants/initech/").content.decode()

    assert "Storage &lt;b&gt;said&lt;/b&gt; no" in text
    assert str(operation.pk) in text


@pytest.mark.parametrize("slug", ["no-such-tenant", "ACME-CORP", "x" * 300])
def test_a_tenant_that_there_is_not_is_not_found(slug, operator_at_console):
    assert operator_at_console.get(f"/console/tenants/{slug}/").status_code == 404


def test_names_are_shown_as_text(operator_at_console, acme):
    Tenant.objects.filter(pk=acme.id).update(name="<b onclick=x>Bold</b>", admin_name="<i onclick=x>")

    for path in ("/console/tenants/", "/console/tenants/acme-corp/", "/console/search/?q=acme"):
        assert "onclick=x>" not in operator_at_console.get(path).content.decode().replace("&gt;", "")


# --- the first admin's link ------------------------------------------------------------------------------------------


@pytest.fixture
def fresh(operator_at_console, acme):
    """acme-corp as if its first admin had never signed in."""
    from accounts.people.models import Person
    from core.tenancy import enter

    with enter(acme):
        Person.objects.update(last_sign_in_at=None)
    return "/console/tenants/acme-corp/"


def test_the_first_admins_link_is_shown_once_and_works(fresh, operator_at_console, visitor, acme):
    page = operator_at_console.get(fresh)
    shown = operator_at_console.post(f"{fresh}first-admin-link/", page=page)
    again = operator_at_console.post(f"{fresh}first-admin-link/", page=page)

    link = re.search(r'value="(http://acme-corp\.localhost:8000/op/set-password/[^"]+)"', shown.content.decode()).group(
        1
    )
    assert shown.status_code == 200
    assert visitor(acme).get(link).status_code == 200
    assert again.status_code == 410
    assert "The link was shown before" in again.content.decode()
    assert "set-password/" not in again.content.decode()
    assert AuditEntry.objects.filter(action="tenant.first_admin_link_shown", target_id=acme.id).count() == 1


def test_the_link_comes_as_a_fragment_when_asked_so(fresh, operator_at_console):
    page = operator_at_console.get(fresh)

    shown = operator_at_console.post(
        f"{fresh}first-admin-link/", page=page, HTTP_HX_REQUEST="true", HTTP_HX_TARGET="first_admin_link"
    )
    again = operator_at_console.post(
        f"{fresh}first-admin-link/", page=page, HTTP_HX_REQUEST="true", HTTP_HX_TARGET="first_admin_link"
    )

    assert "<html" not in shown.content.decode()
    assert "/op/set-password/" in shown.content.decode()
    assert again.status_code == 410
    assert "data-px-notice" in again.content.decode()


def test_the_page_offers_the_link_only_while_it_can_be_had(fresh, operator_at_console):
    before = operator_at_console.get(fresh)
    operator_at_console.post(f"{fresh}first-admin-link/", page=before)

    assert "Show set-password link" in before.content.decode()
    assert "Show set-password link" not in operator_at_console.get(fresh).content.decode()


def test_an_admin_who_signed_in_before_gets_no_link_from_a_forged_form(operator_at_console, owner, acme):
    """The page does not offer it; a form sent all the same would hand over the account of a person who works there."""
    from accounts.identity.models import PasswordLink
    from core.tenancy import enter

    with enter(acme):
        before = PasswordLink.objects.count()

    answer = operator_at_console.post(
        "/console/tenants/acme-corp/first-admin-link/", page=operator_at_console.get("/console/tenants/")
    )

    assert answer.status_code == 410
    with enter(acme):
        assert PasswordLink.objects.count() == before


def test_a_link_is_not_made_by_looking(fresh, operator_at_console):
    answer = operator_at_console.get(f"{fresh}first-admin-link/")

    assert answer.status_code == 405
    assert answer["Allow"] == "POST"


def test_before_the_tenant_is_active_there_is_no_link(operator_at_console):
    operator_at_console.post("/console/tenants/create/", GOOD)

    answer = operator_at_console.post(
        "/console/tenants/initech/first-admin-link/", page=operator_at_console.get("/console/tenants/")
    )

    assert answer.status_code == 410


def test_no_event_carries_an_address(committed):
    from django.db import connections

    with enter_platform(), connections["ops"].cursor() as cursor:
        cursor.execute(f"SELECT payload::text FROM {OutboxMessage._meta.db_table}")
        bodies = [row[0] for row in cursor.fetchall()]

    assert not [body for body in bodies if "@" in body]
