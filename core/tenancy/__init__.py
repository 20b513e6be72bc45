"""Which tenant the current work belongs to, and how the database is made to know.

`enter(ref)` is the only way into a tenant; `current()` tells where we are. Role and search path follow by themselves,
before the first statement (see `core.tenancy.backend`).
"""

from core.tenancy.context import (
    TenantContextRequired,
    TenantRef,
    TenantStopped,
    TenantSwitchInTransaction,
    ask_guard,
    current,
    enter,
    enter_platform,
    enter_without_transaction,
    find_tenant,
    guarded,
    outside_transaction,
    require,
    transaction_if_pooled,
)

__all__ = [
    "TenantContextRequired",
    "TenantRef",
    "TenantStopped",
    "TenantSwitchInTransaction",
    "ask_guard",
    "current",
    "enter",
    "enter_platform",
    "enter_without_transaction",
    "find_tenant",
    "guarded",
    "outside_transaction",
    "require",
    "transaction_if_pooled",
]
