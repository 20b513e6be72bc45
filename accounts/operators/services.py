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
    """An operator, and the address where they set their password (None if one was given)."""

    operator: Operator
    password_link: str | None


def create_operator(*, email: str, name: str, password: str | None = None, actor: Actor = SYSTEM) -> CreatedOperator:
    """Make the platform's realm if it is missing, an account in it, and the operator. Safe to repeat.

    Raises Invalid for an e-mail address that is none.
    """
    try:
        validate_email(email)
    except ValidationError as error:
        raise Invalid({"email": list(error.messages)}) from None
    issuer = provider()
    issuer.make_realm(None)
    account = issuer.make_account(None, email=email, name=name, password=password)
    operator = _mirror(subject=account.subject, email=email, name=name, actor=actor)
    link = None if password else issuer.make_password_link(None, subject=account.subject)
    return CreatedOperator(operator, link)


@transaction.atomic
def _mirror(*, subject: str, email: str, name: str, actor: Actor) -> Operator:
    realm = current_realm()
    operator, created = Operator.objects.get_or_create(
        realm_id=realm.id, subject=subject, defaults={"email": email, "name": name[:120]}
    )
    if created:
        audit.record(actor=actor, action="operator.added", target=operator)
    return operator


@transaction.atomic
def record_sign_in(*, operator: Operator) -> None:
    """Note that an operator signed in."""
    operator.last_sign_in_at = timezone.now()
    operator.save(update_fields=["last_sign_in_at"])
    audit.record(actor=operator.actor, action="session.started", target=operator)


@transaction.atomic
def update_profile(*, operator: Operator, name: str, language: str, time_zone: str) -> Operator:
    """Change what an operator decides about themselves. Raises Invalid; nothing is written then."""
    changes = check_profile(name=name, language=language, time_zone=time_zone)
    for field, value in changes.items():
        setattr(operator, field, value)
    operator.save(update_fields=list(changes))
    audit.record(actor=operator.actor, action="operator.updated", target=operator)
    return operator
