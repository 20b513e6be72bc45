"""Makes the key to a tenant's bucket, waits until it is in force, replaces and removes it.

IAM tells a secret once. So a key whose row was not written is lost, and the next attempt removes it and makes another.
"""

import time
from typing import Final

from django.db import transaction
from django.utils import timezone

from core import audit
from core.actors import Actor
from core.errors import Unavailable
from core.tenancy import TenantRef, enter, require
from storage.adapters import Key, store
from storage.keys.errors import BucketKeyMissing
from storage.keys.models import BucketKey

IN_FORCE_TIMEOUT_S: Final = 15.0  # SeaweedFS takes milliseconds, AWS some seconds
_FIRST_WAIT_S: Final = 0.02
_LONGEST_WAIT_S: Final = 1.0


def current_key() -> Key | None:
    """Return the key to the current tenant's bucket; None where buckets have no keys.

    Raises BucketKeyMissing if the tenant has none, and TenantContextRequired on the platform.
    """
    ref = require()
    if not store().has_keys:
        return None
    row = BucketKey.objects.filter(pk=1).first()
    if row is None:
        raise BucketKeyMissing(slug=ref.slug)
    return Key(row.key_id, row.secret)


def ensure_key(ref: TenantRef) -> None:
    """Give the tenant's bucket its key unless it has one, and wait until it is in force. Safe to repeat."""
    if not store().has_keys:
        return
    key = _known_key(ref)
    if key is None:
        _delete_other_keys(ref, None)
        key = store().make_key(ref.bucket)
        _keep(ref, key)
    wait_until_in_force(ref, key)


def rotate_key(*, ref: TenantRef, actor: Actor) -> bool:
    """Replace the key to a tenant's bucket, and put all others out of force; False where buckets have no keys.

    Every process uses the new key from its next call on. Transfers under way with the old one break off.
    """
    if not store().has_keys:
        return False
    _delete_other_keys(ref, _known_key(ref))  # of an attempt that was cut off: AWS lets nobody have three
    key = store().make_key(ref.bucket)
    wait_until_in_force(ref, key)
    with enter(ref), transaction.atomic():
        _write(key)
        audit.record(actor=actor, action="storage.key_rotated", target=None, key=key.id)
    _delete_other_keys(ref, key)
    return True


def wait_until_in_force(ref: TenantRef, key: Key) -> None:
    """Return when the key opens the tenant's bucket. Raises Unavailable after IN_FORCE_TIMEOUT_S."""
    deadline, pause = time.monotonic() + IN_FORCE_TIMEOUT_S, _FIRST_WAIT_S
    while not store().is_in_force(ref.bucket, key):
        if time.monotonic() > deadline:
            raise Unavailable(part="object storage", code="key not in force")
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_WAIT_S)


def has_key(ref: TenantRef) -> bool:
    """Say whether the tenant needs no key, or has one that object storage knows."""
    return not store().has_keys or _known_key(ref) is not None


def _delete_other_keys(ref: TenantRef, keep: Key | None) -> None:
    for key_id in store().list_key_ids(ref.bucket):
        if keep is None or key_id != keep.id:
            store().delete_key(ref.bucket, key_id)


def _known_key(ref: TenantRef) -> Key | None:
    """Return the key that the tenant's row holds, if object storage knows it too."""
    with enter(ref), transaction.atomic():
        row = BucketKey.objects.filter(pk=1).first()
    if row is None or row.key_id not in store().list_key_ids(ref.bucket):
        return None
    return Key(row.key_id, row.secret)


def _keep(ref: TenantRef, key: Key) -> None:
    with enter(ref), transaction.atomic():
        _write(key)


def _write(key: Key) -> None:
    values = {"key_id": key.id, "secret": key.secret, "made_at": timezone.now()}
    BucketKey.objects.update_or_create(pk=1, defaults=values)
