"""Statements that go past Django's and psycopg's layers: for the few constant ones that are sent most (ADR 39, ADR 44)."""

import re
import secrets
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from psycopg import Connection
from psycopg import OperationalError as PsycopgOperationalError
from psycopg.errors import InvalidSqlStatementName, error_from_result
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGconn, PGresult

_prepared: "WeakKeyDictionary[Connection[Any], dict[str, bytes]]" = WeakKeyDictionary()  # names of statements
_PLACE = re.compile(r"\$[0-9]+")


class PlainStatements:
    """What a database wrapper gains by it. Mixed into ours, whose guards hold for these statements, too."""

    def execute_plainly(
        self: Any, statement: str, values: Sequence[str | None], *, prepared: bool = True
    ) -> list[tuple[str | None, ...]]:
        """Send a statement with values for $1, $2 and so on as text, and return its rows, if it has any, as text.

        The layers take longer than PostgreSQL does. It is prepared once for a connection, which takes planning away; not so
        for one on tenants' tables, which differ. Where somebody looks on, at queries or around them, it takes the usual way.
        """
        self.ensure_connection()
        if not (self.queries_logged or self.execute_wrappers):
            self.validate_no_broken_transaction()
            with self.wrap_database_errors:
                self.before_statement(statement)
                if self._begin_plainly():
                    sent = [None if value is None else value.encode() for value in values]
                    return _rows(self._send_plainly(statement, sent, prepared))
        with self.cursor() as cursor:
            cursor.execute(_PLACE.sub("%s", statement), values)
            found = cursor.fetchall() if cursor.description else []
        return [tuple(None if value is None else str(value) for value in row) for row in found]

    def _begin_plainly(self: Any) -> bool:
        """Open the transaction that is due, and say whether that could be done without psycopg."""
        if self._has_to_begin():
            if self.connection.isolation_level is not None:
                return False
            obeyed(self.connection.pgconn, self.connection.pgconn.exec_(b"BEGIN"))
        return True

    def _send_plainly(self: Any, statement: str, values: list[bytes | None], prepared: bool) -> PGresult:
        pgconn = self.connection.pgconn
        is_shared = self._own_options.get("transaction_pooling")  # the next transaction may be another connection's
        if is_shared or not prepared:
            return obeyed(pgconn, pgconn.exec_params(statement.encode(), values))
        names = _prepared.setdefault(self.connection, {})
        if statement not in names:
            name = f"plain_{secrets.token_hex(4)}".encode()
            obeyed(pgconn, pgconn.prepare(name, statement.encode()))
            names[statement] = name
        try:
            return obeyed(pgconn, pgconn.exec_prepared(names[statement], values))
        except InvalidSqlStatementName:  # somebody has deallocated it, and surely not alone
            names.clear()
            raise


def obeyed(pgconn: PGconn, result: PGresult) -> PGresult:
    """Return the result, or raise what PostgreSQL says of it."""
    if result.status in (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK):
        return result
    error = error_from_result(result, encoding="utf-8")
    if pgconn.status == ConnStatus.BAD and not isinstance(error, PsycopgOperationalError):
        raise PsycopgOperationalError(str(error))  # a server that died says no code by which psycopg would know
    raise error


def _rows(result: PGresult) -> list[tuple[str | None, ...]]:
    columns = range(result.nfields)
    return [tuple(_text_in(result, row, column) for column in columns) for row in range(result.ntuples)]


def _text_in(result: PGresult, row: int, column: int) -> str | None:
    value = result.get_value(row, column)
    return None if value is None else value.decode()
