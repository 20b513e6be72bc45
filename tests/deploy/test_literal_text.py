"""Words in a template that no catalogue holds are found, and nothing else."""

import pytest

from deploy.literal_text import find_literal_text


@pytest.mark.parametrize(
    "template",
    [
        '<p>{% translate "Good morning" %}</p>',
        "<p>{% blocktranslate %}Good {{ when }}{% endblocktranslate %}</p>",
        "{# Good morning #}{% comment %}Good morning{% endcomment %}",
        '<a title="{% translate "Open" %}" href="{% url "tenant_list" %}">{{ name }} · 1/2 &middot;</a>',
        '<span translate="no">Valkey <b>and others</b></span>',
        "<kbd>Ctrl</kbd> <code>manage.py</code>",
        "<title>{{ title }}Plexica</title>",
        '{% block attributes %} data-px-area="console"{% endblock %}{% block css %}plx-mark-lg{% endblock %}',
        '<div {% if small %}class="small thing"{% endif %} data-px-name="some thing"></div>',
        '{% include "components/icon.html" with name="user-plus" %}',
        '{% include "components/avatar.html" with name="Mara Ellsworth" %}',
        '{% include "components/empty.html" with title=_("No tenants yet") %}',
    ],
)
def test_what_is_translated_or_no_prose_is_let_through(template: str) -> None:
    assert find_literal_text(template) == []


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("<p>\n\nGood\nmorning</p>", ["3: Good morning"]),
        ('{% load i18n %}\n<a title="Open">{{ name }}</a>', ["2: Open"]),
        (
            '{% if a %}<p>{% else %}<p class="x">{% endif %}<i translate="no">one</i>Two words</p>',
            ["1: Two words"],
        ),
        ("{% translate 'A' %}\n<br>later", ["2: later"]),
        ('<input placeholder="Your name"><p>{{ a }}</p>', ["1: Your name"]),
        (
            '{% include "components/empty.html" with title="No tenants yet" icon="box" %}',
            ["1: No tenants yet"],
        ),
        ('\n{% include "components/button.html" with label="Save" %}', ["2: Save"]),
    ],
)
def test_a_literal_text_is_named_with_its_line(template: str, found: list[str]) -> None:
    assert find_literal_text(template) == found


def test_a_mail_in_plain_text_is_read_line_by_line() -> None:
    template = '{% load i18n %}{% translate "Hello" %} {{ name }},\nwelcome to Plexica\n'

    assert find_literal_text(template, is_html=False) == ["2: welcome to Plexica"]
