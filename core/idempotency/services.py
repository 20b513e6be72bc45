import hashlib
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.errors import Conflict
from core.idempotency.models import IdempotencyKey
from core.locks import lock_number

KEPT = timedelta(hours=24)
MAX_KEY = 120  # characters


class IdempotencyConflict(Conflict):
    """The key was used for another body, or a twin is running now."""

    code = "idempotency_conflict"
    title = _("This Idempotency-Key is taken")
    detail = _("Use a new key for another request, or repeat the same request when the first one has ended.")


@dataclass(frozen=True, slots=True)
class IdempotentCall:
    """A creating call as its key identifies it: by principal, method, path and key."""

    principal: str
    method: str
    path: str
    key: str
    body_hash: str

    @classmethod
    def of(cls, *, principal: str, method: str, path: str, key: str, body: bytes) -> "IdempotentCall":
        return cls(principal, method, path, key, hashlib.sha256(body).hexdigest())


def recall(call: IdempotentCall) -> IdempotencyKey | None:
    """Return what the same call was answered before, or None; holds the key until the caller's transaction ends.

    Raises IdempotencyConflict for another body, or while a twin is running.
    """
    lock = lock_number(call.principal, call.method, call.path, call.key)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [lock])
        row = cursor.fetchone()
    if not (row and row[0]):
        raise IdempotencyConflict(key=call.key)
    known = IdempotencyKey.objects.filter(
        principal=call.principal, method=call.method, path=call.path, key=call.key
    ).first()
    if known and known.created_at < timezone.now() - KEPT:
        known.delete()
        return None
    if known and known.body_hash != call.body_hash:
        raise IdempotencyConflict(key=call.key)
    return known


def remember(call: IdempotentCall, *, status: int, location: str) -> None:
    """Keep the answer of a call, in the same transaction as what the call changed."""
    IdempotencyKey.objects.create(
        principal=call.principal,
        method=call.method,
        path=call.path,
        key=call.key,
        body_hash=call.body_hash,
        status=status,
        location=location,
    )
