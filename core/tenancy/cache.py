"""Cache keys that carry their tenant by construction."""

from uuid import UUID

from core.tenancy import context
from core.tenancy.names import tenant_code


def make_key(key: str, key_prefix: str, version: int) -> str:
    """Return prefix:tenant:version:key, `platform` standing for no tenant."""
    ref = context.current()
    owner = tenant_code(ref.id) if ref else "platform"
    return f"{key_prefix}:{owner}:{version}:{key}"


def reverse_key(key: str) -> str:
    """Return the key that `make_key` was given."""
    return key.split(":", 3)[3]


def pattern_of(tenant_id: UUID, key_prefix: str) -> str:
    """Return the pattern that all keys of a tenant match, and nobody else's."""
    return f"{key_prefix}:{tenant_code(tenant_id)}:*"
