"""What the console looks at of a tenant's identities."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.identity import provider
from accounts.identity.realms import current_realm
from core.errors import Unavailable
from core.tenancy import enter
from tenants.infrastructure import Facts, TenantCheck, Verdict
from tenants.models import Tenant


class RealmCheck(TenantCheck):
    """Whether the realm is there, and how many accounts it has."""

    key = "realm"
    label = gettext_lazy("Realm")

    def name_of(self, tenant: Tenant) -> str:
        with enter(tenant.ref):
            try:
                return current_realm().issuer
            except Unavailable:
                return ""

    def look(self, tenant: Tenant) -> Facts:
        if not provider().realm_exists(tenant.ref):
            return {"exists": False}
        return {"exists": True, "accounts": provider().count_accounts(tenant.ref)}

    def say(self, facts: Facts) -> Verdict:
        if not facts["exists"]:
            return Verdict("bad", _("Missing"))
        text = ngettext("%(count)d account", "%(count)d accounts", facts["accounts"]) % {"count": facts["accounts"]}
        return Verdict("ok", text)
