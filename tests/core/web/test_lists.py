"""What every list of the API does with the parameters of its address, taken from the OpenAPI document."""

import pytest

from tests.support import openapi


def lists(*, platform):
    """Each list without another object in its path, with the parameters that the document names."""
    for path, operations in openapi.document(platform=platform)["paths"].items():
        names = [one["name"] for one in operations.get("get", {}).get("parameters", []) if one["in"] == "query"]
        if "page" in names and "{" not in path:
            yield path, names


@pytest.fixture(params=["platform", "tenant"])
def portal(request):
    """The lists of an address, and somebody there who may see all of them."""
    visitor = request.getfixturevalue({"platform": "operator_at_console", "tenant": "owner"}[request.param])
    return visitor, dict(lists(platform=request.param == "platform"))


def test_every_list_takes_the_parameters_that_it_declares(portal):
    visitor, paths = portal

    assert len(paths) >= 4
    for path, names in paths.items():
        for name in names:
            answer = visitor.api("GET", f"{path}?{name}={1 if name.startswith('page') else ''}")
            assert answer.status_code == 200, (path, name, answer.json())


def test_no_list_leaves_a_parameter_aside_that_it_does_not_know(portal):
    visitor, paths = portal

    for path, names in paths.items():
        answer = visitor.api("GET", f"{path}?search=acme")

        assert answer.status_code == 422, path
        ((name, (sentence,)),) = answer.json()["errors"].items()
        assert name == "search"
        assert all(known in sentence for known in names)


@pytest.mark.parametrize(
    ("asked", "field", "sentence"),
    [
        ("page=0", "page", "Give a whole number from 1"),
        ("page=-1", "page", "Give a whole number from 1"),
        ("page=abc", "page", "Give a whole number from 1"),
        ("page=last", "page", "Give a whole number from 1"),
        ("page=" + "9" * 5000, "page", "Give a whole number from 1"),
        ("page=999999", "page", "There are not so many pages."),
        ("page_size=0", "page_size", "Give a whole number from 1 to 200."),
        ("page_size=201", "page_size", "Give a whole number from 1 to 200."),
        ("page_size=ten", "page_size", "Give a whole number from 1 to 200."),
        ("page_size=%D9%A3", "page_size", "Give a whole number from 1 to 200."),
        ("status=active&status=deleted", "status", "Give it once."),
    ],
)
def test_no_list_guesses_what_a_wrong_parameter_meant(asked, field, sentence, operator_at_console):
    answer = operator_at_console.api("GET", f"/api/v1/tenants/?{asked}")

    assert answer.status_code == 422
    assert answer.json()["errors"][field][0].startswith(sentence)
