"""Who gets into the console, what its palette and profile do, and the front page."""

import re

import pytest

from accounts.operators.models import Operator
from tenants.models import Tenant
from tenants.selectors import installation_code

PAGES = ["/console/", "/console/tenants/", "/console/tenants/create/", "/console/tenants/acme-corp/", "/console/search/?q=a",
         "/console/profile/", "/console/components/"]  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_strangers_are_sent_to_sign_in_and_back(path, db, visitor):
    from urllib.parse import quote

    answer = visitor().get(path)

    assert answer.status_code == 302
    assert answer["Location"] == f"/oidc/authenticate/?next={quote(path, safe='')}"


@pytest.mark.parametrize("path", PAGES)
def test_members_of_tenants_are_strangers_here(path, owner, visitor):
    assert visitor(cookies=owner.cookies).get(path).status_code == 302


@pytest.mark.parametrize("path", PAGES)
def test_the_console_is_not_there_on_a_tenants_address(path, owner):
    assert owner.get(path).status_code == 404


def test_a_members_session_opens_no_api_of_the_platform(owner, visitor):
    assert visitor(cookies=owner.cookies).api("GET", "/api/v1/tenants/").status_code == 401


def test_the_console_starts_with_the_tenants(operator_at_console):
    assert operator_at_console.get("/console/")["Location"] == "/console/tenants/"


def test_the_gallery_shows_every_component_in_development(operator_at_console):
    page = operator_at_console.get("/console/components/")

    assert page.status_code == 200
    assert "plx-stepper" in page.content.decode() or "plx-steps" in page.content.decode()


def test_the_palette_finds_pages_and_tenants(operator_at_console):
    text = operator_at_console.get("/console/search/?q=globex").content.decode()
    pages = operator_at_console.get("/console/search/?q=create").content.decode()

    assert 'href="/console/tenants/globex-inc/"' in text
    assert 'href="/console/tenants/create/"' in pages
    assert "<html" not in text


def test_the_palette_finds_every_page_of_the_sidebar(operator_at_console):
    page = operator_at_console.get("/console/tenants/").content.decode()
    text = operator_at_console.get("/console/search/?q=").content.decode()

    addresses = re.findall(r'class="plx-nav-item" href="([^"]+)"', page)
    assert {"/console/tenants/", "/console/events/"} <= {*addresses}
    assert [address for address in addresses if f'href="{address}"' not in text] == []


def test_the_palette_tells_a_failed_tenant_from_the_one_that_has_its_slug_now(operator_at_console, acme):
    names = {"admin_email": "a@before.example", "admin_name": "A", "installation": installation_code()}
    failed = Tenant.new(slug=acme.slug, name="Acme of before", status="failed", **names)
    failed.save()

    text = operator_at_console.get("/console/search/?q=acme").content.decode()

    assert f'href="/console/tenants/{failed.pk}/"' in text
    assert 'href="/console/tenants/acme-corp/"' in text


@pytest.mark.parametrize("query", ["%25", "'", "<script>", "💥", "a" * 3000])
def test_the_palette_takes_any_text(query, operator_at_console):
    answer = operator_at_console.get(f"/console/search/?q={query}")

    assert answer.status_code == 200
    assert "<script>" not in answer.content.decode()


def test_an_operators_profile_is_saved_and_speaks_its_language_at_once(operator_at_console):
    answer = operator_at_console.post(
        "/console/profile/", {"name": "Jonas W.", "language": "it", "time_zone": "Asia/Tokyo"}
    )

    saved = Operator.objects.get(role="super_admin")
    assert answer.status_code == 302
    assert (saved.name, saved.language, saved.time_zone) == ("Jonas W.", "it", "Asia/Tokyo")
    assert '<html lang="it"' in operator_at_console.get("/console/profile/").content.decode()


@pytest.mark.parametrize(
    "wrong", [{"name": ""}, {"name": "x" * 121}, {"language": "xx"}, {"time_zone": "Mars/Phobos"}], ids=str
)
def test_a_wrong_profile_is_refused_and_changes_nothing(wrong, operator_at_console):
    page = operator_at_console.post("/console/profile/", {"name": "Jonas W.", "language": "", "time_zone": "", **wrong})

    assert page.status_code == 422
    assert "data-px-errors" in page.content.decode()
    assert Operator.objects.get(role="super_admin").name == "Jonas Weil"


# --- the front page --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed",
    [
        "acme-corp",
        " acme-corp ",
        "ACME-CORP",
        "acme-corp.localhost",
        "acme-corp.localhost:8000",
        "http://acme-corp.localhost:8000/",
    ],
)
def test_a_workspace_is_found_however_its_name_is_typed(typed, db, visitor):
    answer = visitor().post("/", {"workspace": typed})

    assert answer.status_code == 302
    assert answer["Location"] == "http://acme-corp.localhost:8000/"


@pytest.mark.parametrize(
    "typed",
    ["nobody", "", "//evil.example", "evil.example", "acme-corp@evil.example", "..", "💥", "a" * 300, "public"],
)
def test_a_workspace_that_there_is_not_is_said_beside_the_field(typed, db, visitor):
    page = visitor().post("/", {"workspace": typed})

    assert page.status_code == 422
    assert 'aria-invalid="true"' in page.content.decode()
    assert "Location" not in page


def test_the_front_page_leads_to_console_and_api(db, visitor):
    text = visitor().get("/").content.decode()

    assert 'href="/console/"' in text
    assert 'href="/api/v1/docs/"' in text


def test_the_front_page_lists_no_workspace(db, visitor):
    assert "acme" not in visitor().get("/").content.decode().lower()
