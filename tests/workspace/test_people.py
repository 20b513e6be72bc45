"""The team, one's own profile, the look, the search."""

import re

import pytest

from accounts.people.models import Person
from core.audit.models import AuditEntry
from core.tenancy import enter
from tenants.preferences.models import Preferences

GOOD = {"name": "Mara E.", "language": "it", "time_zone": "Asia/Tokyo", "theme": "dark"}


def names(page):
    text = page.content.decode()
    rows = re.findall(r'<th scope="row">(.*?)</th>', text[text.index("<tbody>") :], re.DOTALL)
    return [re.sub(r"<[^>]+>", " ", row).split(maxsplit=1)[-1].strip() for row in rows]


def test_everybody_of_the_team_is_listed_with_their_roles(owner):
    text = owner.get("/team/").content.decode()

    assert "Mara Ellsworth" in text
    assert "Tomas Kadlec" in text
    assert "Lea Novak" not in text
    assert ">Admin<" in text


def test_the_team_is_searched_by_name_and_address(owner, add_people):
    add_people("Xanthippe", "Yorick")

    by_name, by_address = owner.get("/team/?q=xanth"), owner.get("/team/?q=YORICK@made")

    assert names(by_name) == ["Xanthippe"]
    assert names(by_address) == ["Yorick"]


@pytest.mark.parametrize(
    "query", ["%", "_", "'", "\\", "%27; DROP TABLE people_person;--", "💥", "<script>", "a" * 5000]
)
def test_what_is_looked_for_is_text_and_nothing_else(query, owner):
    from urllib.parse import quote

    page = owner.get(f"/team/?q={quote(query)}")

    assert page.status_code == 200
    assert "Nobody fits" in page.content.decode()
    assert "<script>" not in page.content.decode()


def test_the_team_is_sorted_as_asked(owner, add_people):
    add_people("Zoe", "Aaron")

    up, down = names(owner.get("/team/?sort=name")), names(owner.get("/team/?sort=-name"))

    assert up[0] == "Aaron"
    assert down[0] == "Zoe"
    assert up == list(reversed(down))


@pytest.mark.parametrize("sort", ["email", "password", "-realm__client_secret", "", "name;"])
def test_other_sorts_are_the_usual_one(sort, owner):
    assert names(owner.get(f"/team/?sort={sort}")) == names(owner.get("/team/"))


def test_a_long_team_comes_in_pages(owner, add_people):
    add_people(*(f"Person {number:03}" for number in range(60)))

    pages = [names(owner.get(f"/team/?page={number}&q=person")) for number in (1, 2, 3)]

    assert [len(page) for page in pages] == [25, 25, 10]
    assert len({name for page in pages for name in page}) == 60


@pytest.mark.parametrize("page", ["0", "-1", "abc", "9" * 40, ""])
def test_pages_that_are_not_there_lead_to_one_that_is(page, owner):
    assert owner.get(f"/team/?page={page}").status_code == 200


def test_people_who_never_came_and_people_who_left_are_told_apart(owner, add_people):
    add_people("Neverwas")
    add_people("Gonealready", is_active=False)

    text = owner.get("/team/?q=made.example").content.decode()

    assert "Invited" in text
    assert "Disabled" in text


def test_a_fragment_is_only_the_rows(owner):
    fragment = owner.get("/team/", HTTP_HX_REQUEST="true", HTTP_HX_TARGET="rows")

    assert fragment.content.decode().lstrip().startswith('<div class="plx-stack plx-busy-soft" id="rows"')
    assert "<html" not in fragment.content.decode()
    assert {"HX-Request", "HX-Target"} <= {part.strip() for part in fragment["Vary"].split(",")}


def test_a_profile_is_saved_recorded_and_speaks_its_language_at_once(owner, person_of, acme):
    answer = owner.post("/profile/", GOOD)

    page = owner.get("/profile/")
    with enter(acme):
        entry = AuditEntry.objects.first()
    saved = person_of("owner")
    assert answer.status_code == 302
    assert (saved.name, saved.language, saved.time_zone) == ("Mara E.", "it", "Asia/Tokyo")
    assert '<html lang="it" data-bs-theme="dark"' in page.content.decode()
    assert page["Content-Language"] == "it"
    assert (entry.action, entry.actor_id) == ("member.updated", saved.pk)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""}, {"name": "   "}, {"name": "x" * 121}, {"name": "nul \x00"}, {"language": "xx"}, {"language": "en'"},
        {"time_zone": "Mars/Phobos"}, {"time_zone": "../etc/passwd"}, {"theme": "pink"}, {"theme": ""},
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_profile_is_refused_field_by_field_and_changes_nothing(wrong, owner, person_of, acme):
    before = person_of("owner")
    with enter(acme):
        entries = AuditEntry.objects.count()

    page = owner.post("/profile/", {**GOOD, **wrong})

    after = person_of("owner")
    assert page.status_code == 422
    assert "data-px-errors" in page.content.decode()
    assert 'aria-invalid="true"' in page.content.decode()
    assert (after.name, after.language, after.time_zone) == (before.name, before.language, before.time_zone)
    with enter(acme):
        assert AuditEntry.objects.count() == entries


def test_what_was_typed_is_not_lost_when_something_else_is_wrong(owner):
    page = owner.post("/profile/", {**GOOD, "name": "Typed with care", "time_zone": "Mars/Phobos"})

    assert "Typed with care" in page.content.decode()


def test_a_profile_says_only_who_one_is(owner, person_of):
    owner.post(
        "/profile/", {**GOOD, "email": "evil@x.example", "is_active": "", "id": "1", "roles": "admin", "subject": "x"}
    )

    saved = person_of("owner")
    assert saved.email == "owner@people.example"
    assert saved.is_active
    assert saved.subject != "x"


def test_the_tenants_language_speaks_to_who_chose_none(owner, visitor, acme):
    with enter(acme):
        Preferences.objects.update(language="it")

    assert '<html lang="it"' in owner.get("/").content.decode()
    assert '<html lang="it"' in visitor(acme).get("/op/sign-in/", HTTP_ACCEPT_LANGUAGE="en").content.decode()


def test_the_browsers_language_speaks_where_nobody_chose(owner):
    assert '<html lang="it"' in owner.get("/", HTTP_ACCEPT_LANGUAGE="it-CH, en;q=0.5").content.decode()
    assert '<html lang="en"' in owner.get("/", HTTP_ACCEPT_LANGUAGE="xx").content.decode()


def test_a_visitors_choice_of_language_stays_in_their_browser(db, visitor, acme):
    person = visitor(acme)

    answer = person.post("/op/language/", {"language": "it", "next": "/op/sign-in/"}, page=person.get("/op/sign-in/"))

    assert 'action="/op/language/"' in person.get("/op/sign-in/").content.decode()
    assert answer["Location"] == "/op/sign-in/"
    assert '<html lang="it"' in person.get("/op/sign-in/").content.decode()


def test_a_language_that_there_is_not_changes_nothing(db, visitor, acme):
    person = visitor(acme)

    answer = person.post("/op/language/", {"language": "../x", "next": "/"}, page=person.get("/op/sign-in/"))

    assert answer.status_code == 302
    assert not [name for name in person.cookies if "language" in name]


def test_a_members_choice_of_language_is_kept_with_them(owner, person_of):
    owner.post("/language/", {"language": "it", "next": "/team/"}, page=owner.get("/team/"))

    assert person_of("owner").language == "it"


# --- brand -----------------------------------------------------------------------------------------------------------


def test_a_tenants_colours_come_from_its_own_address_for_anybody(db, visitor, acme):
    with enter(acme):
        Preferences.objects.update(brand_colour="#aa3300", brand_tint=20, brand_roundness=1.25)

    answer = visitor(acme).get("/brand.css")

    assert answer.content.decode() == ":root { --px-brand: #aa3300; --px-tint: 20; --px-round: 1.25; }\n"
    assert answer["Content-Type"] == "text/css; charset=utf-8"
    assert "brand.css?v=" in visitor(acme).get("/op/sign-in/").content.decode()


@pytest.mark.parametrize(
    "wrong",
    [
        {"brand_colour": "#aa3300; } body { display: none"}, {"brand_colour": "red"}, {"brand_colour": "#AA33"},
        {"brand_colour": "#aa3300\n"}, {"brand_colour": "url(//evil)"}, {"brand_tint": 361}, {"brand_tint": -1},
        {"brand_roundness": 1.6}, {"brand_roundness": -0.1}, {"brand_roundness": float("nan")},
        {"brand_roundness": float("inf")},
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_brand_never_comes_out(wrong):
    from tenants.preferences.brand import brand_css

    assert brand_css(Preferences(name="x", **wrong)) == ""


@pytest.mark.parametrize("colour", ["red", "#AA3300", "#aa330", "#aa3300;"])
def test_the_database_refuses_a_wrong_colour_too(colour, db, acme):
    from django.db import DataError, IntegrityError, transaction

    with enter(acme), pytest.raises((IntegrityError, DataError)), transaction.atomic():
        Preferences.objects.update(brand_colour=colour)


def test_a_tenant_without_a_brand_sends_no_stylesheet_of_its_own(owner):
    assert owner.get("/brand.css").content == b""
    assert "brand.css" not in owner.get("/").content.decode()


# --- search ----------------------------------------------------------------------------------------------------------


def test_the_palette_finds_pages_and_people(owner):
    pages, people = owner.get("/search/?q=tea").content.decode(), owner.get("/search/?q=kadlec").content.decode()

    assert 'href="/team/"' in pages
    assert "member@people.example" in people
    assert "<html" not in pages


def test_the_palette_finds_every_page_of_the_sidebar(owner):
    page, text = owner.get("/").content.decode(), owner.get("/search/?q=").content.decode()

    addresses = re.findall(r'class="plx-nav-item" href="([^"]+)"', page)
    assert {"/", "/team/", "/settings/security/"} <= {*addresses}
    assert [address for address in addresses if f'href="{address}"' not in text] == []


def test_the_palette_finds_nobody_of_other_tenants(owner):
    assert "outsider@" not in owner.get("/search/?q=novak").content.decode()


def test_the_palette_leads_to_the_person_it_shows(owner, add_people):
    add_people("Xanthippe+Plus")

    text = owner.get("/search/?q=xanthippe").content.decode()
    link = re.search(r'href="(/team/[0-9a-f-]+/)"', text).group(1)

    assert "<h1>Xanthippe+Plus</h1>" in owner.get(link).content.decode()


def test_without_a_question_the_palette_shows_pages_only(owner):
    text = owner.get("/search/?q=").content.decode()

    assert 'href="/profile/"' in text
    assert "people.example" not in text


def test_disabled_people_still_stand_for_what_they_did(owner, acme, person_of):
    with enter(acme):
        Person.objects.filter(pk=person_of("member").pk).update(is_active=False)

    assert "Tomas Kadlec" in owner.get("/team/").content.decode()
