from core.tenancy import require
from tenants.preferences.models import Preferences


def get_preferences() -> Preferences:
    """Return the current tenant's preferences; while it is being set up, unsaved defaults."""
    return Preferences.objects.first() or Preferences(name=require().name)
