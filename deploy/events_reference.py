"""The table of all events in the manual, read from the source of plexica_sdk/events.py without running it.

MkDocs calls `on_page_markdown` for each page (hooks in mkdocs.yml); where a page says `<!-- events -->`, the table takes
its place.
"""

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EVENTS = Path(__file__).resolve().parent.parent / "plexica_sdk" / "events.py"
MARK = "<!-- events -->"


@dataclass(frozen=True)
class EventClass:
    """One kind of event. `payload` has its fields with their types."""

    class_name: str
    name: str
    version: int
    payload: dict[str, str]
    meaning: str


def read_events(path: Path = EVENTS) -> list[EventClass]:
    """List every class derived from Event that has a name, in the order of the file."""
    found = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "Event" for base in node.bases):
            own = {
                ast.unparse(line.targets[0]): ast.literal_eval(line.value)
                for line in node.body
                if isinstance(line, ast.Assign)
            }
            if own.get("name"):
                payload = {
                    ast.unparse(line.target): ast.unparse(line.annotation)
                    for line in node.body
                    if isinstance(line, ast.AnnAssign)
                }
                meaning = " ".join((ast.get_docstring(node) or "").split())
                found.append(EventClass(node.name, own["name"], own.get("version", 1), payload, meaning))
    return found


def render_table(events: list[EventClass]) -> str:
    rows = ["| event | class | version | payload | when |", "| --- | --- | --- | --- | --- |"]
    for event in events:
        payload = "<br>".join(f"`{field}`: {kind}" for field, kind in event.payload.items()) or "–"
        rows.append(f"| `{event.name}` | `{event.class_name}` | {event.version} | {payload} | {event.meaning} |")
    return "\n".join(rows)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by MkDocs before a page is rendered."""
    return markdown.replace(MARK, render_table(read_events())) if MARK in markdown else markdown
