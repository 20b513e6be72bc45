"""What a person may do: the permissions of their roles together, from memory, from Redis, or from the database.

    process memory ──another version──> Redis ──nothing there──> database

The tenant's permissions have a version: a row that each change of roles or assignments replaces in its own transaction,
and that comes along with the query that reads who is signed in. What is kept carries the version it was read at, so a
change is in force on the next request of every process, and nothing needs to be thrown away. A version is never used
twice, not even one of a transaction that was rolled back.
"""

from functools import lru_cache
from uuid import UUID

from django.core.cache import cache
from django.db import connection

from accounts.people.models import PermissionsVersion, Person
from accounts.permissions import (
    UnknownPermission,
    fingerprint,
    get_permission,
    held_by_builtin,
    known_among,
    registered,
)
from core.ids import uuid7
from core.tenancy import current

KEPT_S = 3600
MAX_ENTRIES = 50_000

_READ = """
    SELECT r.name, r.is_builtin, r.permissions
    FROM people_roleassignment a JOIN people_role r ON r.id = a.role_id WHERE a.person_id = %s
"""
# by tenant and person, as numbers: they are hashed and compared in C, a UUID in Python
_kept: dict[tuple[int, int], tuple[str, frozenset[str]]] = {}


def rights_of(person: Person) -> frozenset[str]:
    """Return the keys that a person holds, at the version that came along with them; of others, as it is now."""
    version = person.permissions_version
    if version is None:
        return read_rights(person.pk)
    ref = current()
    key = (ref.id.int if ref else 0, person.pk.int)
    known = _kept.get(key)
    if known is not None and known[0] == version:
        return known[1]
    rights = _shared(person.pk, version)
    if len(_kept) >= MAX_ENTRIES:
        _kept.pop(next(iter(_kept)), None)
    _kept[key] = (version, rights)
    return rights


def _shared(person_id: UUID, version: str) -> frozenset[str]:
    code = fingerprint()
    key = f"rights:{person_id}:{version}:{code}"
    packed: int | None = cache.get(key)
    if packed is not None:
        return _unpacked(packed, code)
    rights = read_rights(person_id)
    cache.set(key, _packed(rights), KEPT_S)
    return rights


def _packed(rights: frozenset[str]) -> int:
    """Return the rights as bits, in the order in which permissions are registered: Redis keeps a number as it is."""
    return sum(1 << number for number, key in enumerate(registered()) if key in rights)


@lru_cache(maxsize=10_000)
def _unpacked(packed: int, code: str) -> frozenset[str]:
    """Return what the bits say, under the permissions that `code` is the fingerprint of; people with equal roles share it."""
    return frozenset(key for number, key in enumerate(registered()) if packed >> number & 1)


def read_rights(person_id: UUID) -> frozenset[str]:
    """Return the keys that a person holds now, from the database."""
    with connection.cursor() as cursor:
        cursor.execute(_READ, [person_id])
        rows = cursor.fetchall()
    return frozenset().union(*(held_by_builtin(name) if builtin else known_among(keys) for name, builtin, keys in rows))


def can(person: Person, key: str, thing: object = None) -> bool:
    """Say whether a person may do something, and to `thing` if one is named. Raises UnknownPermission."""
    if key not in rights_of(person):
        if key not in registered():
            raise UnknownPermission(f"no app registers the permission {key!r}")
        return False
    if thing is None:
        return True
    rule = get_permission(key).rule
    return rule is None or rule(person, thing)


def renew_version() -> None:
    """Begin a change of who may do what, inside the caller's transaction: one at a time in each tenant.

    Other changes wait here until the transaction ends, so what is read after this call stays as it is. Whoever asks after
    the commit reads everybody's permissions anew.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("a change of permissions and its version belong into one transaction")
    PermissionsVersion.objects.bulk_create(
        [PermissionsVersion(id=1, version=uuid7())],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["version"],
    )


def forget() -> None:
    """Drop what this process knows."""
    _kept.clear()
