"""The page that lists the attacks says what is tried, and everything that is tried stands on it."""

import ast
import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "developers" / "attacks.md"
# what an attack needs from the sites, which both issuers have
SITES = {"a", "b", "user", "tokens", "victim", "new_site", "objects"}
# where the issuer is nobody who is asked
ANY_ISSUER = {
    "test_every_operation_with_a_body_is_tried_with_one",
    "test_no_field_of_a_tenants_api_can_be_set_but_those_it_takes",
    "test_no_field_of_the_platforms_api_can_be_set_but_those_it_takes",
    "test_forms_take_their_own_fields_and_leave_all_others",
    "test_a_tenants_calls_at_once",
    "test_the_platforms_calls_at_once",
}
WANTED = [
    "access token of another tenant", "ID token of another tenant", "refresh token of another tenant",
    "code of another tenant", "session cookie of another tenant", "device code of another tenant", "expired",
    "not yet valid", "alg none", "HS256 with the public key", "other kid", "wrong audience", "ID token as bearer",
    "token of a disabled person", "token of a suspended tenant", "token of a removed role", "code replay",
    "PKCE downgrade", "redirect URI tricks", "login CSRF", "session fixation", "host header tricks", "mass assignment",
    "insecure direct object reference", "token, session or cached key of a deleted tenant", "user enumeration",
    "brute force", "race",
]  # fmt: skip


def rows() -> dict[str, list[str]]:
    """Return the tests of each attack on the page."""
    found = re.findall(r"^\| ([^|]+) \| ((?:`\w+` ?)+)\|$", PAGE.read_text(), re.MULTILINE)
    return {attack: re.findall(r"`(\w+)`", tests) for attack, tests in found}


def written() -> dict[str, set[str]]:
    """Return every test of this folder but these, and what it takes."""
    return {
        node.name: {argument.arg for argument in node.args.args}
        for path in HERE.glob("test_*.py")
        if path != Path(__file__)
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


@pytest.mark.parametrize("attack", WANTED)
def test_every_attack_has_a_test(attack):
    assert any(row.startswith(attack) and named for row, named in rows().items())


def test_the_page_names_every_test_and_no_other():
    assert {name for named in rows().values() for name in named} == set(written())


def test_every_attack_is_tried_at_both_issuers():
    assert {name for name, takes in written().items() if not takes & SITES} == ANY_ISSUER
