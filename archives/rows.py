"""Rows of a tenant as JSON Lines, exactly as PostgreSQL has them, and back.

Values are written by `row_to_json`: text, numbers to the last digit, times in UTC with microseconds, arrays, bytes as
`\\x...`. A column of JSON is a string that holds the JSON, since `null` within and no value at all would look alike.
"""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.db.backends.utils import CursorWrapper
from django.utils.translation import gettext as _
from psycopg import sql

from archives.errors import ArchiveRefused, RowTooLong
from archives.rules import Carried, LeftOut, Mask

CHUNK_BYTES: Final = 4 * 1024 * 1024  # rows of one entry; a longer row has an entry of its own
MAX_ROW_BYTES: Final = 64 * 1024 * 1024

_COLUMNS: Final = """
    SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    ORDER BY c.relname, a.attnum
"""
_IDENTITIES: Final = """
    SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND a.attidentity <> ''
"""
# equal texts give equal replacements; nobody has the salt afterwards, so none can be tried out
_DIGEST: Final = "encode(sha256(convert_to({salt} || lower({column}), 'UTF8')), 'hex')"
_MASKS: Final[Mapping[Mask, str]] = {
    Mask.NAME: f"CASE WHEN {{column}} = '' THEN '' ELSE 'Name ' || left({_DIGEST}, 8) END",
    Mask.EMAIL: f"CASE WHEN {{column}} = '' THEN '' ELSE left({_DIGEST}, 16) || '@masked.invalid' END",
    Mask.TEXT: f"CASE WHEN {{column}} = '' THEN '' ELSE 'Text ' || left({_DIGEST}, 8) END",
    Mask.PASSWORD: f"'!' || left({_DIGEST}, 40)",
    Mask.JSON: "'{{}}'",
    Mask.SLUG_OF_OWN: f"CASE WHEN is_builtin THEN {{column}} ELSE 'role-' || left({_DIGEST}, 8) END",
    Mask.LABEL_OF_OWN: f"CASE WHEN is_builtin THEN {{column}} ELSE 'Role ' || left({_DIGEST}, 8) END",
}


@dataclass(frozen=True, slots=True)
class Table:
    """A table that travels, with the names and types of the columns that do."""

    name: str
    columns: Mapping[str, str]
    rule: Carried


def carried_rules() -> dict[str, Carried]:
    """Return the tables that travel, in their order."""
    return {name: rule for name, rule in settings.ARCHIVE_TABLES.items() if isinstance(rule, Carried)}


def left_out() -> dict[str, str]:
    """Return the tables that stay, and why."""
    return {name: rule.why for name, rule in settings.ARCHIVE_TABLES.items() if isinstance(rule, LeftOut)}


def read_tables(cursor: CursorWrapper) -> list[Table]:
    """Return the current schema's tables that travel."""
    cursor.execute(_COLUMNS)
    columns: dict[str, dict[str, str]] = {}
    for table, column, kind in cursor.fetchall():
        columns.setdefault(str(table), {})[str(column)] = str(kind)
    return [
        Table(name, {column: kind for column, kind in columns[name].items() if column not in rule.anew}, rule)
        for name, rule in carried_rules().items()
        if name in columns  # a schema that waits for its migrations may lack one
    ]


def count_rows(cursor: CursorWrapper, table: Table) -> int:
    """Return how many rows there are."""
    cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table.name)))
    row = cursor.fetchone()
    return int(row[0]) if row else 0


def new_salt() -> str:
    """Return what makes the replacements of one masked archive its own."""
    return secrets.token_hex(16)


def read_rows(cursor: CursorWrapper, table: Table, *, salt: str = "") -> Iterator[bytes]:
    """Yield the table's rows in pieces of whole lines; with a `salt`, masked."""
    parts = [
        sql.SQL("{} AS {}").format(_value(table, column, salt), sql.Identifier(column)) for column in table.columns
    ]
    statement = sql.SQL("COPY (SELECT row_to_json(r)::text FROM (SELECT {} FROM {}) r) TO STDOUT").format(
        sql.SQL(", ").join(parts), sql.Identifier(table.name)
    )
    waiting = bytearray()
    with cursor.copy(statement) as copy:
        copy.set_types(["text"])
        for (line,) in copy.rows():
            row = line.encode() + b"\n"
            if len(row) > MAX_ROW_BYTES:
                raise RowTooLong(table=table.name, limit=MAX_ROW_BYTES)
            if waiting and len(waiting) + len(row) > CHUNK_BYTES:
                yield bytes(waiting)
                waiting.clear()
            waiting += row
    if waiting:
        yield bytes(waiting)


def _value(table: Table, column: str, salt: str) -> sql.Composable:
    name = sql.Identifier(column)
    mask = table.rule.columns.get(column, Mask.PLAIN)
    if salt and mask is not Mask.PLAIN:
        return sql.SQL(_MASKS[mask]).format(column=name, salt=sql.Literal(salt))
    return sql.SQL("{}::text").format(name) if _is_json(table.columns[column]) else name


def _is_json(kind: str) -> bool:
    return kind.removesuffix("[]") in ("json", "jsonb")


def empty_tables(cursor: CursorWrapper, tables: list[Table]) -> None:
    """Remove every row of what travels, and what refers to it; identities begin anew."""
    names = sql.SQL(", ").join(sql.Identifier(table.name) for table in tables)
    cursor.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(names))


def load_rows(cursor: CursorWrapper, table: Table, lines: bytes) -> int:
    """Insert rows that `read_rows` gave and return how many. Raises ArchiveRefused if a line is not one row."""
    rows = lines.decode().removesuffix("\n").split("\n")
    wanted = [sql.Identifier(column) for column in table.columns]
    types = [
        sql.SQL("{} {}").format(name, sql.SQL("text" if _is_json(kind) else kind))
        for name, kind in zip(wanted, table.columns.values(), strict=True)
    ]
    values = [
        sql.SQL("r.{}::{}").format(name, sql.SQL(kind))
        for name, kind in zip(wanted, table.columns.values(), strict=True)
    ]
    anew = table.rule.anew
    statement = sql.SQL(
        "INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE"
        " SELECT {values} FROM json_to_recordset(%s::json) AS r({types})"
    ).format(
        table=sql.Identifier(table.name),
        names=sql.SQL(", ").join([*wanted, *map(sql.Identifier, anew)]),
        values=sql.SQL(", ").join([*values, *map(sql.Literal, anew.values())]),
        types=sql.SQL(", ").join(types),
    )
    cursor.execute(statement, ["[" + ",".join(rows) + "]"])
    if cursor.rowcount != len(rows):
        raise ArchiveRefused(reason=_("the rows of %(table)s are not as they were counted") % {"table": table.name})
    return len(rows)


def set_identities(cursor: CursorWrapper, tables: list[Table]) -> None:
    """Let every identity go on behind the highest value that was loaded."""
    cursor.execute(_IDENTITIES)
    names = {table.name for table in tables}
    for table, column in cursor.fetchall():
        if table in names:
            statement = sql.SQL(
                "SELECT setval(pg_get_serial_sequence({text}, {column_text}), max({column})) FROM {table}"
                " HAVING max({column}) IS NOT NULL"
            ).format(
                text=sql.Literal(sql.Identifier(table).as_string(None)),
                column_text=sql.Literal(column),
                column=sql.Identifier(column),
                table=sql.Identifier(table),
            )
            cursor.execute(statement)
