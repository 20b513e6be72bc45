"""Celery tasks of this room; they run inside the tenant that they were sent from."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from django.conf import settings
from django.utils import timezone, translation

from accounts import doors
from accounts.housekeeping import clear_old_rows as clear_old_rows_here
from accounts.identity import provider
from accounts.identity.builtin.rotation import rotate_old_keys as rotate_old_keys_here
from accounts.identity.realms import current_realm
from accounts.lockouts import mail_lock
from accounts.lockouts import note_lockouts as note_lockouts_here
from accounts.mails import (
    send_invitation,
    send_operator_link,
    send_password_link,
    send_two_factor_notice,
    send_webhook_notice,
)
from accounts.operators.models import Operator
from accounts.owners import as_they_read, owner_of
from accounts.passwords import mail_reset
from accounts.people.forgetting import forget_names as forget_names_here
from accounts.people.invitations.selectors import get_invitation
from accounts.people.invitations.services import issue_token, note_mailed
from accounts.people.models import Person
from accounts.people.realm import settle_account as settle_account_here
from accounts.people.sync import sync_people as sync_people_here
from accounts.second_factors import settle_rule
from accounts.sessions.services import end_at_issuer
from core.celery import app
from core.errors import Rejected, Unavailable
from core.tenancy import current, require
from events.webhooks.models import Webhook
from tenants.preferences.models import Preferences
from tenants.preferences.selectors import get_preferences
from tenants.rounds import visit_tenants

log = structlog.get_logger(__name__)


@contextmanager
def _as_the_workspace_reads() -> Iterator[Preferences]:
    """Speak the tenant's language, in its time zone."""
    preferences = get_preferences()
    with translation.override(preferences.language or "en"), timezone.override(ZoneInfo(preferences.time_zone)):
        yield preferences


@app.task(autoretry_for=(OSError, Unavailable), retry_backoff=5, max_retries=8)
def mail_password_link(subject: str) -> None:
    """Send an account a link to set its password, in the tenant's language and time zone."""
    account = provider().find_account(current(), subject)
    if account is None:  # removed meanwhile
        return
    with _as_the_workspace_reads():
        send_password_link(account, workspace=require().name)


@app.task(autoretry_for=(OSError, Unavailable), retry_backoff=5, max_retries=8)
def mail_operator_link(operator_id: str, inviter: str) -> None:
    """Send a new operator a link to set their password; nothing to one who has signed in, or is disabled."""
    operator = Operator.objects.get(pk=operator_id)
    if operator.status == "invited":
        with translation.override(operator.language or settings.LANGUAGE_CODE):
            send_operator_link(operator, inviter=inviter)


@app.task(autoretry_for=(OSError,), retry_backoff=5, max_retries=8)
def mail_reset_link(subject: str, language: str) -> None:
    """Send an account a link to replace its password, in the language in which it was asked for; nothing to unknown ones."""
    with translation.override(language):
        mail_reset(subject=subject)


@app.task
def note_lockouts() -> None:
    """Let the audit log and the owners know of accounts that were locked in the realm that this was sent from."""
    note_lockouts_here()


@app.task(autoretry_for=(OSError,), retry_backoff=5, max_retries=8)
def mail_lock_notice(counter_id: str) -> None:
    """Tell somebody that their account is locked, in their language."""
    mail_lock(counter_id=UUID(counter_id))


@app.task(autoretry_for=(OSError, Unavailable), retry_backoff=5, max_retries=8)
def mail_two_factor_notice(subject: str, change: str) -> None:
    """Tell somebody that their second factor was switched on or off, or reset, in their language."""
    account = provider().find_account(current(), subject)
    if account is not None:
        with as_they_read(owner_of(subject)):
            send_two_factor_notice(account, change=change)


@app.task(autoretry_for=(Unavailable,), retry_backoff=5, max_retries=8)
def settle_two_factor_rule() -> None:
    """Let a realm elsewhere ask for second factors as the workspace wants it."""
    settle_rule()


@app.task(autoretry_for=(OSError,), retry_backoff=5, max_retries=8)
def mail_webhook_disabled(person_id: str, webhook_id: str) -> None:
    """Tell somebody who manages webhooks that one was disabled, in their language; nothing if it was enabled meanwhile."""
    person = Person.objects.filter(pk=person_id, is_active=True).first()
    webhook = Webhook.objects.filter(pk=webhook_id, status=Webhook.Status.DISABLED).first()
    if person is None or webhook is None:
        return
    with as_they_read(person):
        send_webhook_notice(person, webhook=webhook)


@app.task
def rotate_old_keys() -> None:
    """Give realms at the built-in issuer new keys where the last ones are old enough."""
    rotate_old_keys_here()
    visit_tenants(lambda tenant: rotate_old_keys_here())


@app.task(autoretry_for=(OSError, Unavailable), retry_backoff=5, max_retries=8)
def end_sessions_at_issuer(subject: str, sids: list[str] | None) -> None:
    """End an account's sessions at the issuer, which did not answer when they were ended here."""
    end_at_issuer(subject=subject, sids=sids)


@app.task(autoretry_for=(OSError, Unavailable), retry_backoff=5, max_retries=8)
def mail_invitation(invitation_id: str) -> None:
    """Send an invitation's link, in the tenant's language and look; nothing if it was closed meanwhile.

    The token is made here, so that no queue ever holds it; a mail that is tried again brings another.
    """
    token = issue_token(invitation_id=UUID(invitation_id))
    if token is None:
        return
    with _as_the_workspace_reads() as preferences:
        send_invitation(
            get_invitation(UUID(invitation_id)),
            token=token,
            workspace=preferences.name,
            colour=preferences.brand_colour,
        )
    note_mailed(invitation_id=UUID(invitation_id))


@app.task(autoretry_for=(Unavailable,), retry_backoff=5, max_retries=12)
def forget_client(client_id: str) -> None:
    """Take a revoked API client away from the realm."""
    provider().delete_client(current(), client_id)


@app.task(autoretry_for=(OSError, Unavailable), retry_backoff=5, max_retries=8)
def settle_account(person_id: str) -> None:
    """Bring somebody's account at the issuer into line: disabled, enabled or deleted, as the person is here."""
    settle_account_here(UUID(person_id))


@app.task
def forget_names() -> None:
    """Take the names of removed people out of the audit log: of the tenant that sent this, else of all."""
    if current():
        forget_names_here(require())
        return
    visit_tenants(lambda tenant: forget_names_here(tenant.ref))


@app.task(autoretry_for=(Unavailable,), retry_backoff=5, max_retries=12)
def settle_operator(operator_id: str) -> None:
    """Let an operator's account sign in at the platform's realm, or not, as the operator is here."""
    operator = Operator.objects.get(pk=operator_id)
    provider().set_account_active(None, operator.subject, operator.is_active)


@app.task
def sync_people() -> None:
    """Let every tenant's people follow their accounts in the realm, and each realm the rule about second factors."""
    _settle_rule_elsewhere()
    visit_tenants(lambda tenant: sync_people_here())
    visit_tenants(lambda tenant: _settle_rule_elsewhere())


def _settle_rule_elsewhere() -> None:
    try:
        if not current_realm().builtin:
            settle_rule()
    except (Unavailable, Rejected) as error:
        log.warning("two_factor_rule_not_settled", error=error.code)


@app.task
def clear_old_rows() -> None:
    """Delete what has expired, on the platform and in every tenant that is there."""
    clear_old_rows_here()
    visit_tenants(lambda tenant: clear_old_rows_here())


@app.task
def match_realms(tenant_id: str | None = None) -> None:
    """Open and close realms at Keycloak as their tenants are; a beat looks for what no message told."""
    doors.match_realms(UUID(tenant_id) if tenant_id else None)
