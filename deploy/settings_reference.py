"""The table of all settings in the manual, read from the source of plexica/settings without running it.

MkDocs calls `on_page_markdown` for each page (hooks in mkdocs.yml); where a page says `<!-- settings -->`, the table
takes its place.
"""

import ast
import html
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SETTINGS = Path(__file__).resolve().parent.parent / "plexica" / "settings"
PREFIX = "PLEXICA_"
MARK = "<!-- settings -->"


@dataclass(frozen=True)
class Setting:
    """One variable of the environment."""

    topic: str
    variable: str
    type: str
    default: str | None  # None: required
    description: str


def read_settings(folder: Path = SETTINGS) -> list[Setting]:
    """Lists the fields of every class derived from Environment, in the order of the files and of the fields."""
    return [setting for path in sorted(folder.glob("*.py")) for setting in _fields_in(path.read_text(encoding="utf-8"))]


def _fields_in(source: str) -> Iterator[Setting]:
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "Environment" for base in node.bases):
            for line in node.body:
                if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
                    default, description = _default_and_description(line.value)
                    yield Setting(
                        topic=node.name,
                        variable=f"{PREFIX}{line.target.id.upper()}",
                        type=ast.unparse(line.annotation),
                        default=default,
                        description=description,
                    )


def _default_and_description(value: ast.expr | None) -> tuple[str | None, str]:
    if value is None:
        return None, ""
    if not (isinstance(value, ast.Call) and ast.unparse(value.func) == "Field"):
        return _shown(value), ""
    named = {keyword.arg: keyword.value for keyword in value.keywords}
    default = value.args[0] if value.args else named.get("default", named.get("default_factory"))
    description = named.get("description")
    return (
        _shown(default) if default is not None else None,
        str(ast.literal_eval(description)) if description is not None else "",
    )


def _shown(value: ast.expr) -> str:
    try:
        return str(ast.literal_eval(value))
    except ValueError:
        return ast.unparse(value)


def render_table(settings: list[Setting]) -> str:
    rows = ["| variable | default | what it is |", "| --- | --- | --- |"]
    for setting in settings:
        default = "**required**" if setting.default is None else f"`{setting.default}`" if setting.default else "empty"
        choices = setting.type.removeprefix("Literal[").removesuffix("]").replace("'", "`")
        kind = f" (one of {choices})" if setting.type.startswith("Literal[") else ""
        description = html.escape(setting.description, quote=False).replace("|", "\\|")
        rows.append(f"| `{setting.variable}` | {default} | {description}{kind} |")
    return "\n".join(rows)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by MkDocs before a page is rendered."""
    return markdown.replace(MARK, render_table(read_settings())) if MARK in markdown else markdown
