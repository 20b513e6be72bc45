"""Reads docker-compose.yml as Compose would: merged, and its variables filled from an environment."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yml"
DEVELOPMENT_ENV = ROOT / "deploy/compose/development.env"

VARIABLE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>\w+)(?::?(?P<kind>[-?])(?P<rest>[^}]*))?\})")


class MissingVariable(Exception):
    """A variable that the file demands has no value."""


def read_compose() -> dict[str, Any]:
    """The file as it stands, merge keys resolved, variables not."""
    document: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text(encoding="utf-8"))
    return document


def read_env_file(path: Path = DEVELOPMENT_ENV) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def fill_in(value: Any, variables: Mapping[str, str]) -> Any:
    """Puts values for `${NAME}`, `${NAME:-default}`, `${NAME:?reason}` and `$` for `$$`, however deep.

    Raises MissingVariable with the file's own reason.
    """
    if isinstance(value, dict):
        return {key: fill_in(inner, variables) for key, inner in value.items()}
    if isinstance(value, list):
        return [fill_in(inner, variables) for inner in value]
    if not isinstance(value, str):
        return value

    def put(match: re.Match[str]) -> str:
        if match["dollar"]:
            return "$"
        if found := variables.get(match["name"]):
            return found
        if match["kind"] == "?":
            raise MissingVariable(f"{match['name']}: {match['rest']}")
        return match["rest"] or ""

    return VARIABLE.sub(put, value)


def read_services(variables: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Each service's command, environment and the rest, ready to start."""
    services: dict[str, dict[str, Any]] = fill_in(read_compose()["services"], variables)
    return services
