"""Which statements a cursor of the application may send.

The tenant's role stops foreign rows, but SET ROLE is checked against the login, so a statement that changes the role
would be obeyed. Here it is refused: one statement at a time, and only of the kinds that the application needs.
"""

import re
from typing import Final

from core.errors import PlexicaError

ALLOWED: Final = frozenset(
    {
        "SELECT",
        "INSERT",
        "UPDATE",
        "DELETE",
        "WITH",
        "VALUES",
        "MERGE",
        "TABLE",
        "EXPLAIN",
        "LOCK",
        "DECLARE",
        "FETCH",
        "CLOSE",
    }
)
_SKIP = re.compile(r"(?:\s+|--[^\n]*(?:\n|$)|\()+")
_WORD = re.compile(r"[A-Za-z_]+")
_SET_CONSTRAINTS = re.compile(r"SET\s+CONSTRAINTS\b[^;]*;?\s*$", re.IGNORECASE)
_NOT_IN_NAME = r"(?<![\w$\x80-\U0010ffff])"  # PostgreSQL lets names contain $ and any letter beyond ASCII
# what may hide a semicolon: strings, identifiers, dollar quotes, comments
_OPAQUE = re.compile(
    rf"""{_NOT_IN_NAME}[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"
    |{_NOT_IN_NAME}(\$(?:[A-Za-z_]\w*)?\$).*?\1|--[^\n]*|/\*.*?\*/""",
    re.DOTALL | re.VERBOSE,
)


class StatementRefused(PlexicaError):
    """A statement that the application never needs, or a second one behind a semicolon."""

    code = "statement_refused"
    status = 500


def check_statement(sql: str) -> None:
    """Raise StatementRefused unless `sql` is one statement of an allowed kind."""
    kind = first_keyword(sql)
    if kind not in ALLOWED and not (kind == "SET" and _SET_CONSTRAINTS.match(sql.strip())):
        raise StatementRefused(statement=kind)
    if ";" in sql and ";" in _OPAQUE.sub(" ", sql).rstrip().removesuffix(";"):
        raise StatementRefused(statement="more than one statement")


def first_keyword(sql: str) -> str:
    """Return the first word of a statement in capitals, behind white space, comments and brackets."""
    position = 0
    while True:
        if skipped := _SKIP.match(sql, position):
            position = skipped.end()
        if sql.startswith("/*", position):
            position = _end_of_comment(sql, position)
            continue
        word = _WORD.match(sql, position)
        return word.group().upper() if word else ""


def _end_of_comment(sql: str, start: int) -> int:
    """Return where a block comment ends; PostgreSQL's nest."""
    depth, position = 0, start
    while position < len(sql):
        if sql.startswith("/*", position):
            depth, position = depth + 1, position + 2
        elif sql.startswith("*/", position):
            depth, position = depth - 1, position + 2
            if depth == 0:
                return position
        else:
            position += 1
    return len(sql)
