"""Which of the Keycloaks has a tenant's realm. The tenant's row says it, so that one query counts all of them."""

from collections import Counter
from dataclasses import dataclass

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from accounts.identity.keycloak.servers import KeycloakServer
from accounts.identity.models import Realm
from core.errors import Rejected
from core.tenancy import TenantRef, enter_platform
from tenants.models import Tenant

PLACING = 0x706C6163  # names the lock


class IdentityServersFull(Rejected):
    """No Keycloak takes another realm."""

    code = "identity_servers_full"
    title = _("No identity server has room for another realm")
    detail = _("Add a server to PLEXICA_KEYCLOAK_SERVERS, or raise a capacity.")


class IdentityServerUnknown(Rejected):
    """A realm is on a server that the settings no longer have."""

    code = "identity_server_unknown"
    title = _("The identity server is not in the settings")
    detail = _("%(name)s has realms, and PLEXICA_KEYCLOAK_SERVERS must name it.")


@dataclass(frozen=True, slots=True)
class Load:
    """How full a server is."""

    server: KeycloakServer
    realms: int

    @property
    def share(self) -> float:
        """How much of its capacity is used."""
        return self.realms / self.server.capacity


def server_named(name: str) -> KeycloakServer:
    """Return a server of the settings. Raises IdentityServerUnknown."""
    try:
        return settings.KEYCLOAK_SERVERS[name]
    except KeyError:
        raise IdentityServerUnknown(name=name or "?") from None


def read_loads() -> list[Load]:
    """Return every server with the number of realms that are, or are about to be, on it."""
    with enter_platform(), transaction.atomic():
        placed = Tenant.objects.exclude(identity_server="").exclude(status__in=Tenant.GONE)
        counts = Counter(placed.values_list("identity_server", flat=True))
        counts.update(Realm.objects.exclude(server="").exclude(admin_secret="").values_list("server", flat=True))
    return [Load(server, counts[name]) for name, server in settings.KEYCLOAK_SERVERS.items()]


def emptiest(loads: list[Load]) -> KeycloakServer:
    """Return the server with the most room for its size. Raises IdentityServersFull."""
    with_room = [load for load in loads if load.share < 1]
    if not with_room:
        raise IdentityServersFull
    return least_used(with_room)


def least_used(loads: list[Load]) -> KeycloakServer:
    """Return the server that is used least for its size, full or not."""
    return min(loads, key=lambda load: load.share).server


def placed_at(ref: TenantRef) -> KeycloakServer | None:
    """Return the server that was chosen for a tenant, or None."""
    with enter_platform():
        name = Tenant.objects.filter(pk=ref.id).values_list("identity_server", flat=True).first()
    return server_named(name) if name else None


def place(ref: TenantRef | None) -> KeycloakServer:
    """Choose a server for a realm, once: the choice is kept with the tenant. Raises IdentityServersFull."""
    with enter_platform(), transaction.atomic():
        with connection.cursor() as cursor:  # one at a time, so that no server gets more than it takes
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [PLACING])
        tenant = Tenant.objects.filter(pk=ref.id).first() if ref else None
        if tenant and tenant.identity_server:
            return server_named(tenant.identity_server)
        server = emptiest(read_loads())
        if tenant:
            Tenant.objects.filter(pk=tenant.pk).update(identity_server=server.name, identity_open=True)
        return server
