"""What a tenant may be called in addresses and realms."""

import re
from typing import Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

MIN_LENGTH: Final = 3
MAX_LENGTH: Final = 48
PATTERN: Final = r"^[a-z][a-z0-9-]{1,46}[a-z0-9]$"
# fmt: off
RESERVED: Final = frozenset(
    {
        "about", "access", "account", "accounts", "admin", "administrator", "api", "app", "apps", "assets", "auth",
        "billing", "blog", "bulk", "cdn", "console", "contact", "create", "dashboard", "demo", "dev", "docs",
        "download", "events",
        "example", "ftp", "git", "help", "host", "imap", "info", "internal", "issuer", "localhost", "login",
        "logout", "mail", "master", "metrics", "mx", "news", "ns", "oidc", "operator", "operators", "ops",
        "plexica", "platform", "pop", "portal", "postmaster", "public", "realm", "realms", "root", "security",
        "service", "signin", "signup", "smtp", "ssh", "sso", "staff", "staging", "static", "status", "store",
        "support", "system", "tenant", "tenants", "test", "tests", "webhook", "webhooks", "webmail", "webmaster",
        "workspace", "www",
    }
)
# fmt: on


def validate_slug(slug: str) -> None:
    """Raise ValidationError saying what is wrong with `slug`."""
    if not MIN_LENGTH <= len(slug) <= MAX_LENGTH:
        raise ValidationError(_("Use 3 to 48 characters."), code="length")
    if not re.fullmatch(PATTERN, slug):
        raise ValidationError(_("Use a–z, 0–9 and -, start with a letter and do not end with -."), code="characters")
    if slug in RESERVED or slug.startswith("xn--"):  # browsers show another name for xn--
        raise ValidationError(_("This name is reserved. Choose another one."), code="reserved")
