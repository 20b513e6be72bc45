"""Keycloak's sign-in page has our tokens: Keycloak reads no file of ours, so they stand there a second time."""

import re

from deploy.embedded.paths import Tree

ROOT = Tree.here().root
LOGIN = ROOT / "deploy" / "keycloak" / "themes" / "plexica" / "login"


def tokens_of(path) -> dict[str, str]:
    """Each token's first value."""
    found: dict[str, str] = {}
    for name, value in re.findall(r"(--px-[\w-]+):\s*([^;]+);", path.read_text(encoding="utf-8")):
        found.setdefault(name, value.strip())
    return found


def test_the_themes_tokens_are_those_of_our_pages():
    ours, theirs = tokens_of(ROOT / "static/css/plexica.css"), tokens_of(LOGIN / "resources/css/plexica.css")

    assert len(theirs) > 8
    assert theirs == {name: ours.get(name) for name in theirs}


def test_the_themes_fonts_are_those_of_our_pages():
    theirs, ours = (
        re.findall(r"@font-face \{[^}]+\}", file.read_text(encoding="utf-8"))
        for file in (LOGIN / "resources/css/plexica.css", ROOT / "static/css/plexica.css")
    )

    assert len(theirs) == 3
    assert theirs == [face.replace("../vendor/fonts/", "../fonts/") for face in ours]


def test_the_build_gives_the_theme_the_fonts_that_it_names():
    css = LOGIN / "resources/css/plexica.css"
    named = re.findall(r'url\("([^"]+\.woff2)"\)', css.read_text(encoding="utf-8"))

    assert len(named) == 2
    for path in named:
        assert (css.parent / path).read_bytes() == (ROOT / "static/vendor/fonts" / path.rpartition("/")[2]).read_bytes()


def test_the_themes_mark_is_ours():
    assert (LOGIN / "resources/logo.svg").read_bytes() == (ROOT / "static/img/logo.svg").read_bytes()


def test_the_theme_speaks_the_platforms_languages(settings):
    line = re.search(r"^locales=(.*)$", (LOGIN / "theme.properties").read_text(), re.MULTILINE)

    assert line
    assert line.group(1).split(",") == [code for code, _ in settings.LANGUAGES]
