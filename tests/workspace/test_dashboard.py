"""Each figure of the dashboard follows its data, in the reader's own days."""

import csv
import io
import re
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.people.models import Person
from core import audit
from core.tenancy import enter


def days_of(answer):
    return list(csv.DictReader(io.StringIO(answer.content.decode())))


def test_active_members_follow_people_who_join_and_leave(figures, add_people, acme):
    before = int(figures()["Active members"])

    made = add_people("Ada", "Bo", "Cy")
    joined = int(figures()["Active members"])
    with enter(acme):
        Person.objects.filter(pk=made[0].pk).update(is_active=False)

    assert joined == before + 3
    assert int(figures()["Active members"]) == before + 2


def test_people_who_signed_in_are_counted_once_each(figures, add_people, note_sign_in):
    before = int(figures()["People who signed in"])
    one, two = add_people("Ada", "Bo")

    note_sign_in(one, timezone.now(), times=3)
    note_sign_in(two, timezone.now() - timedelta(days=3))

    assert int(figures()["People who signed in"]) == before + 2


def test_sign_ins_are_counted_each(figures, add_people, note_sign_in):
    before = int(figures()["Sign-ins"])
    (one,) = add_people("Ada")

    note_sign_in(one, timezone.now(), times=3)

    assert int(figures()["Sign-ins"]) == before + 3


def test_the_period_leaves_out_what_is_older(figures, add_people, note_sign_in):
    before = {days: int(figures(days)["Sign-ins"]) for days in (7, 30, 90)}
    (one,) = add_people("Ada")

    note_sign_in(one, timezone.now() - timedelta(days=20))

    assert int(figures(7)["Sign-ins"]) == before[7]
    assert int(figures(30)["Sign-ins"]) == before[30] + 1
    assert int(figures(90)["Sign-ins"]) == before[90] + 1


def test_a_trend_is_the_difference_to_the_period_before(owner, add_people, note_sign_in):
    (one,) = add_people("Ada")
    note_sign_in(one, timezone.now() - timedelta(days=9), times=500)

    text = owner.get("/?days=7").content.decode()

    sign_ins = text[text.index("<dt>Sign-ins</dt>") :][:1500]
    assert 'data-tone="bad"' in sign_ins
    assert "against 7 days before" in sign_ins


def test_other_tenants_figures_stay_as_they_are(outsider, add_people):
    def members():
        return re.search(r"<dt>Active members</dt>\s*<dd>(\d+)</dd>", outsider.get("/").content.decode()).group(1)

    before = members()

    add_people("Ada", "Bo")

    assert members() == before


@pytest.mark.parametrize("days", [7, 30, 90])
def test_the_csv_says_what_the_chart_says(days, owner, add_people, note_sign_in):
    (one,) = add_people("Ada")
    for ago, times in ((0, 2), (3, 5), (days - 1, 1), (days, 4)):
        note_sign_in(one, timezone.now() - timedelta(days=ago), times=times)

    answer = owner.get(f"/sign-ins.csv?days={days}")
    rows = days_of(answer)
    page = owner.get(f"/?days={days}").content.decode()

    table = re.findall(
        r'<tr><th scope="row">([^<]+)</th><td class="plx-n">(\d+)</td><td class="plx-n">(\d+)</td></tr>', page
    )
    assert [(row["sign_ins"], row["sign_ins_period_before"]) for row in rows] == [(now, past) for _, now, past in table]
    assert len(rows) == days
    assert [row["day"] for row in rows] == sorted(row["day"] for row in rows)
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="sign-ins.csv"'


def test_the_legend_adds_up_the_csv(owner, add_people, note_sign_in):
    (one,) = add_people("Ada")
    note_sign_in(one, timezone.now() - timedelta(days=2), times=5)

    total = sum(int(row["sign_ins"]) for row in days_of(owner.get("/sign-ins.csv?days=7")))

    assert f"Last 7 days: {total}" in owner.get("/?days=7").content.decode()


@pytest.mark.parametrize("days", ["9" * 5000, "8", "-7", "7.0", "x", ""])
def test_a_period_that_there_is_not_is_the_usual_one(days, owner):
    assert len(days_of(owner.get(f"/sign-ins.csv?days={days}"))) == 30


@pytest.mark.parametrize(
    ("zone", "hour", "days_later"), [("Pacific/Kiritimati", 11, 1), ("Europe/Rome", 11, 0), ("America/Adak", 8, -1)]
)
def test_days_are_those_of_the_persons_time_zone(zone, hour, days_later, owner, person_of, note_sign_in, acme):
    with enter(acme):
        Person.objects.filter(pk=person_of("owner").pk).update(time_zone=zone)
    moment = timezone.now().replace(hour=hour, minute=30) - timedelta(days=3)
    note_sign_in(person_of("member"), moment, times=7)

    rows = {row["day"]: row["sign_ins"] for row in days_of(owner.get("/sign-ins.csv?days=7"))}

    assert rows[(moment + timedelta(days=days_later)).date().isoformat()] == "7"


@pytest.mark.parametrize("asked", ["", "0", "8", "-7", "abc", "9" * 30, "7.0", "30 OR 1=1", "²"])
def test_other_periods_are_answered_with_the_usual_one(asked, owner):
    assert len(days_of(owner.get(f"/sign-ins.csv?days={asked}"))) == 30
    assert owner.get(f"/?days={asked}").status_code == 200


def test_recent_activity_shows_what_was_done_newest_first_and_no_sign_ins(owner, person_of, acme):
    someone = person_of("member")
    with enter(acme):
        audit.record(actor=someone.actor, action="member.updated", target=someone)
        audit.record(actor=someone.actor, action="session.started", target=someone)

    text = owner.get("/").content.decode()

    recent = text[text.index("Recent activity") :]
    assert recent.index("Profile changed") < recent.index("Joined the team")
    assert "Signed in" not in recent


def test_names_are_shown_as_text(owner, person_of, acme):
    with enter(acme):
        Person.objects.filter(pk=person_of("owner").pk).update(name="<b onclick=x>Bold</b>")

    for path in ("/", "/team/", "/profile/"):
        assert "<b onclick" not in owner.get(path).content.decode()


@pytest.mark.parametrize("path", ["/", "/team/"])
def test_a_page_asks_the_database_as_often_for_two_hundred_people_as_for_few(
    path, owner, add_people, note_sign_in, django_assert_num_queries
):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from tenants import directory

    add_people(*(f"Early {number:03}" for number in range(30)))
    owner.get(path)
    directory.forget()  # or the answer depends on whether half a second has gone by
    with CaptureQueriesContext(connection) as few:
        owner.get(path)
    made = add_people(*(f"Person {number:03}" for number in range(200)))
    for person in made[:50]:
        note_sign_in(person, timezone.now())

    directory.forget()
    with django_assert_num_queries(len(few.captured_queries)):
        owner.get(path)

    assert len(few.captured_queries) <= 25
