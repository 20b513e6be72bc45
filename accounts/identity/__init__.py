"""Realms: who issues identities for a tenant or for the platform, behind one port.

`provider()` is the only place that chooses an adapter.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accounts.identity.port import IdentityProvider


def provider() -> "IdentityProvider":
    """Return the adapter that makes realms."""
    from accounts.identity.builtin.provider import BuiltinProvider

    return BuiltinProvider()
