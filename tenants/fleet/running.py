"""Runs segments in one tenant's schema. One lane is one thread's connections.

A statement waits for its locks a share of `lock_timeout_s`: all waits of a transaction together are not longer, and so
nobody who queues behind it waits longer because of it.
"""

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any

import psycopg
from django.db import connections, transaction
from django.db.backends.postgresql.schema import DatabaseSchemaEditor
from psycopg import sql

from core.tenancy import TenantRef, enter
from core.tenancy.backend.plain import obeyed
from core.tenancy.names import OWNER_ROLE
from tenants.fleet.models import TenantRecord
from tenants.fleet.plans import Script, Segment
from tenants.fleet.states import MigrationKey, read_applied
from tenants.schemas.making import OPS, grant_restrictions

TURN_LOCK = 0x706C_6578  # the first half of the key of a tenant's advisory lock
CONCURRENT_WAIT_S = 60.0  # CONCURRENTLY waits for every older transaction of the database, and blocks nobody meanwhile
_CONCURRENT = re.compile(
    r"\b(CREATE|DROP)\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?(\S+)", re.IGNORECASE
)

_FORGOTTEN = sql.SQL(
    "UPDATE public.fleet_tenantrecord SET reached_migration = '', reached_statement = 0, reached_digest = ''"
    " WHERE tenant_id = {} AND reached_migration = {};\n"
)
_REACHED = sql.SQL(
    "UPDATE public.fleet_tenantrecord SET reached_migration = {}, reached_statement = {}, reached_digest = {}"
    " WHERE id = {};\n"
)


class _Writer(DatabaseSchemaEditor):
    """Runs statements, and writes down each as it was sent."""

    def __init__(self, connection: Any, written: list[str]) -> None:
        self._written = written
        super().__init__(connection, atomic=True)

    def execute(self, statement: Any, params: Any = ()) -> None:
        text = str(statement)
        if params is not None:
            text = self.connection.ops.compose_sql(text, params)
        self._written.append(text)
        super().execute(text, params=None)


class Lane:
    """A connection of its own for texts, and this thread's `ops` for what Django runs."""

    def __init__(self, *, lock_timeout_s: float) -> None:
        self._lock_timeout_s = lock_timeout_s
        self._raw: psycopg.Connection[Any] | None = None
        self._opening = threading.Lock()
        self._opener: threading.Thread | None = None

    def open_soon(self) -> None:
        """Connect while this thread goes on; if that fails, the first text tries again."""
        if self._opener is None:
            self._opener = threading.Thread(target=self._try_open, name="fleet-connect", daemon=True)
            self._opener.start()

    def _try_open(self) -> None:
        with suppress(psycopg.Error):
            self.raw  # noqa: B018 - opens it

    def close(self) -> None:
        """Close the connection for texts; the lane may be used again."""
        if self._opener is not None:
            self._opener.join()
            self._opener = None
        with self._opening:
            if self._raw is not None:
                self._raw.close()
                self._raw = None

    @property
    def raw(self) -> psycopg.Connection[Any]:
        """The connection for texts, as the owner of the tables."""
        with self._opening:
            if self._raw is None or self._raw.closed:
                self._raw = connect(role=OWNER_ROLE)
            return self._raw

    def ask(self, query: sql.Composed) -> list[tuple[Any, ...]]:
        """Return what a query finds."""
        return self.raw.execute(query).fetchall()

    def applied(self, ref: TenantRef) -> frozenset[MigrationKey]:
        """Return which migrations the tenant has now."""
        with connections[OPS].cursor() as cursor:
            return read_applied(cursor, ref.schema)

    def run(self, segment: Segment, ref: TenantRef, record: TenantRecord, *, last: bool) -> None:
        """Bring the tenant past one segment; with the last one its record says done, in the same transaction."""
        after = _after(segment, ref, record, last=last)
        if segment.kind == "stepwise":
            self._run_stepwise(segment, ref, record, after)
        elif segment.kind == "django":
            self._run_by_django(segment, ref, after)
        elif segment.script is None:
            with segment.writing:
                if segment.script is None:
                    self._write_down(segment, ref, after)
                    return
            self._replay(segment.script, ref, after)
        else:
            self._replay(segment.script, ref, after)

    # -- ways

    def _write_down(self, segment: Segment, ref: TenantRef, after: str) -> None:
        written: list[str] = []
        with self._as_django(ref, segment):
            state = segment.near_state()
            state.apps  # noqa: B018 - rendered now, operations change the copy; else each renders all models twice
            for migration in segment.migrations:
                with _Writer(connections[OPS], written) as editor:
                    state = migration.apply(state, editor)
            _execute(after)
        segment.script = Script(tuple(written))

    def _replay(self, script: Script, ref: TenantRef, after: str) -> None:
        """Send all of it in one message, past psycopg's layers: they take longer than libpq, once for each tenant."""
        text = f"{_opening(ref, self._share_ms(script.table_count))}{script.text}{after}COMMIT"
        raw = self.raw
        try:
            obeyed(raw.pgconn, raw.pgconn.exec_(text.encode()))
        except psycopg.Error:
            if not raw.closed:
                raw.rollback()
            raise

    def _run_by_django(self, segment: Segment, ref: TenantRef, after: str) -> None:
        (migration,) = segment.migrations
        with segment.writing:
            segment.state.apps  # noqa: B018 - rendered once, for all tenants' copies
        around = self._as_django(ref, segment) if migration.atomic else enter(ref)
        with around:
            with connections[OPS].schema_editor(atomic=migration.atomic) as editor:
                migration.apply(segment.state.clone(), editor)
            _execute(after)

    def _run_stepwise(self, segment: Segment, ref: TenantRef, record: TenantRecord, after: str) -> None:
        """Run statement by statement, from the one that was reached before.

        Ordinary statements are committed together with the ledger. CONCURRENTLY allows no transaction: what such a
        statement left behind is looked at before it is sent again.
        """
        (name,) = (f"{app}.{name}" for app, name in segment.keys)
        newest = _newest_reached(record, name)
        statements = _collect(segment, ref) if newest else _collect_once(segment, ref)
        begin = _statements_behind(newest, statements)
        for position, statement in enumerate(statements[begin:], begin + 1):
            reached = _reached_text(record, name, statements[:position])
            concurrent = _CONCURRENT.search(statement)
            if concurrent is None:
                self._replay(Script((statement,)), ref, reached)
                continue
            self._run_concurrent(concurrent.group(1).upper(), concurrent.group(2).rstrip(";"), statement, ref)
            self.raw.execute(reached.encode())
        self._replay(Script(()), ref, _forgotten_text(record, name) + after)

    def _run_concurrent(self, verb: str, index: str, statement: str, ref: TenantRef) -> None:
        with self._outside_transaction(ref) as connection:
            row = connection.execute(
                "SELECT i.indisvalid FROM pg_index i WHERE i.indexrelid = to_regclass(%s)", [index]
            ).fetchone()
            if verb == "CREATE" and row is not None:
                if row[0]:
                    return
                connection.execute(f"DROP INDEX CONCURRENTLY {index}".encode())
            if verb == "CREATE" or row is not None:
                connection.execute(statement.encode())

    @contextmanager
    def _outside_transaction(self, ref: TenantRef) -> Iterator[psycopg.Connection[Any]]:
        connection = self.raw
        set_up = sql.SQL("SET search_path = {}; SET lock_timeout = {}").format(
            sql.Identifier(ref.schema), sql.Literal(f"{CONCURRENT_WAIT_S * 1000:.0f}ms")
        )
        connection.execute(set_up)
        try:
            yield connection
        finally:
            if not connection.closed:
                connection.execute("SET search_path = public; RESET lock_timeout")

    @contextmanager
    def _as_django(self, ref: TenantRef, segment: Segment) -> Iterator[None]:
        """One transaction of this thread's `ops` in the tenant's schema."""
        with enter(ref), transaction.atomic(using=OPS):
            _execute(f"SET LOCAL lock_timeout = '{self._share_ms(segment.table_count)}ms'; {_turn_lock(ref)};")
            yield

    def _share_ms(self, table_count: int) -> int:
        return max(10, round(self._lock_timeout_s * 1000 / max(1, table_count)))


def connect(*, role: str | None = None) -> psycopg.Connection[Any]:
    """Open a connection over the operations login, which leads straight to PostgreSQL."""
    params = connections[OPS].get_connection_params()
    del params["cursor_factory"]
    connection = psycopg.connect(**params, autocommit=True)
    if role:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
    return connection


def _execute(text: str) -> None:
    if text:
        with connections[OPS].cursor() as cursor:
            cursor.execute(text)


def _opening(ref: TenantRef, wait_ms: int) -> str:
    path = f"SET LOCAL search_path = {_name(ref.schema)}"
    return f"BEGIN; {path}; SET LOCAL lock_timeout = '{wait_ms}ms'; {_turn_lock(ref)};\n"


def _turn_lock(ref: TenantRef) -> str:
    """Return what keeps off another process: a backend goes on for a moment after its client was killed."""
    return f"SELECT pg_advisory_xact_lock({TURN_LOCK}, hashtext({_literal(ref.schema)}))"


def _after(segment: Segment, ref: TenantRef, record: TenantRecord, *, last: bool) -> str:
    """Return what ends a segment: rows of `django_migrations`, rights of new tables, the ledger."""
    text = _recorded(tuple(segment.records))
    if segment.kind == "django" or segment.script is None or segment.script.makes_table:
        text += grant_restrictions(ref.role, unless_missing=True).as_string(None)
    return text + _done(record) if last else text


@lru_cache(maxsize=100)
def _recorded(keys: tuple[MigrationKey, ...]) -> str:
    rows = ", ".join(f"({_literal(app)}, {_literal(name)}, now())" for app, name in keys)
    return f"INSERT INTO django_migrations (app, name, applied) VALUES {rows};\n" if keys else ""  # noqa: S608 - literals


def _done(record: TenantRecord) -> str:
    """Put together by hand, as a time, a number and a UUID need no quoting: this is written once for each tenant."""
    began = f"'{record.started_at.isoformat()}'" if record.started_at else "NULL"
    return (
        "UPDATE public.fleet_tenantrecord SET status = 'done', error = '', finished_at = clock_timestamp(),"  # noqa: S608
        f" started_at = {began}, attempts = {record.attempts:d} WHERE id = '{record.pk}';\n"
    )


def _literal(value: object) -> str:
    return sql.Literal(value).as_string(None)


def _name(value: str) -> str:
    return sql.Identifier(value).as_string(None)


def _collect_once(segment: Segment, ref: TenantRef) -> tuple[str, ...]:
    """Return what all tenants run that have nothing of the segment behind them.

    Django looks into the schema for names of constraints: from one that is half through it would collect only the rest.
    """
    with segment.writing:
        if segment.script is None:
            segment.script = Script(_collect(segment, ref))
        return segment.script.statements


def _collect(segment: Segment, ref: TenantRef) -> tuple[str, ...]:
    with enter(ref), connections[OPS].schema_editor(collect_sql=True, atomic=False) as editor:
        state = segment.state.clone()
        for migration in segment.migrations:
            state = migration.apply(state, editor)  # not collect_sql: Django's own comments would come along
    return tuple(text for text in editor.collected_sql or [] if text.strip())


def _digest(statements: tuple[str, ...]) -> str:
    return hashlib.sha256("\n".join(statements).encode()).hexdigest()


def _newest_reached(record: TenantRecord, migration: str) -> TenantRecord | None:
    """Return how far this tenant came with a migration, in this run or the last one that got somewhere."""
    begun = TenantRecord.objects.using(OPS).filter(tenant_id=record.tenant_id, reached_migration=migration)
    return begun.order_by("-pk").first()


def _statements_behind(newest: TenantRecord | None, statements: tuple[str, ...]) -> int:
    if newest and newest.reached_digest == _digest(statements[: newest.reached_statement]):
        return newest.reached_statement
    return 0


def _reached_text(record: TenantRecord, migration: str, behind: tuple[str, ...]) -> str:
    return _REACHED.format(migration, len(behind), _digest(behind), record.pk).as_string(None)


def _forgotten_text(record: TenantRecord, migration: str) -> str:
    """What is applied is no longer half through: a tenant that is restored from before begins at the first statement."""
    return _FORGOTTEN.format(record.tenant_id, migration).as_string(None)


def error_state(error: BaseException) -> str:
    """Return PostgreSQL's code of an error, psycopg's own or wrapped by Django, or nothing."""
    for known in (error, error.__cause__):
        if isinstance(known, psycopg.Error):
            lost = isinstance(known, psycopg.OperationalError | psycopg.InterfaceError)
            return known.sqlstate or ("08000" if lost else "")
    return ""
