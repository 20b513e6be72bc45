"""Tables split by time: makes the partitions of the coming months or days before rows for them arrive.

Rows that came too early or too late stand in the default partition; a partition made afterwards takes its rows from there.
"""

from datetime import UTC, datetime, timedelta
from typing import Literal

from django.db.backends.utils import CursorWrapper
from psycopg import sql

from core.tenancy.names import identifier

Period = Literal["day", "month"]


def ensure_partitions(cursor: CursorWrapper, *, table: str, period: Period, now: datetime, ahead: int) -> list[str]:
    """Make the partitions of the current and the next `ahead` periods in the current schema; return the new ones' names.

    Runs as the owner, inside a transaction of the caller. Safe to repeat.
    """
    made = []
    start = _start_of(period, now.astimezone(UTC))
    for _ in range(ahead + 1):
        end = _next(period, start)
        name = identifier(f"{table}_{start:%Y%m%d}" if period == "day" else f"{table}_{start:%Y%m}")
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [f'"{name}"'])
        row = cursor.fetchone()
        if not (row and row[0]):
            _make(cursor, table, name, start, end)
            made.append(name)
        start = end
    return made


def _make(cursor: CursorWrapper, table: str, name: str, start: datetime, end: datetime) -> None:
    """Fill a new table with what the default partition holds of its range, then attach it."""
    key = _partition_key(cursor, table)
    parts = {
        "table": sql.Identifier(table),
        "name": sql.Identifier(name),
        "default": sql.Identifier(f"{table}_default"),
        "key": sql.Identifier(key),
        "start": sql.Literal(start.isoformat()),
        "end": sql.Literal(end.isoformat()),
    }
    for statement in (
        "CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)",
        (
            "WITH moved AS ("
            "DELETE FROM {default} WHERE {key} >= {start} AND {key} < {end} RETURNING *)"
            " INSERT INTO {name} SELECT * FROM moved"
        ),
        "ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({start}) TO ({end})",
    ):
        cursor.execute(sql.SQL(statement).format(**parts))


def _partition_key(cursor: CursorWrapper, table: str) -> str:
    cursor.execute(
        "SELECT a.attname FROM pg_partitioned_table p"
        " JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]"
        " WHERE p.partrelid = to_regclass(%s)",
        [f'"{table}"'],
    )
    row = cursor.fetchone()
    if row is None:
        raise LookupError(f"{table} is no partitioned table of this schema")
    return str(row[0])


def _start_of(period: Period, moment: datetime) -> datetime:
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight if period == "day" else midnight.replace(day=1)


def _next(period: Period, start: datetime) -> datetime:
    if period == "day":
        return start + timedelta(days=1)
    return start.replace(year=start.year + 1, month=1) if start.month == 12 else start.replace(month=start.month + 1)
