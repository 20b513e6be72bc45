"""The current tenant: one frozen value in one context variable.

    platform ──enter(ref)──> tenant ──end──> platform

Nothing is sent to the database on entering or leaving; the next statement brings role and path along. Changing tenant
inside a transaction is a mistake, since the transaction would then write under two roles.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, connections, transaction
from django.utils.module_loading import import_string


@dataclass(frozen=True, slots=True)
class TenantRef:
    """What a request, job or command needs to know to work for one tenant."""

    id: UUID
    slug: str
    name: str
    schema: str
    role: str
    state: str
    bucket: str = ""  # the template, which is nobody, has none

    @property
    def is_gone(self) -> bool:
        """Whether neither schema nor role is left."""
        return self.state in ("deleted", "failed")


class TenantSwitchInTransaction(RuntimeError):
    """A transaction is open: it would go on under another tenant's role."""


class TenantContextRequired(RuntimeError):
    """This work belongs to a tenant and none is entered."""


class TenantStopped(RuntimeError):
    """The tenant was suspended, or its deletion asked for, while this work was going on."""


_current: ContextVar[TenantRef | None] = ContextVar("plexica_tenant", default=None)
_guard: ContextVar[Callable[[], None] | None] = ContextVar("plexica_guard", default=None)
_pooled: ContextVar[ExitStack | None] = ContextVar("plexica_pooled_transaction", default=None)


def current() -> TenantRef | None:
    """Return the tenant whose work this is, or None on the platform."""
    return _current.get()


def require() -> TenantRef:
    """Return the current tenant. Raises TenantContextRequired on the platform."""
    ref = _current.get()
    if ref is None:
        raise TenantContextRequired("enter a tenant first: with core.tenancy.enter(ref)")
    return ref


@contextmanager
def enter(ref: TenantRef) -> Iterator[TenantRef]:
    """Work for one tenant until the block ends; behind a pooler in one transaction, as role and path last no longer.

    Raises TenantSwitchInTransaction if a transaction is open and `ref` is not the current tenant.
    """
    with enter_without_transaction(ref), transaction_if_pooled():
        yield ref


@contextmanager
def enter_without_transaction(ref: TenantRef) -> Iterator[TenantRef]:
    """Work for one tenant like `enter`, for callers that open `transaction_if_pooled` themselves: a request's ends early."""
    with _switched(ref):
        yield ref


@contextmanager
def transaction_if_pooled() -> Iterator[None]:
    """Open a transaction where a pooler lies between us and PostgreSQL, unless one is open. It begins with a statement."""
    if not settings.DATABASE_TRANSACTION_POOLING or connection.in_atomic_block:
        yield
        return
    with ExitStack() as opened:
        opened.enter_context(transaction.atomic())
        token = _pooled.set(opened)
        try:
            yield
        finally:
            _pooled.reset(token)


@contextmanager
def outside_transaction() -> Iterator[None]:
    """Ask an outside system: the transaction that `transaction_if_pooled` opened is over before, and another begins after.

    What was written so far is committed, as it is without a pooler. A transaction that the caller opened stays.
    """
    opened = _pooled.get()
    if opened is None or len(connection.atomic_blocks) != 1:
        yield
        return
    opened.close()
    try:
        yield
    finally:
        opened.enter_context(transaction.atomic())


@contextmanager
def enter_platform() -> Iterator[None]:
    """Work for the platform until the block ends, whatever tenant was entered before."""
    with _switched(None):
        yield


def find_tenant(tenant_id: UUID) -> TenantRef | None:
    """Return the tenant with this id, whatever its state, or None; a change is seen within a second."""
    with enter_platform():
        ref: TenantRef | None = import_string(settings.TENANT_DIRECTORY)(tenant_id)
        return ref


@contextmanager
def guarded(guard: Callable[[], None]) -> Iterator[None]:
    """Ask `guard` before each statement and each call to an outside system; it raises when the work may not go on.

    It must be quick, and send nothing itself: it is asked in the middle of transactions.
    """
    token = _guard.set(guard)
    try:
        yield
    finally:
        _guard.reset(token)


def ask_guard() -> None:
    """Raise what the guard raises if the current work may not go on."""
    guard = _guard.get()
    if guard is not None:
        guard()


@contextmanager
def _switched(ref: TenantRef | None) -> Iterator[None]:
    before = _current.get()
    if ref is before:
        yield
        return
    if (ref and ref.id) != (before and before.id):
        _refuse_open_transaction()
    token = _current.set(ref)
    logged = structlog.contextvars.bind_contextvars(tenant=str(ref.id) if ref else None)
    try:
        yield
    finally:
        structlog.contextvars.reset_contextvars(**logged)
        _current.reset(token)


def _refuse_open_transaction() -> None:
    for wrapper in connections.all(initialized_only=True):
        # the outermost blocks of a test case are there to be rolled back: they are no business transaction
        if any(not getattr(block, "_from_testcase", False) for block in wrapper.atomic_blocks):
            raise TenantSwitchInTransaction(
                f"a transaction is open on {wrapper.alias!r}: end it before changing tenant"
            )
