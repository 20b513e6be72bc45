"""The database backend: every statement runs under the role and search path of the current tenant.

Role and path are sent together, before the first statement that needs them, and remembered for the connection. What is
remembered is forgotten wherever PostgreSQL may have undone it: rollback, rollback to a savepoint, close, check-out from
the pool. A forgotten value costs one round trip; a wrong one would show a tenant the rows of another.

OPTIONS of our own:
    owner_role           everything runs under this role, whatever the tenant (the `ops` alias: px_owner)
    transaction_pooling  PgBouncer in transaction mode: SET LOCAL, and tenants' statements only inside transactions
    paths_a_connection   one from the pool that has been on more search paths is replaced: a PostgreSQL backend keeps
                         what it learned of a schema for good
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

from django.db.backends.postgresql.base import Cursor as DjangoCursor
from django.db.backends.postgresql.base import ServerSideCursor as DjangoServerSideCursor
from django_tenants.postgresql_backend.base import DatabaseWrapper as TenantsDatabaseWrapper
from psycopg import Connection, sql
from psycopg import OperationalError as PsycopgOperationalError
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus

from core.tenancy import context, login
from core.tenancy.backend.plain import PlainStatements, obeyed
from core.tenancy.names import PUBLIC_SCHEMA, identifier
from core.tenancy.statements import check_statement

_paths: "WeakKeyDictionary[Connection[Any], set[str]]" = WeakKeyDictionary()  # where a connection has been
State = tuple[str | None, str]  # role (None: the login itself), search path


class StatementOutsideTransaction(RuntimeError):
    """With transaction pooling a tenant's statement needs a transaction: SET LOCAL would do nothing, silently."""


class _TenancyCursor:
    """Puts role and path before a statement, and looks at the statement. Mixed into psycopg's cursors."""

    tenancy: "DatabaseWrapper | None" = None  # None: the wrapper's own cursor, which sets role and path

    def execute(self, query: Any, params: Any = None, **kwargs: Any) -> Any:
        self._prepare(query)
        return super().execute(query, params, **kwargs)  # type: ignore[misc]

    def executemany(self, query: Any, params_seq: Any, **kwargs: Any) -> Any:
        self._prepare(query)
        return super().executemany(query, params_seq, **kwargs)  # type: ignore[misc]

    def stream(self, query: Any, params: Any = None, **kwargs: Any) -> Any:
        self._prepare(query)
        return super().stream(query, params, **kwargs)  # type: ignore[misc]

    def copy(self, statement: Any, params: Any = None, **kwargs: Any) -> Any:
        self._prepare(statement)
        return super().copy(statement, params, **kwargs)  # type: ignore[misc]

    def _prepare(self, query: Any) -> None:
        if self.tenancy is not None:
            self.tenancy.before_statement(query)


class TenancyCursor(_TenancyCursor, DjangoCursor):
    """Client-side cursor that follows the tenant."""


class TenancyServerSideCursor(_TenancyCursor, DjangoServerSideCursor):
    """Named cursor (`QuerySet.iterator`) that follows the tenant."""


class DatabaseWrapper(PlainStatements, TenantsDatabaseWrapper):
    """PostgreSQL, with the current tenant's role and search path."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._applied: State | None = None
        self._trusted = False
        self._as_login = False
        self._made = False
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        self._made = True

    # -- what django-tenants asks of a connection: answered from the context, settable by nobody

    @property
    def tenant(self) -> context.TenantRef | None:
        return context.current()

    @tenant.setter
    def tenant(self, value: object) -> None:
        """The context decides: what django-tenants would store here is left aside."""

    @property
    def schema_name(self) -> str:
        ref = context.current()
        return ref.schema if ref else PUBLIC_SCHEMA

    @schema_name.setter
    def schema_name(self, value: object) -> None:
        """See `tenant`."""

    def set_tenant(self, tenant: Any, include_public: bool = True) -> None:
        """Refuse: tenants are entered with `core.tenancy.enter`."""
        if self._made and tenant.schema_name != self.schema_name:  # a thread's first connection may be made inside
            raise NotImplementedError("enter tenants with core.tenancy.enter(ref)")

    def set_schema_to_public(self) -> None:
        """See `set_tenant`; django-tenants calls it for each new wrapper, which a thread may make inside a tenant."""
        if self._made:
            super().set_schema_to_public()  # type: ignore[no-untyped-call]

    def _handle_search_path(self, cursor: Any = None) -> None:
        """Nothing to do when a cursor is made: role and path follow with the statement."""

    # -- role and path

    @property
    def _own_options(self) -> dict[str, Any]:
        options: dict[str, Any] = self.settings_dict.get("TENANCY", {})
        return options

    def wanted_state(self) -> State:
        """Return the role and search path that the current context asks for on this connection."""
        ref = context.current()
        path = f'"{ref.schema}"' if ref else PUBLIC_SCHEMA
        if self._as_login:
            return None, path
        owner = self._own_options.get("owner_role")
        return owner or (ref.role if ref else None), path

    @contextmanager
    def as_login(self) -> Iterator[None]:
        """Run statements as the login itself: roles are made by px_ops, not by the owner of the tables."""
        self._as_login = True
        try:
            yield
        finally:
            self._as_login = False

    def before_statement(self, query: Any) -> None:
        """Check `query`, refuse it if the work may not go on, and bring role and search path up to date."""
        if not self._trusted:  # a savepoint is rolled back in any case
            context.ask_guard()
        if not self._trusted and not self._own_options.get("owner_role"):
            check_statement(query if isinstance(query, str) else _as_text(query))
        wanted = self.wanted_state()
        if self._own_options.get("transaction_pooling"):
            self._apply_in_transaction(wanted)
        elif wanted != self._applied and not self._in_failed_transaction():
            self._send(wanted, local=False)

    def _apply_in_transaction(self, wanted: State) -> None:
        if self.get_autocommit():
            if wanted != (None, PUBLIC_SCHEMA):
                raise StatementOutsideTransaction(
                    "open a transaction: the connection pool keeps no role between statements"
                )
            return
        if wanted != self._applied and not self._in_failed_transaction():
            self._send(wanted, local=True)

    def _send(self, state: State, *, local: bool) -> None:
        statement = _statement_for(state, local)
        self._applied = None
        connection = self.connection
        _paths.setdefault(connection, set()).add(state[1])
        if self._has_to_begin():
            if connection.isolation_level is not None:  # psycopg knows how to begin then
                with connection.cursor() as cursor:
                    cursor.execute(statement)
                self._applied = state
                return
            statement = b"BEGIN; " + statement  # one round trip, not two
        # a cursor of psycopg costs more than PostgreSQL takes to obey
        obeyed(connection.pgconn, connection.pgconn.exec_(statement))
        self._applied = state

    def _has_to_begin(self) -> bool:
        connection = self.connection
        return not connection.autocommit and connection.info.transaction_status == TransactionStatus.IDLE

    def _in_failed_transaction(self) -> bool:
        """In a failed transaction every statement fails anyway, and SET with them."""
        if self.connection is None:
            return False
        return bool(self.connection.info.transaction_status == TransactionStatus.INERROR)

    def forget(self) -> None:
        """Send role and path anew with the next statement."""
        self._applied = None

    # -- where PostgreSQL may have undone what was set

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Take a connection from the pool and greet it with role and path: one round trip, which tells too if it lives."""
        self.forget()
        pool: Any = self.pool
        if not pool:
            return super().get_new_connection(conn_params)
        for _ in range(pool.max_size):
            connection = super().get_new_connection(conn_params)
            if self._greet(connection):
                return connection
            connection.close()
            pool.putconn(connection)
        return super().get_new_connection(conn_params)

    def _greet(self, connection: Any) -> bool:
        """Say whether the connection is alive, and leave it in the current context's role and path."""
        wanted = None if self._own_options.get("transaction_pooling") else self.wanted_state()
        if wanted:
            _paths.setdefault(connection, set()).add(wanted[1])
        try:
            result = connection.pgconn.exec_(_statement_for(wanted, False) if wanted else b"")
        except PsycopgOperationalError:
            return False
        if result.status == ExecStatus.COMMAND_OK:
            self._applied = wanted
        return bool(connection.pgconn.status == ConnStatus.OK)

    def init_connection_state(self) -> None:
        super().init_connection_state()
        try:
            if not self._own_options.get("transaction_pooling"):
                login.refuse_pooler(self.connection, self.alias)
            if not self._own_options.get("owner_role"):
                login.look_once(self.connection)
        except BaseException:
            self.close()  # type: ignore[no-untyped-call]
            raise

    def _close(self) -> Any:
        self.forget()
        most = self._own_options.get("paths_a_connection")
        if most and self.pool and self.connection is not None and len(_paths.get(self.connection, ())) > most:
            self.connection.close()  # the pool makes another one
        return super()._close()

    def rollback(self) -> None:
        self.forget()
        super().rollback()  # type: ignore[no-untyped-call]
        self.forget()

    def commit(self) -> None:
        # PostgreSQL answers COMMIT of a failed transaction with a rollback, and brings the tenant before back
        if self._own_options.get("transaction_pooling") or self._in_failed_transaction():
            self.forget()
        super().commit()

    def _set_autocommit(self, autocommit: bool) -> None:
        if self._own_options.get("transaction_pooling"):
            self.forget()
        super()._set_autocommit(autocommit)

    # -- statements of the wrapper's own, which nobody else may send

    def _savepoint(self, sid: str) -> None:
        with self._as_trusted():
            super()._savepoint(sid)

    def _savepoint_rollback(self, sid: str) -> None:
        self.forget()
        with self._as_trusted():
            super()._savepoint_rollback(sid)
        self.forget()

    def _savepoint_commit(self, sid: str) -> None:
        with self._as_trusted():
            super()._savepoint_commit(sid)

    @contextmanager
    def _as_trusted(self) -> Iterator[None]:
        self._trusted = True
        try:
            yield
        finally:
            self._trusted = False

    # -- cursors

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        params["cursor_factory"] = TenancyCursor
        return params

    def create_cursor(self, name: str | None = None) -> Any:
        cursor = super().create_cursor(name) if name is None else self._named_cursor(name)
        cursor.tenancy = self
        return cursor

    def _named_cursor(self, name: str) -> TenancyServerSideCursor:
        kind: Any = TenancyServerSideCursor
        cursor: TenancyServerSideCursor = kind(
            self.connection, name=name, scrollable=False, withhold=self.connection.autocommit
        )
        return cursor


@lru_cache(maxsize=20_000)
def _statement_for(state: State, local: bool) -> bytes:
    role, path = state
    return (
        sql.SQL("SET {scope}search_path = {path}; SET {scope}ROLE {role}")
        .format(
            scope=sql.SQL("LOCAL ") if local else sql.SQL(""),
            path=sql.SQL(path),
            role=sql.Identifier(identifier(role)) if role else sql.SQL("NONE"),
        )
        .as_bytes(None)
    )


def _as_text(query: Any) -> str:
    if isinstance(query, bytes):
        return query.decode()
    return str(query.as_string(None))
