"""Addresses of the tenant or platform that is being served."""

from django.conf import settings

from core.tenancy import current
from tenants.directory import address_of


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
