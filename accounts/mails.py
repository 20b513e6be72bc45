"""Mails of this room: text and HTML from one pair of templates each."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language

from accounts.identity import models, provider
from accounts.identity.addresses import origin
from accounts.identity.port import Account
from accounts.operators.models import Operator
from accounts.people.models import Invitation, Person
from core.tenancy import current, require
from events.webhooks.models import Webhook
from tenants.preferences.brand import button_colours

CONSOLE_COLOUR = "#a64f22"  # copper, as on its pages


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
        "link": provider().make_password_link(current(), subject=account.subject),
    }
    _send("set_password", account.email, context)


def send_operator_link(operator: Operator, *, inviter: str) -> None:
    """Send somebody who is to run the platform a link to set their password, in the active language.

    Raises OSError if the mail server does not answer.
    """
    context = {
        "name": operator.name,
        "email": operator.email,
        "inviter": inviter,
        "role": operator.get_role_display(),
        "tenant_name": "Plexica",
        "console_url": f"{origin()}{reverse('console_home', urlconf=settings.PLATFORM_URLCONF)}",
        "expires_at": timezone.now() + timedelta(days=settings.PASSWORD_LINK_DAYS),
        "language": get_language(),
        "link": provider().make_password_link(None, subject=operator.subject),
        "button": button_colours(CONSOLE_COLOUR),
    }
    _send("operator", operator.email, context)


def send_reset_link(account: models.Account, *, link: str, lasts: timedelta) -> None:
    """Send the link with which a forgotten password is replaced, in the active language and time zone.

    Raises OSError if the mail server does not answer.
    """
    ref = current()
    context = {
        "name": account.name,
        "tenant_name": ref.name if ref else "Plexica",
        "expires_at": timezone.now() + lasts,
        "language": get_language(),
        "link": link,
    }
    _send("reset_password", account.email, context)


def send_lock_notice(account: models.Account, *, attempts: int, until: datetime, kind: str) -> None:
    """Tell somebody that their account is locked and how to open it, in the active language and time zone.

    Raises OSError if the mail server does not answer.
    """
    ref = current()
    context = {
        "name": account.name,
        "tenant_name": ref.name if ref else "Plexica",
        "attempts": attempts,
        "until": until,
        "kind": kind,
        "language": get_language(),
        "link": f"{origin()}{reverse('forgot_password')}",
    }
    _send("account_locked", account.email, context)


def send_two_factor_notice(account: Account, *, change: str) -> None:
    """Tell somebody of their second factor, in the active language: that it is `on`, `off`, had a `reset` by somebody
    else, has `moved` with the realm, or was `lost` by that. Raises OSError if the mail server does not answer.
    """
    ref = current()
    context = {
        "name": account.name,
        "tenant_name": ref.name if ref else "Plexica",
        "change": change,
        "language": get_language(),
        "link": f"{origin()}{'/' if ref else '/console/'}",
    }
    _send("two_factor_changed", account.email, context)


def send_invitation(invitation: Invitation, *, token: str, workspace: str, colour: str) -> None:
    """Send the link that lets somebody in, in the active language and time zone, with the workspace's colour.

    Raises OSError if the mail server does not answer.
    """
    context = {
        "email": invitation.email,
        "inviter": invitation.invited_by_name,
        "roles": [role.shown_label for role in invitation.roles.all()],
        "tenant_name": workspace,
        "workspace_url": origin(),
        "expires_at": invitation.expires_at,
        "language": get_language(),
        "link": f"{origin()}{reverse('invitation', args=[token], urlconf=settings.TENANT_URLCONF)}",
        "button": button_colours(colour),
    }
    _send("invitation", invitation.email, context)


def send_webhook_notice(person: Person, *, webhook: Webhook) -> None:
    """Tell somebody that nothing is sent to a webhook any more, in the active language and time zone.

    Raises OSError if the mail server does not answer.
    """
    context = {
        "name": person.name,
        "webhook": str(webhook),
        "host": webhook.host,
        "reason": webhook.disabled_because,
        "disabled_at": webhook.disabled_at,
        "tenant_name": require().name,
        "language": get_language(),
        "link": f"{origin()}{reverse('webhook_detail', args=[webhook.pk], urlconf=settings.TENANT_URLCONF)}",
    }
    _send("webhook_disabled", person.email, context)


def _send(template: str, to: str, context: dict[str, Any]) -> None:
    mail = EmailMultiAlternatives(
        subject=" ".join(render_to_string(f"mail/{template}_subject.txt", context).split()),
        body=render_to_string(f"mail/{template}.txt", context),
        to=[to],
    )
    mail.attach_alternative(render_to_string(f"mail/{template}.html", context), "text/html")
    mail.send()
