"""Writes SQL that takes drift away: one transaction for each tenant, for a superuser to read and run.

Statements come in the order in which they can work: what stands in the way goes first, foreign keys come last.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from django.conf import settings
from psycopg import sql

from core.tenancy import TenantRef
from core.tenancy.names import APP_ROLE, OPS_ROLE, OWNER_ROLE
from tenants.schemas.drift import SEPARATOR, Difference, quoted

Statement = tuple[int, str]
LOSES_DATA = "-- loses data\n"
REVOCABLE = ("table", "sequence", "function", "procedure", "schema")
MAY_LOSE_DATA = "-- may lose data: look at what the cast makes of the values\n"
(
    ROLE,
    OWNER,
    OBJECT,
    CONSTRAINT_AWAY,
    INDEX_AWAY,
    AWAY,
    TABLE,
    COLUMN,
    SEQUENCE,
    CONSTRAINT,
    INDEX,
    FOREIGN_KEY,
    RIGHT,
) = range(13)


def repair_script(drift: Iterable[Difference]) -> str:
    """Return the whole script; nothing but a comment if there is no drift."""
    parts = [
        "\n".join(["BEGIN;", *_statements(ref, list(some)), "COMMIT;"])
        for ref, some in groupby(sorted(drift, key=lambda one: one.tenant.schema), key=lambda one: one.tenant)
    ]
    return "\n\n".join(parts) if parts else "-- no drift"


def _statements(ref: TenantRef, drift: list[Difference]) -> Iterator[str]:
    yield f"-- {ref.slug}"
    yield f"SET LOCAL search_path = {quoted(ref.schema)};"
    found = sorted(
        (pair for one in drift if not _follows_parent(one, drift) for pair in _repair(one, drift)), key=lambda p: p[0]
    )
    for phase, text in found:
        if phase <= OWNER:
            yield text
    yield f"SET LOCAL ROLE {OWNER_ROLE};"
    for phase, text in found:
        if phase > OWNER:
            yield text


def _repair(one: Difference, drift: list[Difference]) -> Iterator[Statement]:
    kind = one.kind.partition(":")[0]
    return _REPAIRS[kind](one, drift)


def _follows_parent(one: Difference, drift: list[Difference]) -> bool:
    """Say whether a partition gets its column from the table above it."""
    parent = one.table.removesuffix("_default")
    if one.kind != "column" or parent == one.table or parent not in settings.PARTITIONED_TABLES["tenant"]:
        return False
    return any((two.kind, two.table, two.name) == ("column", parent, one.name) for two in drift)


def _is_missing_table(table: str, drift: list[Difference]) -> bool:
    return any(two.kind == "table" and two.table == table and not two.found for two in drift)


def _is_extra_table(table: str, drift: list[Difference]) -> bool:
    return any(two.kind == "table" and two.table == table and not two.wanted for two in drift)


class _Column(NamedTuple):
    kind: str
    collation: str
    not_null: str
    identity: str
    generated: str
    default: str

    def text(self, name: str) -> str:
        """Return it as in CREATE TABLE."""
        parts = [quoted(name), self.type]
        if self.identity:
            parts.append(_identity(self.identity))
        elif self.generated:
            parts.append(f"GENERATED ALWAYS AS ({self.default}) {'STORED' if self.generated == 's' else 'VIRTUAL'}")
        elif self.default:
            parts.append(f"DEFAULT {self.default}")
        return " ".join([*parts, "NOT NULL"] if self.not_null == "t" else parts)

    @property
    def type(self) -> str:
        return f"{self.kind} COLLATE {self.collation}" if self.collation else self.kind


def _identity(code: str) -> str:
    return f"GENERATED {'ALWAYS' if code == 'a' else 'BY DEFAULT'} AS IDENTITY"


def _column_of(definition: str) -> _Column:
    return _Column(*definition.split(SEPARATOR))


class _Table(NamedTuple):
    kind: str
    persistence: str
    secured: str
    forced: str
    key: str
    bound: str
    parent: str
    options: str


def _table(one: Difference, drift: list[Difference]) -> Iterator[Statement]:
    name = quoted(one.table)
    if not one.wanted:
        yield AWAY, f"{LOSES_DATA}DROP TABLE {name} CASCADE;"
        return
    wanted = _Table(*one.wanted.split(SEPARATOR))
    if not one.found:
        columns = [two for two in drift if two.kind == "column" and two.table == one.table]
        inside = ", ".join(_column_of(two.wanted).text(two.name) for two in columns)
        text = f"CREATE TABLE {name} ({inside})" + (f" PARTITION BY {wanted.key}" if wanted.key else "")
        part = f"CREATE TABLE {name} PARTITION OF {quoted(wanted.parent)} {wanted.bound};"
        yield TABLE, (part if wanted.bound else f"{text};")
        yield TABLE + bool(wanted.bound), f"REVOKE ALL ON {name} FROM {quoted(one.tenant.role)};"
        return
    found = _Table(*one.found.split(SEPARATOR))
    yield from ((TABLE, f"ALTER TABLE {name} {change};") for change in _table_changes(found, wanted))


def _table_changes(found: _Table, wanted: _Table) -> Iterator[str]:
    if found.persistence != wanted.persistence:
        yield "SET LOGGED" if wanted.persistence == "p" else "SET UNLOGGED"
    if found.secured != wanted.secured:
        yield "ENABLE ROW LEVEL SECURITY" if wanted.secured == "t" else "DISABLE ROW LEVEL SECURITY"
    if found.forced != wanted.forced:
        yield "FORCE ROW LEVEL SECURITY" if wanted.forced == "t" else "NO FORCE ROW LEVEL SECURITY"
    if found.options != wanted.options:
        names = re.findall(r"([a-z_.]+)=", found.options)
        yield f"RESET ({', '.join(names)})"
    if (found.key, found.bound) != (wanted.key, wanted.bound):
        how = wanted.key or wanted.bound or "not partitioned"
        yield f"is partitioned otherwise: make it anew by hand ({how})"


def _column(one: Difference, drift: list[Difference]) -> Iterator[Statement]:
    if _is_missing_table(one.table, drift) or _is_extra_table(one.table, drift):
        return
    table, name = f"ALTER TABLE {quoted(one.table)}", quoted(one.name)
    if not one.wanted:
        yield AWAY, f"{LOSES_DATA}{table} DROP COLUMN {name} CASCADE;"
        return
    wanted = _column_of(one.wanted)
    if not one.found:
        filled = wanted.not_null == "t" and not (wanted.default or wanted.identity or wanted.generated)
        note = (
            "-- refused while the table has rows: add it without NOT NULL then, fill it, SET NOT NULL\n"
            if filled
            else ""
        )
        yield COLUMN, f"{note}{table} ADD COLUMN {wanted.text(one.name)};"
        return
    found = _column_of(one.found)
    if (found.generated, wanted.generated) != ("", "") and found != wanted:
        yield COLUMN, f"{LOSES_DATA}{table} DROP COLUMN {name} CASCADE, ADD COLUMN {wanted.text(one.name)};"
        return
    for change in _column_changes(found, wanted, name):
        note = MAY_LOSE_DATA if " USING " in change else ""
        yield COLUMN, f"{note}{table} ALTER COLUMN {name} {change};"
    if wanted.identity and not found.identity:
        yield SEQUENCE, _behind_the_last(one.table, one.name)


def _behind_the_last(table: str, column: str) -> str:
    """Return what sets a new identity behind the rows that are there."""
    return (
        sql.SQL(
            "SELECT setval(pg_get_serial_sequence({text}, {word}), coalesce(max({column}), 0) + 1, false) FROM {table};"
        )
        .format(
            text=sql.Literal(quoted(table)),
            word=sql.Literal(column),
            column=sql.Identifier(column),
            table=sql.Identifier(table),
        )
        .as_string(None)
    )


def _column_changes(found: _Column, wanted: _Column, name: str) -> Iterator[str]:
    if found.default and found.default != wanted.default:
        yield "DROP DEFAULT"
    if found.identity and not wanted.identity:
        yield "DROP IDENTITY"
    if found.type != wanted.type:
        # without USING what does not fit is refused; a cast would cut it off
        same = found.kind.partition("(")[0] == wanted.kind.partition("(")[0]
        yield f"TYPE {wanted.type}" + ("" if same else f" USING {name}::{wanted.kind}")
    if found.not_null != wanted.not_null:
        yield "SET NOT NULL" if wanted.not_null == "t" else "DROP NOT NULL"
    if wanted.identity and not found.identity:
        yield f"ADD {_identity(wanted.identity)}"
    elif wanted.identity != found.identity and wanted.identity:
        yield f"SET GENERATED {'ALWAYS' if wanted.identity == 'a' else 'BY DEFAULT'}"
    if wanted.default and found.default != wanted.default:
        yield f"SET DEFAULT {wanted.default}"


def _constraint(one: Difference, drift: list[Difference]) -> Iterator[Statement]:
    table, name = f"ALTER TABLE {quoted(one.table)}", quoted(one.name)
    if one.found and not _is_extra_table(one.table, drift):
        takes_along = one.found.startswith(("PRIMARY KEY", "UNIQUE"))
        note = "-- takes foreign keys to it along: look for drift again afterwards\n" if takes_along else ""
        yield CONSTRAINT_AWAY, f"{note}{table} DROP CONSTRAINT {name}{' CASCADE' if takes_along else ''};"
    if one.wanted:
        phase = FOREIGN_KEY if one.wanted.startswith("FOREIGN KEY") else CONSTRAINT
        yield phase, f"{table} ADD CONSTRAINT {name} {one.wanted};"


def _index(one: Difference, drift: list[Difference]) -> Iterator[Statement]:
    if one.found and not _is_extra_table(one.table, drift):
        yield INDEX_AWAY, f"DROP INDEX {quoted(one.name)};"
    if one.wanted:
        yield INDEX, f"{one.wanted.split(SEPARATOR)[1]};"


def _sequence(one: Difference, drift: list[Difference]) -> Iterator[Statement]:
    name = quoted(one.name)
    if not one.wanted:
        yield SEQUENCE, f"DROP SEQUENCE IF EXISTS {name} CASCADE;"
    elif one.found:
        kind, start, step, least, most, cache, cycle = one.wanted.split(SEPARATOR)
        around = "CYCLE" if cycle == "t" else "NO CYCLE"
        bounds = f"START {start} INCREMENT {step} MINVALUE {least} MAXVALUE {most} CACHE {cache} {around}"
        yield SEQUENCE, f"ALTER SEQUENCE {name} AS {kind} {bounds};"  # one that is missing comes with its column


_KIND_WORDS = {"r": "TABLE", "p": "TABLE", "S": "SEQUENCE", "v": "VIEW", "m": "MATERIALIZED VIEW"}


def _owner(one: Difference, drift: list[Difference]) -> Iterator[Statement]:
    if one.name == "schema":
        yield OWNER, f"ALTER SCHEMA {quoted(one.tenant.schema)} OWNER TO {OWNER_ROLE};"
    else:
        yield OWNER, f"ALTER {_KIND_WORDS[one.name]} {quoted(one.table)} OWNER TO {OWNER_ROLE};"


def _object(one: Difference, drift: list[Difference]) -> Iterator[Statement]:
    """`name` is what kind it is, `found` its name."""
    name = one.found if one.name == "ROUTINE" else quoted(one.found)
    place = f" ON {quoted(one.table)}" if one.table else ""
    if not (one.table and _is_extra_table(one.table, drift)):
        yield OBJECT, f"DROP {one.name} {name}{place}{'' if one.table else ' CASCADE'};"


def _right(one: Difference, drift: list[Difference]) -> Iterator[Statement]:
    kind = one.kind.partition(":")[2]
    part, grantee = one.name.split(SEPARATOR)
    if kind in {"r", "p", "v", "m"} and _is_extra_table(one.table, drift):
        return
    schema = quoted(one.tenant.schema)
    if kind == "default":
        what = "TABLES" if one.table == "r" else "SEQUENCES"
        before, place = f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} ", what
    elif kind == "schema":
        before, place = "", f"SCHEMA {schema}"
    else:
        before, place = "", ("SEQUENCE " if kind == "S" else "") + quoted(one.table)
    columns = f" ({quoted(part)})" if part else ""
    if one.found:
        yield RIGHT, f"{before}REVOKE ALL{columns} ON {place} FROM {grantee};"
    if one.wanted:
        yield RIGHT, f"{before}GRANT {one.wanted} ON {place} TO {grantee};"


def _role(one: Difference, drift: list[Difference]) -> Iterator[Statement]:
    name = quoted(one.tenant.role)
    change = "ALTER" if one.found else "CREATE"
    yield ROLE, f"SET LOCAL ROLE {OPS_ROLE};"
    if not one.found:
        yield ROLE, f"CREATE ROLE {name} NOLOGIN;"
    yield ROLE, f"GRANT {name} TO {APP_ROLE} WITH SET TRUE, INHERIT FALSE;"
    yield ROLE, "RESET ROLE;"
    if change == "ALTER":
        yield ROLE, f"ALTER ROLE {name} NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB;"


def _member(one: Difference, drift: list[Difference]) -> Iterator[Statement]:
    """`found` is the member; the names come quoted from PostgreSQL."""
    group, grantor = one.name.split(SEPARATOR)
    yield ROLE, f"REVOKE {group} FROM {one.found} GRANTED BY {grantor} CASCADE;"


def _abroad(one: Difference, drift: list[Difference]) -> Iterator[Statement]:
    """`name` is what kind of thing it is, `found` the thing as PostgreSQL writes it."""
    if one.name in REVOCABLE:
        yield ROLE, f"REVOKE ALL ON {one.name.upper()} {one.found} FROM {quoted(one.tenant.role)} CASCADE;"
    yield ROLE, f"-- if it owns {one.name} {one.found}: ALTER it to another owner by hand"


_REPAIRS: dict[str, Callable[[Difference, list[Difference]], Iterator[Statement]]] = {
    "table": _table,
    "column": _column,
    "constraint": _constraint,
    "index": _index,
    "sequence": _sequence,
    "owner": _owner,
    "object": _object,
    "right": _right,
    "role": _role,
    "member": _member,
    "abroad": _abroad,
}
