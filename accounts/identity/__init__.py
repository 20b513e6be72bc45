"""Realms: who issues identities for a tenant or for the platform, behind one port.

`provider()` is the only place that chooses an adapter: by the realm's own row, and for a realm that is to be made by
`settings.IDENTITY_PROVIDER`.
"""

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from accounts.identity.port import IdentityProvider
    from core.tenancy import TenantRef


def provider() -> "IdentityProvider":
    """Return the port: each call goes to the adapter that has the realm it is about."""
    return cast("IdentityProvider", _EachRealmsOwn())


def adapter_of(ref: "TenantRef | None") -> "IdentityProvider":
    """Return the adapter that has, or will have, this tenant's realm, or the platform's."""
    from accounts.identity.builtin.provider import BuiltinProvider
    from accounts.identity.choice import chosen_provider
    from accounts.identity.keycloak.provider import KeycloakProvider
    from accounts.identity.models import Realm

    return KeycloakProvider() if chosen_provider(ref) == Realm.Provider.KEYCLOAK else BuiltinProvider()


class _EachRealmsOwn:
    def __getattr__(self, name: str) -> Any:
        def call(ref: "TenantRef | None", *args: Any, **kwargs: Any) -> Any:
            return getattr(adapter_of(ref), name)(ref, *args, **kwargs)

        return call
