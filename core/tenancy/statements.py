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
_SKIP = re.compile(r"(?:[ \t\n\r\f\v(]+|--[^\r\n]*)+")  # PostgreSQL ends a line at \r too
_WORD = re.compile(r"[A-Za-z_]+")
_SET_CONSTRAINTS = re.compile(r"SET\s+CONSTRAINTS\b[^;]*;?\s*$", re.IGNORECASE | re.ASCII)
_QUOTED = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*\"""")
# what decides where PostgreSQL sees a quote begin or end: comments, dollar quotes, escapes, named placeholders
_AMBIGUOUS = ("--", "/*", "$", "\\", "%(")


class StatementRefused(PlexicaError):
    """A statement that the application never needs, or a second one behind a semicolon."""

    code = "statement_refused"
    status = 500


def check_statement(sql: str) -> None:
    """Raise StatementRefused unless `sql` is one statement of an allowed kind."""
    kind = first_keyword(sql)
    if kind not in ALLOWED and not (kind == "SET" and _SET_CONSTRAINTS.match(sql.strip())):
        raise StatementRefused(statement=kind)
    if _may_be_several(sql):
        raise StatementRefused(statement="more than one statement")


def _may_be_several(sql: str) -> bool:
    """Say whether a semicolon may stand between two statements; in doubt yes: values belong into parameters."""
    body = sql.rstrip().removesuffix(";")
    if ";" not in body:
        return False
    return any(mark in body for mark in _AMBIGUOUS) or ";" in _QUOTED.sub("", body)


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
