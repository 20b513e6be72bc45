import importlib
import pkgutil

import pytest
from django.utils import translation

from core.errors import Invalid, PlexicaError

ROOMS = ("archives", "core", "tenants", "accounts", "storage", "events")


def every_error():
    for room in ROOMS:
        package = importlib.import_module(room)
        for module in pkgutil.walk_packages(package.__path__, f"{room}."):
            if module.name.endswith((".errors", ".services", ".statements")):
                importlib.import_module(module.name)

    def below(kind):
        for child in kind.__subclasses__():
            yield child
            yield from below(child)

    return sorted({*below(PlexicaError)}, key=lambda kind: kind.__qualname__)


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.__qualname__)
def test_an_error_says_what_happened_and_what_to_do(kind):
    assert 400 <= kind.status < 600
    assert kind.code == kind.code.lower().replace(" ", "_")
    assert str(kind.title)
    assert str(kind.detail).endswith(".")
    assert kind.__doc__


def test_codes_are_given_once():
    codes = [kind.code for kind in every_error() if "code" in vars(kind)]  # one without its own is its base to readers

    assert sorted(codes) == sorted(set(codes))


def test_facts_fill_the_sentence_in_the_language_of_the_reader():
    from tenants.errors import SlugTaken

    error = SlugTaken(slug="acme-corp")

    assert "acme-corp" in str(error)
    with translation.override("it"):
        assert "acme-corp" in str(error)


def test_a_percent_sign_in_a_fact_harms_nothing():
    from tenants.errors import SlugTaken

    assert "100%s" in str(SlugTaken(slug="100%s"))


def test_wrong_values_are_kept_by_field():
    assert Invalid({"slug": ["too long"]}, more=1).facts == {"errors": {"slug": ["too long"]}, "more": 1}
