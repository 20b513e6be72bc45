"""Names of database objects, buckets and keys that are derived from a tenant's id.

Only addresses and realm names show the slug: a slug that is used again inherits nothing.
"""

import base64
from uuid import UUID

MAX_IDENTIFIER_BYTES = 63  # PostgreSQL cuts longer ones silently, and two cut names may be one
PUBLIC_SCHEMA = "public"
TEMPLATE_SCHEMA = "core_template"
OWNER_ROLE = "px_owner"
APP_ROLE = "px_app"
OPS_ROLE = "px_ops"


class IdentifierTooLong(ValueError):
    """The name has more than 63 bytes."""


def identifier(name: str) -> str:
    """Return `name` if PostgreSQL keeps all of it. Raises IdentifierTooLong."""
    if not name or len(name.encode()) > MAX_IDENTIFIER_BYTES:
        raise IdentifierTooLong(f"{name!r} must have 1 to {MAX_IDENTIFIER_BYTES} bytes")
    return name


def tenant_code(tenant_id: UUID) -> str:
    """Return 12 characters of a-z2-7: the last 60 bits of the id, which are random in a UUIDv7.

    The SQL function `tenant_code(uuid)` gives the same; a test compares them.
    """
    last_60_bits = tenant_id.int & ((1 << 60) - 1)
    return base64.b32encode((last_60_bits << 4).to_bytes(8, "big")).decode().lower()[:12]


def schema_name(tenant_id: UUID) -> str:
    """Return the name of the tenant's schema."""
    return identifier(f"t_{tenant_code(tenant_id)}")


def role_name(tenant_id: UUID, installation: str) -> str:
    """Return the name of the tenant's database role; roles are shared by all databases of a server."""
    return identifier(f"px_{installation}_{tenant_code(tenant_id)}")


def bucket_name(tenant_id: UUID, installation: str) -> str:
    """Return the name of the tenant's bucket: 3-63 characters of a-z0-9-, as S3 wants it."""
    return f"px-{installation}-{tenant_code(tenant_id)}"


def archive_bucket_name(installation: str) -> str:
    """Return the name of the platform's bucket for archives. No tenant's code has eight characters."""
    return f"px-{installation}-archives"
