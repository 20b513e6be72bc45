from django.conf import settings

from core.tenancy import current
from tenants.preferences.selectors import get_preferences


def two_factor_required() -> bool:
    """Say whether everybody who signs in here needs a second factor: as the workspace wants it, or the platform's setting."""
    return get_preferences().two_factor_required if current() else settings.OPERATORS_TWO_FACTOR
