from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from core.tenancy import enter
from tenants.models import Tenant
from tenants.preferences.models import Preferences
from tenants.steps import TenantStep


class PreferencesStep(TenantStep):
    """Gives the tenant its default settings; they go with the schema."""

    key = "preferences"
    label = _("Default settings")

    def run(self, tenant: Tenant, inputs: dict[str, Any]) -> str:
        defaults: dict[str, str] = {
            "name": tenant.name,
            "language": inputs.get("language", ""),
            "time_zone": inputs.get("time_zone", "UTC"),
        }
        with enter(tenant.ref), transaction.atomic():
            Preferences.objects.get_or_create(pk=1, defaults=defaults)
        return defaults["time_zone"]
