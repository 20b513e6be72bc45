"""Reads a schema's DDL from PostgreSQL's catalogue as one string without the schema's name.

The string is replayed with `search_path` set to the new schema, so nothing has to be replaced in it. It knows tables,
partitions, columns, identities, constraints and indexes: what migrations of this product make. Another kind of object
stops it, so that a template never becomes a tenant that lacks something.
"""

from dataclasses import dataclass
from typing import NamedTuple

from django.db.backends.utils import CursorWrapper
from psycopg import sql


class UnknownObject(RuntimeError):
    """The schema holds a kind of object that the reader would lose."""


@dataclass(frozen=True)
class SchemaText:
    """What a schema is made from."""

    ddl: str
    rows: str
    table_count: int


_TABLES = """
    SELECT c.oid, c.relname, pg_get_partkeydef(c.oid),
           parent.relname, pg_get_expr(c.relpartbound, c.oid, true)
    FROM pg_class c
    LEFT JOIN pg_inherits i ON i.inhrelid = c.oid AND c.relispartition
    LEFT JOIN pg_class parent ON parent.oid = i.inhparent
    WHERE c.relnamespace = %(schema)s::regnamespace AND c.relkind IN ('r', 'p')
    ORDER BY c.relispartition, c.relname
"""
_COLUMNS = """
    SELECT a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
           pg_get_expr(d.adbin, d.adrelid, true),
           CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END
    FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE c.relnamespace = %(schema)s::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attrelid, a.attnum
"""
_CONSTRAINTS = """
    SELECT c.relname, k.conname, pg_get_constraintdef(k.oid, true)
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
    WHERE k.connamespace = %(schema)s::regnamespace AND k.contype IN ('p', 'u', 'c', 'x', 'f')
      AND k.conparentid = 0 AND NOT (c.relispartition AND NOT k.conislocal)
    ORDER BY k.contype = 'f', k.contype = 'c', c.relname, k.conname
"""
_INDEXES = """
    SELECT pg_get_indexdef(i.indexrelid, 0, true)
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid
    LEFT JOIN pg_inherits h ON h.inhrelid = i.indexrelid
    WHERE c.relnamespace = %(schema)s::regnamespace AND h.inhrelid IS NULL
      AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
    ORDER BY c.relname
"""
_UNKNOWN = """
    SELECT 'relation ' || c.relname FROM pg_class c
    WHERE c.relnamespace = %(schema)s::regnamespace AND c.relkind NOT IN ('r', 'p', 'i', 'I')
      AND NOT (c.relkind = 'S' AND EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'i'))
    UNION ALL SELECT 'function ' || proname FROM pg_proc WHERE pronamespace = %(schema)s::regnamespace
    UNION ALL SELECT 'type ' || typname FROM pg_type t WHERE typnamespace = %(schema)s::regnamespace
      AND typrelid = 0 AND typelem = 0
    UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
      WHERE c.relnamespace = %(schema)s::regnamespace AND NOT g.tgisinternal
    UNION ALL SELECT 'policy ' || polname FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
      WHERE c.relnamespace = %(schema)s::regnamespace
    UNION ALL SELECT 'rule ' || rulename FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
      WHERE c.relnamespace = %(schema)s::regnamespace AND c.relkind IN ('r', 'p')
    UNION ALL SELECT 'statistics ' || stxname FROM pg_statistic_ext WHERE stxnamespace = %(schema)s::regnamespace
    UNION ALL SELECT 'options of ' || relname FROM pg_class WHERE relnamespace = %(schema)s::regnamespace
      AND relkind IN ('r', 'p') AND (relpersistence <> 'p' OR relrowsecurity OR reloptions IS NOT NULL)
    UNION ALL SELECT 'inheritance of ' || relname FROM pg_class c WHERE relnamespace = %(schema)s::regnamespace
      AND (relispartition AND relkind = 'p'
           OR NOT relispartition AND relkind = 'r' AND EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.oid))
"""


def read_schema(cursor: CursorWrapper, schema: str) -> SchemaText:
    """Return the DDL and the rows of `schema`, whose name must be the current search path.

    Raises UnknownObject for views, functions, triggers, types, policies and whatever else it would lose.
    """
    wanted = {"schema": f'"{schema}"'}
    cursor.execute(_UNKNOWN, wanted)
    if unknown := [name for (name,) in cursor.fetchall()]:
        raise UnknownObject(f"{schema} holds what the template can't carry: {', '.join(sorted(unknown))}")
    cursor.execute(_COLUMNS, wanted)
    columns: dict[int, list[str]] = {}
    for oid, *column in cursor.fetchall():
        columns.setdefault(oid, []).append(_column(Column(*column)))
    cursor.execute(_TABLES, wanted)
    tables = cursor.fetchall()
    statements = [_table(name, columns[oid], key) for oid, name, key, parent, _ in tables if parent is None]
    cursor.execute(_CONSTRAINTS, wanted)
    constraints = [_constraint(*row) for row in cursor.fetchall()]
    statements += [text for text in constraints if " FOREIGN KEY " not in text]
    statements += [_partition(name, parent, bound) for _, name, _, parent, bound in tables if parent is not None]
    cursor.execute(_INDEXES, wanted)
    # PostgreSQL writes ONLY for a partitioned table's index, which would leave its partitions without and it invalid
    statements += [definition.replace(" ON ONLY ", " ON ", 1) for (definition,) in cursor.fetchall()]
    statements += [text for text in constraints if " FOREIGN KEY " in text]
    names = [name for _, name, _, parent, _ in tables if parent is None]
    return SchemaText(ddl=";\n".join(statements) + ";\n", rows=_rows(cursor, names), table_count=len(names))


def _quoted(name: str) -> str:
    return sql.Identifier(name).as_string(None)


class Column(NamedTuple):
    """A column as the catalogue has it."""

    name: str
    kind: str
    not_null: bool
    identity: str
    generated: str
    default: str | None
    collation: str | None


GENERATED = {"s": "STORED", "v": "VIRTUAL"}


def _column(column: Column) -> str:
    parts = [_quoted(column.name), column.kind]
    if column.collation:
        parts.append(f"COLLATE {column.collation}")
    if column.identity:
        parts.append("GENERATED ALWAYS AS IDENTITY" if column.identity == "a" else "GENERATED BY DEFAULT AS IDENTITY")
    elif column.generated:
        parts.append(f"GENERATED ALWAYS AS ({column.default}) {GENERATED[column.generated]}")
    elif column.default is not None:
        parts.append(f"DEFAULT {column.default}")
    return " ".join([*parts, "NOT NULL"] if column.not_null else parts)


def _table(name: str, columns: list[str], partition_key: str | None) -> str:
    suffix = f" PARTITION BY {partition_key}" if partition_key else ""
    return f"CREATE TABLE {_quoted(name)} ({', '.join(columns)}){suffix}"


def _partition(name: str, parent: str, bound: str) -> str:
    return f"CREATE TABLE {_quoted(name)} PARTITION OF {_quoted(parent)} {bound}"


def _constraint(table: str, name: str, definition: str) -> str:
    return f"ALTER TABLE {_quoted(table)} ADD CONSTRAINT {_quoted(name)} {definition}"


def _rows(cursor: CursorWrapper, tables: list[str]) -> str:
    """Return INSERTs for all rows, types and all, by way of JSON; and each identity set behind its last value."""
    texts = []
    for table in tables:
        name = _quoted(table)
        cursor.execute(f"SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]')::text, count(*) FROM {name} t")  # noqa: S608 - quoted
        row = cursor.fetchone()
        if not row or not row[1]:
            continue
        literal = sql.Literal(row[0]).as_string(cursor.connection)
        texts.append(f"INSERT INTO {name} SELECT * FROM jsonb_populate_recordset(NULL::{name}, {literal});")  # noqa: S608
        texts += _identity_positions(cursor, table)
    return "\n".join(texts)


def _identity_positions(cursor: CursorWrapper, table: str) -> list[str]:
    cursor.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attidentity <> ''", [_quoted(table)]
    )
    statement = sql.SQL("SELECT setval(pg_get_serial_sequence({text}, {column_text}), max({column})) FROM {table};")
    return [
        statement.format(
            text=sql.Literal(_quoted(table)),
            column_text=sql.Literal(column),
            column=sql.Identifier(column),
            table=sql.Identifier(table),
        ).as_string(cursor.connection)
        for (column,) in cursor.fetchall()
    ]
