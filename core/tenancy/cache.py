"""Cache keys that carry their tenant by construction."""

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
