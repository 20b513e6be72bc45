"""Accepting an invitation: by somebody new, by an account that the realm has, by somebody who is in the team already."""

from uuid import UUID

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from accounts.identity import provider
from accounts.identity.links import words_of_refusal
from accounts.identity.models import Account
from accounts.identity.realms import RealmRef, current_realm
from accounts.people.invitations.errors import AccountExists, InvitationForSomebodyElse, InvitationInvalid
from accounts.people.models import Invitation, Person, RoleAssignment
from accounts.people.rights import renew_version
from accounts.people.services import add_person
from accounts.principals import name_faults
from core import audit
from core.crypto import hash_token
from core.errors import Invalid, PlexicaError, Rejected
from core.tenancy import require
from events import publish
from plexica_sdk.events import InvitationAccepted, MemberAdded


def find_by_token(token: str) -> Invitation:
    """Return the open invitation that a link belongs to, with its roles. Raises InvitationInvalid, which says why."""
    invitation = Invitation.objects.prefetch_related("roles").filter(token_hash=hash_token(token)).first()
    state = invitation.state if invitation else "unknown"
    if invitation is None or state != "open":
        raise InvitationInvalid(why=state)
    return invitation


def has_account(invitation: Invitation) -> bool:
    """Say whether the built-in issuer knows the address. Another issuer finds out when it is asked for an account."""
    return current_realm().builtin and Account.objects.filter(email=invitation.email).exists()


def accept_as_new(*, token: str, name: str, password: str) -> Person:
    """Make an account with this password for somebody new, and let them in: they sign in next.

    Raises Invalid, InvitationInvalid, and AccountExists if the address has an account: its owner signs in instead.
    """
    invitation = find_by_token(token)
    _check(invitation, name, password)
    try:
        account = provider().make_account(require(), email=invitation.email, name=name.strip(), password=password)
    except Rejected as error:  # a realm with rules of its own for passwords
        raise Invalid({"password": [words_of_refusal(error)]}) from error
    if not account.created:
        raise AccountExists(email=invitation.email)
    try:
        return _accept(
            invitation.pk,
            token_hash=hash_token(token),
            realm=current_realm(),
            subject=account.subject,
            name=name.strip(),
        )
    except PlexicaError:  # revoked or replaced meanwhile: nobody keeps an account that nobody invited
        provider().delete_account(require(), account.subject)
        raise


def accept_signed_in(*, token: str, person: Person) -> Person:
    """Give the invitation's roles to somebody who is signed in. Raises InvitationInvalid, InvitationForSomebodyElse."""
    invitation = find_by_token(token)
    if person.email.lower() != invitation.email:
        raise InvitationForSomebodyElse(email=invitation.email)
    return _accept(
        invitation.pk, token_hash=invitation.token_hash, realm=person.realm_id, subject=person.subject, name=person.name
    )


def admit(*, realm: RealmRef, subject: str, email: str, name: str, invitation: str = "") -> Person | None:
    """Return the person of an account that signed in, or None if it has no business here.

    `invitation` is the token's hash if the browser opened an invitation's link before: it brings the roles. Without one
    somebody new gets the role that the setting names.
    """
    found = Invitation.objects.filter(token_hash=invitation, email=email.lower()).first() if invitation else None
    if found is not None and found.state == "open":
        try:
            return _accept(found.pk, token_hash=invitation, realm=realm, subject=subject, name=name)
        except InvitationInvalid:  # in this very moment
            pass
    is_known = Person.objects.filter(realm_id=realm.id, subject=subject).exists()
    if not is_known and settings.JOIN_ROLE == "nobody":
        return None
    return add_person(realm=realm, subject=subject, email=email, name=name, role=settings.JOIN_ROLE)


@transaction.atomic
def _accept(invitation_id: UUID, *, token_hash: str, realm: RealmRef | UUID, subject: str, name: str) -> Person:
    renew_version()
    invitation = Invitation.objects.select_for_update().get(pk=invitation_id)
    if invitation.state != "open" or invitation.token_hash != token_hash:
        raise InvitationInvalid(why=invitation.state if invitation.state != "open" else "unknown")
    roles = list(invitation.roles.all())
    person, created = Person.objects.get_or_create(
        realm_id=realm.id if isinstance(realm, RealmRef) else realm,
        subject=subject,
        defaults={"email": invitation.email, "name": name[:120] or invitation.email},
    )
    RoleAssignment.objects.bulk_create(
        [RoleAssignment(person=person, role=role) for role in roles], ignore_conflicts=True
    )
    invitation.accepted_at = timezone.now()
    invitation.save(update_fields=["accepted_at"])
    names = [role.name for role in roles]
    if created:
        audit.record(actor=person.actor, action="member.added", target=person, roles=names)
        publish(MemberAdded(person_id=person.pk), actor=person.actor)
    audit.record(actor=person.actor, action="invitation.accepted", target=invitation, roles=names)
    publish(InvitationAccepted(invitation_id=invitation.pk, person_id=person.pk), actor=person.actor)
    return person


def _check(invitation: Invitation, name: str, password: str) -> None:
    errors: dict[str, list[str]] = {}
    if faults := name_faults(name):
        errors["name"] = faults
    try:
        validate_password(password, user=Account(email=invitation.email, name=name))
    except ValidationError as error:
        errors["password"] = list(error.messages)
    if errors:
        raise Invalid(errors)
