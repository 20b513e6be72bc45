"""What a tenant and its first admin may be called on pages."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

MAX_LENGTH = 120


def check_name(name: str) -> None:
    """Raise ValidationError unless a tenant may have this name."""
    if not name.strip():
        raise ValidationError(_("Give the tenant a name."))
    check_text(name)


def check_text(name: str) -> None:
    """Raise ValidationError unless this is a line of at most 120 printable characters."""
    if len(name) > MAX_LENGTH or any(not character.isprintable() for character in name):
        raise ValidationError(_("Use at most 120 printable characters."))
