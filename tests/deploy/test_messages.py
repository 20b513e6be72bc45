"""Texts are found, compiled and checked without gettext's own tools."""

import gettext
import os
from pathlib import Path

import pytest

from deploy.messages import (
    compile_catalogs,
    extract_texts,
    find_problems,
    main,
    read_catalog,
    update_catalogs,
    write_catalog,
)

TEMPLATE = """{% load i18n %}
    <h1>{% translate "Members" %}</h1>
  <p>{% blocktranslate count n=total trimmed %}
       One member
     {% plural %}
       {{ n }} members
     {% endblocktranslate %}</p>
{% include "empty.html" with title=_("Nobody yet") %}
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small project with one text of each kind."""
    write(tmp_path / "team/templates/team/list.html", TEMPLATE)
    write(tmp_path / "team/views.py", 'message = _("Hello, %(name)s")\nother = pgettext_lazy("month", "May")\n')
    write(tmp_path / "static/js/app.js", 'toast(gettext("Saved"));\n')
    write(tmp_path / "static/vendor/lib.js", 'gettext("Not ours");\n')
    write(tmp_path / "tests/test_x.py", '_("Not shown")\n')
    return tmp_path


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def catalog_path(root: Path) -> Path:
    return root / "locale/it/LC_MESSAGES/django.po"


def translate_everything(root: Path) -> None:
    """Puts `it` before every text and calls that Italian."""
    update_catalogs(root, also=("it",))
    catalog = read_catalog(catalog_path(root))
    for text in catalog:
        if text.id:
            text.string = f"it {text.id}" if isinstance(text.id, str) else tuple(f"it {form}" for form in text.id)
    write_catalog(catalog_path(root), catalog)


def test_texts_of_templates_python_and_javascript_are_found(tree: Path) -> None:
    texts = {(text.context, text.id) for text in extract_texts(tree) if text.id}

    assert texts == {
        (None, "Members"),
        (None, ("One member", "%(n)s members")),
        (None, "Nobody yet"),
        (None, "Hello, %(name)s"),
        ("month", "May"),
        (None, "Saved"),
    }


def test_extracting_again_changes_nothing(tree: Path) -> None:
    update_catalogs(tree, also=("it",))
    first = catalog_path(tree).read_text()

    update_catalogs(tree, also=("it",))

    assert catalog_path(tree).read_text() == first
    assert "Date" not in first


def test_translations_stay_and_texts_that_are_gone_leave(tree: Path) -> None:
    translate_everything(tree)
    write(tree / "static/js/app.js", "")
    write(tree / "team/models.py", '_("Role")\n')

    update_catalogs(tree)

    translations = {text.id: text.string for text in read_catalog(catalog_path(tree))}
    assert translations["Members"] == "it Members"
    assert translations["Role"] == ""
    assert "Saved" not in translations


def test_a_catalogue_is_compiled_once(tree: Path) -> None:
    translate_everything(tree)

    first, second = compile_catalogs(tree), compile_catalogs(tree)

    assert first == [catalog_path(tree).with_suffix(".mo")]
    assert second == []
    assert [path.suffix for path in catalog_path(tree).parent.iterdir() if path.suffix == ".tmp"] == []
    with first[0].open("rb") as file:
        italian = gettext.GNUTranslations(file)
    assert italian.gettext("Members") == "it Members"
    assert italian.ngettext("One member", "%(n)s members", 2) == "it %(n)s members"


def test_a_changed_catalogue_is_compiled_again(tree: Path) -> None:
    translate_everything(tree)
    (compiled,) = compile_catalogs(tree)
    os.utime(compiled, (0, 0))

    assert compile_catalogs(tree) == [compiled]


def test_a_complete_catalogue_has_no_problem(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    translate_everything(tree)

    assert main(["check", "--root", str(tree)]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ('msgstr "it Saved"', 'msgstr ""', "is not translated: 'Saved'"),
        ('msgstr "it Hello, %(name)s"', 'msgstr "Ciao, %(nome)s"', "has other placeholders or tags: 'Hello"),
        (
            'msgstr[1] "it %(n)s members"',
            'msgstr[1] "membri"',
            "has other placeholders or tags: 'One member'",
        ),
        ('msgstr[1] "it %(n)s members"', 'msgstr[1] ""', "is not translated: 'One member'"),
        ('msgid "Members"\nmsgstr "it Members"\n', "", "is missing, run extract: 'Members'"),
        ('msgid "Members"', '#, fuzzy\nmsgid "Members"', "is fuzzy: 'Members'"),
    ],
)
def test_what_a_translator_left_undone_is_named(
    tree: Path, capsys: pytest.CaptureFixture[str], before: str, after: str, complaint: str
) -> None:
    translate_everything(tree)
    text = catalog_path(tree).read_text()
    assert before in text
    write(catalog_path(tree), text.replace(before, after))

    assert main(["check", "--root", str(tree)]) == 1

    (line,) = capsys.readouterr().err.splitlines()
    assert complaint in line


def test_without_a_catalogue_the_check_fails(tree: Path) -> None:
    assert find_problems(tree) == ["There is no catalogue under locale/. Run: python -m deploy.messages extract"]


def test_the_command_extracts_and_compiles(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["extract", "--root", str(tree)]) == 0
    assert main(["compile", "--root", str(tree)]) == 0

    assert capsys.readouterr().out.splitlines() == [
        "locale/it/LC_MESSAGES/django.po: 6 left to translate",
        "wrote locale/it/LC_MESSAGES/django.mo",
    ]


def test_a_text_in_a_template_that_nobody_can_translate_is_a_problem(tree: Path) -> None:
    translate_everything(tree)
    write(tree / "team/templates/team/detail.html", "<p>{{ name }}</p>\n<p>\n  Good morning</p>\n")

    assert find_problems(tree) == ["team/templates/team/detail.html:3: Good morning"]
