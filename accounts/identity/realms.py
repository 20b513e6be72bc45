"""Realms: the one that an address trusts, and the way to a tenant's rows about them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import connection

from accounts.identity.addresses import builtin_issuer
from accounts.identity.models import Realm
from core.errors import Unavailable
from core.tenancy import TenantRef, current, enter, enter_platform


@dataclass(frozen=True, slots=True)
class RealmRef:
    """What relying party and API need to know of an issuer."""

    id: UUID
    builtin: bool
    issuer: str
    client_id: str
    client_secret: str
    outer_url: str = ""  # where browsers find it, and where we do: they differ behind a proxy
    inner_url: str = ""


def current_realm() -> RealmRef:
    """Return the realm that the current address trusts. Raises Unavailable where none is set up."""
    realm = Realm.objects.filter(is_current=True).first()
    if realm is None:
        raise Unavailable
    builtin = realm.provider == Realm.Provider.BUILTIN
    server = settings.KEYCLOAK_SERVERS.get(realm.server)
    if not builtin and server is None:
        raise Unavailable(part="keycloak")
    return RealmRef(
        id=realm.pk,
        builtin=builtin,
        issuer=builtin_issuer() if builtin else realm.issuer,
        client_id=realm.client_id,
        client_secret=realm.client_secret,
        outer_url=server.outer_url if server else "",
        inner_url=server.url if server else "",
    )


@contextmanager
def inside(ref: TenantRef | None) -> Iterator[None]:
    """Work in a tenant, or on the platform, wherever we are now."""
    if ref == current():
        yield
    elif ref:
        with enter(ref):
            yield
    else:
        with enter_platform():
            yield


def schema_is_there(ref: TenantRef | None) -> bool:
    """Say whether the schema is there, and open to the tenant's role; a deleted tenant has neither."""
    if ref is None:
        return True
    with enter_platform(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, pg_roles r"
            " WHERE n.nspname = %s AND c.relname = %s AND r.rolname = %s"
            " AND has_schema_privilege(r.oid, n.oid, 'USAGE') AND has_table_privilege(r.oid, c.oid, 'SELECT')"
            " AND pg_has_role(current_user, r.oid, 'SET'))",
            [ref.schema, Realm._meta.db_table, ref.role],
        )
        row = cursor.fetchone()
        return bool(row and row[0])
