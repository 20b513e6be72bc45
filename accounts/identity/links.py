"""Single-use links to set a password, at whatever issuer the realm has: our page, in the tenant's look and language."""

import secrets
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.identity import models, provider
from accounts.identity.addresses import origin
from accounts.identity.models import PasswordLink
from accounts.identity.port import Account
from core.crypto import hash_token
from core.errors import Gone, Rejected, Unavailable
from core.tenancy import current


class PasswordLinkInvalid(Gone):
    """The link was used, has expired, or never existed."""

    code = "password_link_invalid"
    title = gettext_lazy("This link does not work any more")
    detail = gettext_lazy("It was used before or has expired. Ask for a new one.")


def make_password_link(subject: str, *, lasts: timedelta | None = None) -> str:
    """Return an address of the current realm where this account's owner can set a password once, for some days or `lasts`."""
    token = secrets.token_urlsafe(32)
    PasswordLink.objects.create(
        subject=subject,
        token_hash=hash_token(token),
        expires_at=timezone.now() + (lasts or timedelta(days=settings.PASSWORD_LINK_DAYS)),
    )
    return f"{origin()}{reverse('set_password', args=[token])}"


def withdraw_password_link(address: str) -> None:
    """Forget a link that reached nobody."""
    PasswordLink.objects.filter(token_hash=hash_token(address.rstrip("/").rpartition("/")[2])).delete()


def find_account(token: str) -> Account:
    """Return the account that a link belongs to. Raises PasswordLinkInvalid."""
    link = _valid_links(token).first()
    account = provider().find_account(current(), link.subject) if link else None
    if account is None or not account.is_active:
        raise PasswordLinkInvalid
    return account


def set_password(*, token: str, password: str) -> Account:
    """Set the password of the link's account and use up all its links.

    Raises PasswordLinkInvalid, or ValidationError for a password that the rules refuse; nothing has changed then.
    """
    account = find_account(token)
    validate_password(password, user=models.Account(email=account.email, name=account.name))
    claimed = _claim(token)
    try:
        provider().set_password(current(), subject=account.subject, password=password)
    except Rejected as error:
        _give_back(claimed)
        raise ValidationError(words_of_refusal(error), code="refused") from error
    except Unavailable:
        _give_back(claimed)
        raise
    return account


def words_of_refusal(error: Rejected) -> str:
    """Return what an issuer with rules of its own says of a password that it refuses."""
    return str(error.facts.get("said") or _("The identity server refuses this password."))


@transaction.atomic
def _claim(token: str) -> list[PasswordLink]:
    """Use up all links of the token's account, before the issuer is asked: of two calls at once, one finds none."""
    link = _valid_links(token).first()
    if link is None:
        raise PasswordLinkInvalid
    unused = PasswordLink.objects.select_for_update().filter(subject=link.subject, used_at=None)
    links = list(unused.order_by("pk"))  # of two links opened at once, neither waits for the other
    if link not in links:
        raise PasswordLinkInvalid
    PasswordLink.objects.filter(pk__in=[link.pk for link in links]).update(used_at=timezone.now())
    return links


def _give_back(links: list[PasswordLink]) -> None:
    PasswordLink.objects.filter(pk__in=[link.pk for link in links]).update(used_at=None)


def _valid_links(token: str) -> "QuerySet[PasswordLink]":
    return PasswordLink.objects.filter(token_hash=hash_token(token), used_at=None, expires_at__gt=timezone.now())
