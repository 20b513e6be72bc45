import secrets
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.people.invitations.errors import AlreadyInvited, AlreadyMember, InvitationClosed
from accounts.people.invitations.selectors import get_invitation
from accounts.people.models import Invitation, InvitationRole, Person, Role
from accounts.people.services.limits import refuse_beyond
from core import audit
from core.actors import Actor
from core.crypto import hash_token
from core.errors import Invalid
from core.idempotency.services import IdempotentCall, recall, remember
from events import publish
from plexica_sdk.events import InvitationRevoked, InvitationSent

MAX_AT_ONCE = 50


@transaction.atomic
def invite(*, email: str, roles: Sequence[str], actor: Actor, call: IdempotentCall | None = None) -> Invitation:
    """Invite one address; the mail follows the commit. `roles` are names.

    Raises Invalid, AlreadyMember, AlreadyInvited, and RightsExceeded for roles that hold more than who invites.
    """
    known = recall(call) if call else None
    if known:
        return get_invitation(UUID(known.location))
    invitation = _invite(email, _roles_to_give(roles, actor), actor)
    if call:
        remember(call, status=201, location=str(invitation.pk))
    return invitation


@transaction.atomic
def invite_all(*, emails: Sequence[str], roles: Sequence[str], actor: Actor) -> list[Invitation]:
    """Invite several addresses, or nobody. Raises Invalid, which names each address that cannot be invited; RightsExceeded."""
    given = _roles_to_give(roles, actor)
    invited, faults = [], []
    # in one order, so that two lists never wait for each other
    for email in sorted({email.strip().lower() for email in emails}):
        try:
            invited.append(_invite(email, given, actor))
        except (AlreadyMember, AlreadyInvited) as error:
            faults.append(str(error))
        except Invalid:
            faults.append(_("%(email)s is no e-mail address.") % {"email": email})
    if len(invited) > MAX_AT_ONCE:
        faults.append(_("Invite at most %(count)d people at once.") % {"count": MAX_AT_ONCE})
    if faults:
        raise Invalid({"emails": faults})
    return invited


def _roles_to_give(names: Sequence[str], actor: Actor) -> list[Role]:
    # locked: whoever deletes one of them meanwhile finds the invitation, and takes the role away from it
    kept = Role.objects.select_for_update(no_key=True).filter(name__in=names).order_by("pk")
    found = {role.name: role for role in kept}
    if not names:
        raise Invalid({"roles": [_("Choose at least one role.")]})
    if unknown := [name for name in names if name not in found]:
        raise Invalid({"roles": [_("There is no role %(name)s.") % {"name": name} for name in unknown]})
    refuse_beyond(actor, roles=found.values())
    return list(found.values())


def _invite(email: str, roles: list[Role], actor: Actor) -> Invitation:
    email = _checked(email)
    if Person.objects.filter(email__iexact=email).exists():
        raise AlreadyMember(email=email)
    now = timezone.now()
    earlier = Invitation.objects.select_for_update().filter(email=email, accepted_at=None, revoked_at=None).first()
    if earlier and not earlier.is_expired:
        raise AlreadyInvited(email=email)
    if earlier:
        earlier.revoked_at = now
        earlier.save(update_fields=["revoked_at"])
    try:
        with transaction.atomic():
            invitation = Invitation.objects.create(
                email=email,
                token_hash=_nobody_knows(),
                expires_at=now + _life(),
                invited_by_name=actor.name[:120],
            )
    except IntegrityError:  # somebody else has invited them in this very moment
        raise AlreadyInvited(email=email) from None
    InvitationRole.objects.bulk_create(InvitationRole(invitation=invitation, role=role) for role in roles)
    audit.record(actor=actor, action="invitation.sent", target=invitation, roles=[role.name for role in roles])
    publish(InvitationSent(invitation_id=invitation.pk), actor=actor)
    _mail_after_commit(invitation)
    return invitation


@transaction.atomic
def resend_invitation(*, invitation_id: UUID, actor: Actor) -> Invitation:
    """Send another link, good for as long as a new one; the old one is dead from now on.

    Raises InvitationClosed, RightsExceeded.
    """
    invitation = _locked(invitation_id)
    refuse_beyond(actor, roles=invitation.roles.all())
    invitation.token_hash = _nobody_knows()
    invitation.expires_at = timezone.now() + _life()
    invitation.mailed_at = None
    invitation.save(update_fields=["token_hash", "expires_at", "mailed_at"])
    audit.record(actor=actor, action="invitation.resent", target=invitation)
    _mail_after_commit(invitation)
    return invitation


@transaction.atomic
def revoke_invitation(*, invitation_id: UUID, actor: Actor) -> Invitation:
    """Take an invitation back: its link is dead from now on. Raises InvitationClosed."""
    invitation = _locked(invitation_id)
    invitation.revoked_at = timezone.now()
    invitation.save(update_fields=["revoked_at"])
    audit.record(actor=actor, action="invitation.revoked", target=invitation)
    publish(InvitationRevoked(invitation_id=invitation.pk), actor=actor)
    return invitation


@transaction.atomic
def issue_token(*, invitation_id: UUID) -> str | None:
    """Make the token that the next mail carries, in place of any before; None if nobody waits for it any more."""
    invitation = Invitation.objects.select_for_update().filter(pk=invitation_id).first()
    if invitation is None or invitation.state != "open":
        return None
    token = secrets.token_urlsafe(32)
    invitation.token_hash = hash_token(token)
    invitation.save(update_fields=["token_hash"])
    return token


@transaction.atomic
def note_mailed(*, invitation_id: UUID) -> None:
    """Note that the mail went out."""
    Invitation.objects.filter(pk=invitation_id).update(mailed_at=timezone.now())


def _locked(invitation_id: UUID) -> Invitation:
    get_invitation(invitation_id)
    invitation = Invitation.objects.select_for_update().get(pk=invitation_id)
    if invitation.accepted_at or invitation.revoked_at:
        raise InvitationClosed(email=invitation.email)
    return invitation


def _mail_after_commit(invitation: Invitation) -> None:
    from accounts.tasks import mail_invitation

    # a queue that is away must not undo what was committed: the list says that the mail waits, and sends it again
    transaction.on_commit(partial(mail_invitation.delay, str(invitation.pk)), robust=True)


def _checked(email: str) -> str:
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError as error:
        raise Invalid({"email": list(error.messages)}) from None
    if len(email) > 254:
        raise Invalid({"email": [_("Enter an address of at most 254 characters.")]})
    return email


def _life() -> timedelta:
    return timedelta(days=settings.INVITATION_DAYS)


def _nobody_knows() -> str:
    return hash_token(secrets.token_urlsafe(32))
