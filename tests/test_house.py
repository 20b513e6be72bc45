"""Every room is known to the tools that watch over the house."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
OUTSIDE = {"benchmarks", "tests"}  # they look at the rooms, and no room needs them
ROOMS = sorted({path.parent.name for path in ROOT.glob("*/__init__.py")} - OUTSIDE)


def test_import_rules_cover_every_room() -> None:
    assert TOOLS["importlinter"]["root_packages"] == ROOMS


def test_coverage_measures_every_room() -> None:
    assert TOOLS["coverage"]["run"]["source"] == ROOMS


def test_imports_of_every_room_are_sorted_as_ours() -> None:
    assert OUTSIDE | set(ROOMS) <= set(TOOLS["ruff"]["lint"]["isort"]["known-first-party"])


@pytest.mark.parametrize("contract", TOOLS["importlinter"]["contracts"], ids=lambda contract: contract["name"])
def test_an_import_rule_leaves_out_no_room(contract: dict[str, list[str]]) -> None:
    named = contract.get("layers", []) + contract.get("source_modules", []) + contract.get("forbidden_modules", [])
    rooms = {room.strip("() ") for layer in named for room in layer.split("|")}

    assert set(ROOMS) - {"deploy"} <= rooms
