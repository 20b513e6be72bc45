"""The manual's tables of error codes and audit actions say what the code has, and nothing else."""

import ast
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

from core.audit.words import LABELS
from core.errors import PlexicaError
from core.web.problems import REFUSALS, UNKNOWN

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("accounts", "archives", "core", "events", "storage", "superadmin", "tenants", "workspace")


def rows_of(page: str) -> list[tuple[str, str]]:
    """First and second cell of each row of the page's tables that begins with a word of code."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(r"^\| `([\w.]+)` \| ([^|]+?) \|", text, re.MULTILINE)


def codes() -> set[tuple[str, str]]:
    for room in ROOMS:
        package = importlib.import_module(room)
        for module in pkgutil.walk_packages(package.__path__, f"{room}."):
            if ".migrations." not in module.name and not module.name.endswith(".migrations"):
                importlib.import_module(module.name)

    def below(kind: type[PlexicaError]) -> set[type[PlexicaError]]:
        return {kind}.union(*(below(child) for child in kind.__subclasses__()))

    ours = {(kind.code, str(kind.status)) for kind in below(PlexicaError) if not kind.__module__.startswith("tests")}
    libraries = {(refusal.code, str(kind.status_code)) for kind, refusal in REFUSALS.items()}
    return ours | libraries | {(UNKNOWN.code, "500")}


def recorded_actions() -> set[str]:
    """What `audit.record` is given as `action`, read from the source."""
    found = set()
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "audit.record":
                    action = next(word.value for word in node.keywords if word.arg == "action")
                    assert isinstance(action, ast.Constant), f"{path}: an action is a word, not put together"
                    found.add(str(action.value))
    return found


def test_the_manual_has_every_error_code_with_its_status_and_no_other():
    assert set(rows_of("developers/errors.md")) == codes()


@pytest.mark.parametrize("page", ["developers/errors.md", "operators/audit.md"])
def test_a_table_of_the_manual_repeats_nothing(page):
    names = [name for name, _ in rows_of(page)]

    assert len(names) == len(set(names))


def test_the_manual_has_every_audit_action_and_no_other():
    assert {name for name, _ in rows_of("operators/audit.md")} == recorded_actions()


def test_pages_have_a_name_for_every_audit_action_and_for_no_other():
    assert set(LABELS) == recorded_actions()
