"""Begins and ends browser sessions."""

from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import Any, Literal
from uuid import UUID

import structlog
from django.db import transaction
from django.utils import timezone

from accounts.identity import provider
from accounts.identity.logout_tokens import LogoutToken
from accounts.identity.realms import RealmRef, current_realm
from accounts.identity.token_endpoint import Tokens, revoke
from accounts.operators.models import Operator
from accounts.operators.services import record_sign_in as record_operator
from accounts.people.models import Person
from accounts.people.services import record_sign_in as record_person
from accounts.principals import Principal
from accounts.sessions.models import BrowserSession
from core import audit
from core.actors import SYSTEM, Actor
from core.errors import Rejected, Unavailable
from core.tenancy import current
from events import publish
from plexica_sdk.events import SessionEnded

SEEN_EVERY = timedelta(minutes=1)
How = Literal["signed_out", "ended", "ended_everywhere", "refused", "back_channel"]
log = structlog.get_logger(__name__)


@transaction.atomic
def begin_session(
    *,
    principal: Principal,
    realm: RealmRef,
    tokens: Tokens,
    claims: dict[str, Any],
    user_agent: str,
    address: str | None,
) -> BrowserSession:
    """Record that somebody signed in with a browser, and keep its tokens."""
    email, name = str(claims.get("email") or ""), str(claims.get("name") or "")
    if isinstance(principal, Person):
        record_person(person=principal, email=email, name=name)
    elif isinstance(principal, Operator):
        record_operator(operator=principal, email=email)
    methods = claims.get("amr") or []
    return BrowserSession.objects.create(
        principal_id=principal.pk,
        realm_id=realm.id,
        subject=str(claims["sub"]),
        issuer_sid=str(claims.get("sid", ""))[:255],
        methods=" ".join(str(method) for method in methods)[:80] if isinstance(methods, list) else "",
        user_agent=user_agent[:300],
        address=address,
        id_token=tokens.id_token,
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token,
        access_expires_at=tokens.expires_at,
    )


def note_seen(principal: Principal, *, address: str | None) -> None:
    """Write down that the session of `principal` was used, and from where, once a minute."""
    state, now = principal.session, timezone.now()
    if state is None or state.last_seen_at > now - SEEN_EVERY:
        return
    BrowserSession.objects.filter(pk=state.id, last_seen_at__lte=now - SEEN_EVERY).update(
        last_seen_at=now, address=address
    )


@transaction.atomic
def end_session(*, principal: Principal, session_id: UUID, how: How) -> bool:
    """End one session of somebody; False if they have none with this id, and nothing is written then.

    From another browser (`ended`) the issuer's own session is ended too, or that browser would be signed in again at once.
    """
    row = BrowserSession.objects.select_for_update().filter(pk=session_id, principal_id=principal.pk).first()
    if row is None:
        return False
    _end([row], whose=principal, how=how, actor=SYSTEM if how == "refused" else principal.actor)
    if how == "ended":
        transaction.on_commit(partial(_end_at_issuer, subject=row.subject, sids=[row.issuer_sid]))
    return True


@transaction.atomic
def end_sessions_of(*, principal: Principal, except_key: UUID | None = None, actor: Actor | None = None) -> int:
    """End all sessions and refresh tokens of somebody, here and at the issuer, but for the session with id `except_key`.

    Returns how many were ended. If the issuer does not answer, a task tries again; here they are over from the commit on.
    """
    found = BrowserSession.objects.select_for_update().filter(principal_id=principal.pk)
    rows = list((found.exclude(pk=except_key) if except_key else found).order_by("pk"))
    _end(rows, whose=principal, how="ended_everywhere", actor=actor or principal.actor)
    if except_key is None:
        transaction.on_commit(partial(_end_at_issuer, subject=principal.subject, sids=None))
    elif rows:
        sids = [row.issuer_sid for row in rows]
        transaction.on_commit(partial(_end_at_issuer, subject=principal.subject, sids=sids))
    return len(rows)


@transaction.atomic
def end_sessions_at_the_issuers_word(*, realm: RealmRef, token: LogoutToken) -> int:
    """End the sessions that a logout token names; return how many there were."""
    rows = BrowserSession.objects.select_for_update().filter(realm_id=realm.id)
    if token.subject:
        rows = rows.filter(subject=token.subject)
    rows = rows.filter(issuer_sid=token.sid) if token.sid else rows.filter(started_at__lte=token.said_at)
    found = list(rows.order_by("pk"))  # in one order everywhere, so that two never wait for each other
    people: Any = Person if current() else Operator
    for whose in people.objects.filter(pk__in={row.principal_id for row in found}):
        own = [row for row in found if row.principal_id == whose.pk]
        _end(own, whose=whose, how="back_channel", actor=SYSTEM)
    return len(found)


def _end(rows: Iterable[BrowserSession], *, whose: Principal, how: How, actor: Actor) -> None:
    for row in rows:
        row_id, refresh_token = row.pk, row.refresh_token
        row.delete()
        audit.record(actor=actor, action="session.ended", target=whose, how=how, session=str(row_id))
        if isinstance(whose, Person):
            publish(SessionEnded(person_id=whose.pk), actor=actor)
        if refresh_token and how != "refused":
            transaction.on_commit(partial(_give_back, row.realm_id, refresh_token))


def _give_back(realm_id: UUID, refresh_token: str) -> None:
    realm = current_realm()
    if realm.id == realm_id:
        revoke(realm, refresh_token)


def _end_at_issuer(*, subject: str, sids: list[str] | None) -> None:
    """End sessions at the issuer, all of them for None; once more by a task if it does not answer."""
    from accounts.tasks import end_sessions_at_issuer

    try:
        try:
            end_at_issuer(subject=subject, sids=sids)
        except Unavailable:
            end_sessions_at_issuer.delay(subject=subject, sids=sids)
    except (Unavailable, Rejected) as error:  # nobody can be asked, or repeating is useless; here they are over
        log.error("sessions_live_on_at_issuer", subject=subject, error=error.code)


def end_at_issuer(*, subject: str, sids: list[str] | None) -> None:
    """End the issuer's own sessions of an account, all of them for None. Raises Unavailable and Rejected."""
    if sids is None:
        provider().end_sessions(current(), subject)
    for sid in sids or []:
        provider().end_session(current(), subject, sid)
