"""Which adapter a realm belongs to."""

from django.conf import settings
from django.db import transaction

from accounts.identity.models import Realm
from accounts.identity.realms import inside, schema_is_there
from core.tenancy import TenantRef, current, enter_platform
from tenants.models import Tenant


def chosen_provider(ref: TenantRef | None) -> str:
    """Return the provider of the realm that is there or was begun; for a new one, what the settings say."""
    if ref == current() or schema_is_there(ref):
        with inside(ref), transaction.atomic():
            rows = list(Realm.objects.order_by("-is_current", "-created_at"))
        known = next((row for row in rows if row.is_current or row.admin_secret), None)
        if known and (known.client_secret or settings.KEYCLOAK_SERVERS):
            return str(known.provider)
        if known:  # restored, from a platform that has a Keycloak to one that has none
            return Realm.Provider.BUILTIN
    if ref is not None:
        with enter_platform():
            if Tenant.objects.filter(pk=ref.id).exclude(identity_server="").exists():
                return Realm.Provider.KEYCLOAK
    return str(settings.IDENTITY_PROVIDER)
