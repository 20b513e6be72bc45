"""Single-use links to set a password at the built-in issuer."""

import hashlib
import secrets
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.identity.addresses import origin
from accounts.identity.models import Account, PasswordLink
from core.errors import Gone


class PasswordLinkInvalid(Gone):
    """The link was used, has expired, or never existed."""

    code = "password_link_invalid"
    title = _("This link does not work any more")
    detail = _("It was used before or has expired. Ask for a new one.")


def make_password_link(account: Account) -> str:
    """Return an address at the current issuer where `account` can set a password once."""
    token = secrets.token_urlsafe(32)
    PasswordLink.objects.create(
        account=account,
        token_hash=_hash(token),
        expires_at=timezone.now() + timedelta(days=settings.PASSWORD_LINK_DAYS),
    )
    return f"{origin()}{reverse('set_password', args=[token])}"


def find_account(token: str) -> Account:
    """Return the account that a link belongs to. Raises PasswordLinkInvalid."""
    return _valid_link(token, lock=False).account


@transaction.atomic
def set_password(*, token: str, password: str) -> Account:
    """Set the password of the link's account and use up all its links.

    Raises PasswordLinkInvalid, or ValidationError for a password that the rules refuse; nothing is written then.
    """
    link = _valid_link(token, lock=True)
    account = link.account
    validate_password(password, user=account)
    account.set_password(password)
    account.save(update_fields=["password"])
    account.password_links.filter(used_at=None).update(used_at=timezone.now())
    return account


def _valid_link(token: str, *, lock: bool) -> PasswordLink:
    links = PasswordLink.objects.select_related("account")
    links = links.select_for_update(of=("self",)) if lock else links
    link = links.filter(
        token_hash=_hash(token), used_at=None, expires_at__gt=timezone.now(), account__is_active=True
    ).first()
    if link is None:
        raise PasswordLinkInvalid
    return link


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
