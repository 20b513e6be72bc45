"""The realm of the current address: the tenant's, or the platform's."""

from dataclasses import dataclass
from uuid import UUID

from accounts.identity.addresses import builtin_issuer
from accounts.identity.models import Realm
from core.errors import Unavailable


@dataclass(frozen=True, slots=True)
class RealmRef:
    """What relying party and API need to know of an issuer."""

    id: UUID
    builtin: bool
    issuer: str
    client_id: str
    client_secret: str


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
