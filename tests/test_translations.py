"""What people read is in their language: the person's, else the tenant's, else the browser's."""

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.utils import formats, translation

from accounts.identity.models import Account
from accounts.people.models import Person, Role
from accounts.tasks import mail_password_link
from core.tenancy import enter
from deploy.messages import compile_catalogs
from storage.buckets import delete_bucket_with_contents, ensure_bucket
from tenants.preferences.models import Preferences
from tenants.services.provisioning import request_tenant
from tenants.services.work import run_operation
from tests.support.issuer import CLI

ITALIAN_BROWSER = {"HTTP_ACCEPT_LANGUAGE": "it-IT,it;q=0.9,en;q=0.5"}
WORKSPACE_PAGES = ["/", "/?days=7", "/team/", "/team/?q=nobody-here", "/profile/", "/search/?q=zzz", "/nowhere/"]
ISSUER_PAGES = ["/op/device/", "/op/sign-out/", "/op/sign-out/?id_token_hint=nonsense", "/op/authorize/?client_id=x"]
CONSOLE_PAGES = [
    "/console/tenants/",
    "/console/tenants/?q=nothing-like-it",
    "/console/tenants/create/",
    "/console/tenants/create/?slug=9",
    "/console/tenants/acme-corp/",
    "/console/tenants/never-made/",
    "/console/profile/",
    "/console/search/",
]
VISITORS_PAGES = ["/", "/op/sign-in/", "/op/set-password/no-such-link/", "/sign-in-failed/", "/nowhere/"]
TELL_TALES = re.compile(
    r"\b(the|this|your|you|and|of|is|sign|search|save|go|close|show|menu of|name|user|guest|days?|ago|active|created|done"
    r"|optional|language|nothing|nobody|(sun|mon|tues|wednes|thurs|fri|satur)day)\b",
    re.IGNORECASE,
)


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    """The catalogue as it is now, whoever started the tests."""
    compile_catalogs(Path(__file__).resolve().parent.parent)


@pytest.mark.parametrize("path", WORKSPACE_PAGES)
def test_an_italian_workspace_shows_no_english(owner, acme, path):
    set_tenant_language(acme, "it")

    page = owner.get(path)

    assert english_on(page) == []


@pytest.mark.parametrize("path", ISSUER_PAGES)
def test_an_italian_realm_shows_no_english(owner, acme, path):
    set_tenant_language(acme, "it")

    page = owner.get(path)

    assert english_on(page) == []


def test_a_program_is_connected_in_italian(owner, acme, visitor):
    set_tenant_language(acme, "it")
    program = visitor(acme)
    kind = "application/x-www-form-urlencoded"
    answer = program.client.post(
        "/op/device-authorization/", f"client_id={CLI}", content_type=kind, HTTP_HOST=program.host
    )
    asked = answer.json()

    wrong = owner.post("/op/device/", {"user_code": "NO-SUCH"})
    right = owner.post("/op/device/", {"user_code": asked["user_code"]})
    confirm = owner.get(right["Location"])
    done = owner.post(right["Location"], {"action": "allow"}, page=confirm)

    assert "Nessun programma è in attesa con questo codice." in wrong.content.decode()
    assert "Collegare Riga di comando di Plexica?" in confirm.content.decode()
    assert [english_on(page) for page in (wrong, confirm, owner.get(done["Location"]))] == [[], [], []]


@pytest.mark.parametrize("path", CONSOLE_PAGES)
def test_the_console_in_italian_shows_no_english(operator_at_console, path):
    page = operator_at_console.get(path, **ITALIAN_BROWSER)

    assert english_on(page) == []


@pytest.mark.parametrize("path", VISITORS_PAGES)
def test_an_italian_visitor_reads_no_english(visitor, db, path):
    page = visitor().get(path, **ITALIAN_BROWSER)

    assert english_on(page) == []


def test_what_is_wrong_with_a_form_is_said_in_italian(operator_at_console):
    sent = {"slug": "9", "admin_email": "nobody", "time_zone": "Mars/Base"}

    page = operator_at_console.post("/console/tenants/create/", sent, **ITALIAN_BROWSER)

    assert page.status_code == 422
    assert english_on(page) == []


@pytest.mark.parametrize(
    ("person", "tenant", "browser", "spoken"),
    [
        ("it", "en", "en", "it"),
        ("en", "it", "it", "en"),
        ("", "it", "en", "it"),
        ("", "", "it", "it"),
        ("", "", "fr", "en"),
    ],
)
def test_the_person_decides_then_the_tenant_then_the_browser(owner, world, acme, person, tenant, browser, spoken):
    set_tenant_language(acme, tenant)
    with enter(acme):
        Person.objects.filter(email=world.person("owner").email).update(language=person)

    page = owner.get("/", HTTP_ACCEPT_LANGUAGE=browser)

    assert page["Content-Language"] == spoken
    assert f'<html lang="{spoken}"' in page.content.decode()


def test_a_visitor_who_switches_the_language_is_not_overruled_by_the_tenant(visitor, acme, db):
    set_tenant_language(acme, "it")
    someone = visitor(acme)

    page = someone.get("/op/sign-in/")
    (address,) = re.findall(r'<form class="plx-row" method="post" action="([^"]+)"', page.content.decode())
    switched = someone.post(address, {"language": "en", "next": "/op/sign-in/"}, page=page)

    assert (switched.status_code, switched["Location"]) == (302, "/op/sign-in/")
    assert someone.get("/op/sign-in/")["Content-Language"] == "en"


def test_a_switch_before_signing_in_does_not_stand_above_the_workspace(owner, acme):
    set_tenant_language(acme, "it")
    owner.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"

    assert owner.get("/")["Content-Language"] == "it"


def test_built_in_roles_are_translated_and_own_roles_stay_as_written(owner, world, acme):
    set_tenant_language(acme, "it")
    with enter(acme):
        Person.objects.get(email=world.person("owner").email).roles.add(Role.objects.create(name="guru", label="Guest"))

    page = owner.get("/team/").content.decode()

    assert ">Amministratore<" in page
    assert ">Guest<" in page


def test_a_refused_call_of_the_api_is_explained_in_the_callers_language(visitor, db):
    answer = visitor().api("GET", "/api/v1/tenants/", **ITALIAN_BROWSER)

    problem = answer.json()
    assert (problem["code"], problem["title"]) == ("not_authenticated", "Accesso non effettuato")


def test_the_first_mail_is_complete_and_in_the_tenants_language(world, acme, db):
    set_tenant_language(acme, "it")
    with enter(acme):
        account = Account.objects.get(email=world.person("owner").email)
        mail_password_link(subject=str(account.pk))

    message: Any = mail.outbox[0]
    html = str(message.alternatives[0].content)
    assert message.subject == "Imposta la tua password per Acme Corp"
    for text in (message.body, html):
        assert "Ciao Mara Ellsworth" in text
        assert account.email in text
        assert "http://acme-corp." in text
        assert re.search(r"fino al \d+ [a-z]+ \d{4}, \d\d:\d\d", text)
    assert '<html lang="it">' in html


def test_what_an_operation_failed_of_is_kept_in_the_language_of_who_asked(committed, operator):
    with translation.override("it"):
        operation = request_tenant(slug="gia-esistente", name="X", admin_email="x@people.example", actor=operator)
    ensure_bucket(operation.tenant.bucket_name)

    run_operation(operation.pk)
    delete_bucket_with_contents(operation.tenant.bucket_name)

    operation.refresh_from_db()
    assert (
        operation.error == f"Esistono già: bucket {operation.tenant.bucket_name}. Adottali, falli rimuovere o rinuncia."
    )


def test_italian_dates_have_no_capitals():
    with translation.override("it"):
        written = formats.date_format(date(2026, 11, 22), "l j F, D")

    assert written == "domenica 22 novembre, dom"


def set_tenant_language(tenant, language: str) -> None:
    """Make the tenant speak `language`, or leave it to the browser."""
    with enter(tenant):
        Preferences.objects.filter(pk=1).update(language=language)


def english_on(page) -> list[str]:
    """Return the tell-tale words of a page's text and of its spoken attributes, with what stands around them."""
    html = page.content.decode()
    assert html, f"{page.status_code}: no page"
    html = re.sub(r"(?s)<(script|style|code|option)\b.*?</\1>", "", html)
    html = re.sub(r"[\w.]+@[\w.]+", "", html)
    spoken = re.findall(r'\b(?:aria-label|title|placeholder|data-[\w-]+)="([^"]*)"', html)
    text = " ".join([re.sub(r"(?s)<[^>]*>", " ", html), *(words for words in spoken if " " in words)])
    return [text[max(0, found.start() - 40) : found.end() + 40] for found in TELL_TALES.finditer(text)]
