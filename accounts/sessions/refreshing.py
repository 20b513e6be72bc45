"""Keeps the tokens of a browser session fresh, and ends it when the issuer says no.

The refresh token counts once. So of several requests at the same time one takes a lease in the row and asks the issuer;
the others go on with the token that is still good, or wait for the answer if it is not.

No transaction is open while the issuer is asked, and the lease is in the database before.
"""

import time
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from accounts.identity.realms import RealmRef, current_realm
from accounts.identity.token_endpoint import GrantRefused, Tokens, refresh
from accounts.identity.transport import TIMEOUT_S
from accounts.principals import Principal
from accounts.sessions.models import BrowserSession
from accounts.sessions.services import end_session
from core.errors import Rejected, Unavailable
from core.tenancy import outside_transaction

AHEAD: Final = timedelta(seconds=60)  # so long before the access token lapses
LEASE: Final = timedelta(seconds=3 * TIMEOUT_S)  # discovery, tokens and keys may each take so long
RETRY: Final = timedelta(seconds=15)  # after an issuer that did not answer
WAIT_S: Final = 0.05
log = structlog.get_logger(__name__)


def keep_fresh(principal: Principal) -> bool:
    """Say whether the session of `principal` goes on, after getting new tokens if it is time for that."""
    state, now = principal.session, timezone.now()
    if state is None or now < state.access_expires_at - AHEAD:
        return state is not None
    if _take_lease(state.id, now):
        return _refresh(principal, state.id)
    return now < state.access_expires_at or _wait_for_another(principal, state.id)


def _take_lease(session_id: UUID, now: datetime) -> bool:
    free = Q(refresh_leased_until=None) | Q(refresh_leased_until__lte=now)
    due = Q(refresh_failed_at=None) | Q(refresh_failed_at__lte=now - RETRY)
    row = BrowserSession.objects.filter(free, due, pk=session_id, access_expires_at__lte=now + AHEAD)
    return bool(row.update(refresh_leased_until=now + LEASE))


def _refresh(principal: Principal, session_id: UUID) -> bool:
    """Ask the issuer, holding the lease; no transaction of ours is open meanwhile."""
    row, realm = BrowserSession.objects.filter(pk=session_id).first(), _realm()
    if row is None:
        return False
    try:
        tokens = _ask(realm, row)
    except GrantRefused as refusal:
        log.info("session_refused", session=str(row.pk), reason=str(refusal))
        end_session(principal=principal, session_id=row.pk, how="refused")
        return False
    except (Unavailable, Rejected):
        now = timezone.now()
        BrowserSession.objects.filter(pk=row.pk).update(refresh_leased_until=None, refresh_failed_at=now)
        return _is_within_grace(row.access_expires_at)
    return _keep(row, tokens)


def _realm() -> RealmRef | None:
    try:
        return current_realm()
    except Unavailable:
        return None


def _ask(realm: RealmRef | None, row: BrowserSession) -> Tokens:
    if realm is None:
        raise Unavailable(part="issuer")
    if row.realm_id != realm.id:
        raise GrantRefused("the workspace has another issuer now")
    if not row.refresh_token:
        raise GrantRefused("the issuer gave no refresh token")
    return refresh(realm, row.refresh_token, subject=row.subject)


def _keep(row: BrowserSession, tokens: Tokens) -> bool:
    """Write the new tokens, unless the session was ended while we asked."""
    row.access_token, row.access_expires_at = tokens.access_token, tokens.expires_at
    row.refresh_token = tokens.refresh_token or row.refresh_token
    row.id_token = tokens.id_token or row.id_token
    fields = ("access_token", "access_expires_at", "refresh_token", "id_token")
    changes = {name: getattr(row, name) for name in fields}
    kept = BrowserSession.objects.filter(pk=row.pk)
    return bool(kept.update(**changes, refresh_leased_until=None, refresh_failed_at=None))


def _wait_for_another(principal: Principal, session_id: UUID) -> bool:
    """The token has lapsed and another request is at the issuer, or found it silent a moment ago."""
    deadline = time.monotonic() + LEASE.total_seconds()
    while time.monotonic() < deadline:
        states = BrowserSession.objects.filter(pk=session_id).values_list(
            "access_expires_at", "refresh_leased_until", "refresh_failed_at"
        )
        row = states.first()
        if row is None:
            return False
        expires_at, leased_until, failed_at = row
        now = timezone.now()
        if expires_at > now:
            return True
        if leased_until is None or leased_until <= now:
            if failed_at and failed_at > now - RETRY:
                return _is_within_grace(expires_at)
            if _take_lease(session_id, now):
                return _refresh(principal, session_id)
        with outside_transaction():
            time.sleep(WAIT_S)
    return False


def _is_within_grace(access_expires_at: datetime) -> bool:
    return timezone.now() < access_expires_at + settings.SESSION_GRACE
