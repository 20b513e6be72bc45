from datetime import timedelta

import pytest
from django import forms
from django.core.paginator import Paginator
from django.utils import timezone
from django.utils.safestring import SafeString

from core.web.statuses import CODES, show_status
from core.web.templatetags import px


class AllSorts(forms.Form):
    name = forms.CharField(help_text="Any name")
    secret = forms.CharField(widget=forms.PasswordInput)
    zone = forms.ChoiceField(choices=[("utc", "UTC")])
    theme = forms.ChoiceField(choices=[("dark", "Dark")], widget=forms.RadioSelect)
    note = forms.CharField(widget=forms.Textarea(attrs={"class": "own"}))
    keep = forms.BooleanField()
    token = forms.CharField(widget=forms.HiddenInput)


def test_an_icon_points_into_the_sprite_and_is_not_read_aloud() -> None:
    drawn = px.icon("plus", "plx-flip")

    assert 'class="icon plx-flip" aria-hidden="true"' in drawn
    assert "vendor/icons" in drawn
    assert "#plus" in drawn


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("Mara Ellsworth", "ME"),
        ("Mara van Ellsworth", "ME"),
        ("mara", "M"),
        ("Élodie (IT)", "ÉI"),
        ("", "?"),
        (None, "?"),
    ],
)
def test_initials_are_those_of_the_first_and_last_word(name: str | None, letters: str) -> None:
    assert px.initials(name) == letters


def test_a_hue_is_the_same_for_the_same_id() -> None:
    assert {px.hue(key) for key in range(100)} == {1, 2, 3, 4, 5}
    assert px.hue("7") == px.hue(7)


@pytest.mark.parametrize(
    ("passed", "said"),
    [
        (timedelta(seconds=5), "just now"),
        (timedelta(minutes=12), "12 min ago"),
        (timedelta(hours=3), "3 h ago"),
        (timedelta(days=1), "1 day ago"),
        (timedelta(days=3), "3 days ago"),
    ],
)
def test_how_long_ago_is_said_in_one_unit(passed: timedelta, said: str) -> None:
    moment = timezone.now() - passed

    shown = px.ago(moment)

    assert f">{said}</time>" in shown
    assert f'datetime="{moment.isoformat(timespec="seconds")}"' in shown


def test_after_a_week_the_date_is_said() -> None:
    moment = timezone.now() - timedelta(days=40)

    assert px.ago(moment) == px.day(moment)


def test_a_missing_time_or_number_is_a_dash() -> None:
    assert px.ago(None) == px.day(None) == px.number(None) == "–"
    assert px.took(None) == ""


@pytest.mark.parametrize(
    ("duration_s", "said"),
    [
        (0.34, "0.3 s"),
        (41.2, "41 s"),
        (75, "1 min 15 s"),
        (59.7, "1 min 0 s"),
        (9.97, "10.0 s"),
        (11_405, "3 h 10 min"),
        (187_300, "2 d 4 h"),
    ],
)
def test_a_duration_is_as_exact_as_it_is_short(duration_s: float, said: str) -> None:
    assert px.took(duration_s) == said


def test_numbers_are_grouped() -> None:
    assert px.number(1284) == "1,284"


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("inv", "<mark>Inv</mark>oices &amp; more"),
        ("& m", "Invoices <mark>&amp; m</mark>ore"),
        ("", "Invoices &amp; more"),
        ("zzz", "Invoices &amp; more"),
    ],
)
def test_what_matches_is_marked_and_everything_escaped(query: str, shown: str) -> None:
    assert px.highlight("Invoices & more", query) == shown


def test_each_widget_is_a_kind_of_field() -> None:
    form = AllSorts()

    kinds = {field.name: px.kind(field) for field in form}

    assert kinds == {
        "name": "text",
        "secret": "password",
        "zone": "select",
        "theme": "choices",
        "note": "textarea",
        "keep": "checkbox",
        "token": "hidden",
    }


def test_a_control_has_our_class_its_own_and_what_is_given() -> None:
    drawn = px.control(AllSorts()["note"], css="plx-mono", hx_get="/check/", autocomplete=None)

    assert 'class="form-control plx-mono own"' in drawn
    assert 'hx-get="/check/"' in drawn
    assert "autocomplete" not in drawn


def test_a_wrong_control_names_its_error_and_its_help() -> None:
    drawn = px.control(AllSorts({})["name"])

    assert 'aria-invalid="true"' in drawn
    assert 'aria-describedby="id_name_helptext id_name_error"' in drawn


def test_a_value_in_a_control_is_escaped() -> None:
    drawn = px.control(AllSorts({"name": '"><b>'})["name"])

    assert isinstance(drawn, SafeString)
    assert "&quot;&gt;&lt;b&gt;" in drawn


def test_a_choice_has_our_class() -> None:
    assert 'class="form-check-input"' in px.choice_control(AllSorts()["theme"][0])


def test_left_out_pages_are_none() -> None:
    assert px.page_range(Paginator(range(200), 10).page(9)) == [1, None, 8, 9, 10, None, 20]


def test_every_status_has_a_face_and_an_unknown_one_its_code() -> None:
    assert all(show_status(code).label for code in CODES)
    assert px.face("pending") == show_status("provisioning")
    assert show_status("odd") == ("Odd", "quiet", "off")
