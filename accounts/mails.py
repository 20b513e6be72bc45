"""Mails of this room: text and HTML from one pair of templates each."""

from datetime import timedelta

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import get_language

from accounts.identity import provider
from accounts.identity.addresses import origin
from accounts.identity.models import Account
from core.tenancy import current


def send_password_link(account: Account, *, workspace: str) -> None:
    """Send `account` a fresh link to set its password at `workspace`, in the active language and time zone.

    Raises OSError if the mail server does not answer.
    """
    context = {
        "name": account.name,
        "email": account.email,
        "tenant_name": workspace,
        "workspace_url": origin(),
        "expires_at": timezone.now() + timedelta(days=settings.PASSWORD_LINK_DAYS),
        "language": get_language(),
        "link": provider().make_password_link(current(), subject=str(account.pk)),
    }
    mail = EmailMultiAlternatives(
        subject=" ".join(render_to_string("mail/set_password_subject.txt", context).split()),
        body=render_to_string("mail/set_password.txt", context),
        to=[account.email],
    )
    mail.attach_alternative(render_to_string("mail/set_password.html", context), "text/html")
    mail.send()
