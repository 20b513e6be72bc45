from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone

from accounts.identity import provider
from accounts.identity.realms import current_realm
from accounts.operators.models import Operator
from accounts.people.services import check_profile
from core import audit
from core.actors import SYSTEM, Actor
from core.errors import Invalid


@dataclass(frozen=True, slots=True)
class CreatedOperator:
    """An operator, the address where they set their password (None if one was given), and whether they are new."""

    operator: Operator
    password_link: str | None
    is_new: bool


def create_operator(
    *,
    email: str,
    name: str,
    role: Operator.Role = Operator.Role.SUPER_ADMIN,
    password: str | None = None,
    actor: Actor = SYSTEM,
) -> CreatedOperator:
    """Make the platform's realm if it is missing, an account in it, and the operator. Safe to repeat: a known one stays.

    Raises Invalid for an e-mail address that is none.
    """
    try:
        validate_email(email)
    except ValidationError as error:
        raise Invalid({"email": list(error.messages)}) from None
    issuer = provider()
    issuer.make_realm(None)
    account = issuer.make_account(None, email=email, name=name, password=password)
    operator, is_new = _mirror(subject=account.subject, email=email, name=name, role=role, actor=actor)
    link = None if password else issuer.make_password_link(None, subject=account.subject)
    return CreatedOperator(operator, link, is_new)


@transaction.atomic
def _mirror(*, subject: str, email: str, name: str, role: Operator.Role, actor: Actor) -> tuple[Operator, bool]:
    realm = current_realm()
    operator, created = Operator.objects.get_or_create(
        realm_id=realm.id, subject=subject, defaults={"email": email, "name": name[:120], "role": role}
    )
    if created:
        audit.record(actor=actor, action="operator.added", target=operator, role=operator.role)
    return operator, created


@transaction.atomic
def record_sign_in(*, operator: Operator, email: str) -> None:
    """Note that an operator signed in, and take over the address that the realm has for them now."""
    operator.last_sign_in_at = timezone.now()
    operator.save(update_fields=["last_sign_in_at"])
    audit.record(actor=operator.actor, action="session.started", target=operator)
    if email and email != operator.email:
        operator.email = email
        operator.save(update_fields=["email"])
        audit.record(actor=SYSTEM, action="operator.updated", target=operator)


@transaction.atomic
def update_profile(
    *, operator: Operator, name: str | None = None, language: str | None = None, time_zone: str | None = None
) -> Operator:
    """Change what an operator decides about themselves; what is None stays. Raises Invalid; nothing is written then."""
    changes = check_profile(name=name, language=language, time_zone=time_zone)
    for field, value in changes.items():
        setattr(operator, field, value)
    operator.save(update_fields=list(changes))
    audit.record(actor=operator.actor, action="operator.updated", target=operator)
    return operator
