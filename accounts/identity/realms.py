"""The realm of the current address: the tenant's, or the platform's."""

from dataclasses import dataclass
from uuid import UUID

from django.conf import settings

from accounts.identity.models import Realm
from core.errors import Unavailable
from core.tenancy import current
from tenants.directory import address_of


@dataclass(frozen=True, slots=True)
class RealmRef:
    """What relying party and API need to know of an issuer."""

    id: UUID
    builtin: bool
    issuer: str
    client_id: str
    client_secret: str


def origin() -> str:
    """Return the current address's scheme, host and port."""
    ref = current()
    return address_of(ref.slug) if ref else str(settings.PUBLIC_URL)


def callback_url() -> str:
    """Return the address where issuers send people back to."""
    return f"{origin()}/oidc/callback/"


def builtin_issuer() -> str:
    """Return the built-in issuer's name at the current address."""
    return f"{origin()}/op"


def current_realm() -> RealmRef:
    """Return the realm that the current address trusts. Raises Unavailable where none is set up."""
    realm = Realm.objects.filter(is_current=True).first()
    if realm is None:
        raise Unavailable
    builtin = realm.provider == Realm.Provider.BUILTIN
    return RealmRef(
        id=realm.pk,
        builtin=builtin,
        issuer=builtin_issuer() if builtin else realm.issuer,
        client_id=realm.client_id,
        client_secret=realm.client_secret,
    )
