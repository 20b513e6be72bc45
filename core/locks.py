"""Advisory locks: of transactions that do the same thing in one tenant, one goes on and the others wait for its end."""

import hashlib

from django.db import connection

from core.tenancy import current


def one_at_a_time(*names: object) -> None:
    """Wait until no other transaction of this tenant, or of the platform, holds these names; hold them until ours ends.

    For what no row stands for: a limit on how many there may be, the first row of something. What is read after this call
    is as the others left it.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("the lock would end with this statement")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [lock_number(*names)])


def lock_number(*names: object) -> int:
    """Return the number under which PostgreSQL knows a lock; each tenant has its own."""
    ref = current()
    said = repr((str(ref.id) if ref else "", *names)).encode()
    return int.from_bytes(hashlib.sha256(said).digest()[:8], "big", signed=True)
