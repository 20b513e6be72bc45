"""What others may do about somebody's second factor: ask one of everybody, and take a lost one away."""

from uuid import UUID

from django.db import transaction

from accounts.identity import provider
from accounts.identity.two_factor_rule import two_factor_required
from accounts.operators.models import Operator
from accounts.operators.team import get_operator
from accounts.people.errors import OwnAccount
from accounts.people.models import Person
from accounts.people.selectors import get_person
from accounts.people.services.limits import refuse_beyond
from accounts.sessions.services import end_sessions_of
from accounts.two_factor import tell
from core import audit
from core.actors import Actor
from core.tenancy import current
from tenants.preferences.models import Preferences


@transaction.atomic
def require_two_factor(*, required: bool, actor: Actor) -> Preferences:
    """Ask a second factor of everybody of the workspace at their next sign-in, or leave it to them. Safe to repeat.

    A realm elsewhere is told by a task.
    """
    from accounts.tasks import settle_two_factor_rule

    preferences = Preferences.objects.select_for_update().get(pk=1)
    if preferences.two_factor_required == required:
        return preferences
    preferences.two_factor_required = required
    preferences.version += 1
    preferences.save(update_fields=["two_factor_required", "version"])
    audit.record(actor=actor, action="two_factor.required", required=required)
    transaction.on_commit(settle_two_factor_rule.delay, robust=True)  # an hourly job finds it, too
    return preferences


def settle_rule() -> None:
    """Let the current realm ask for second factors as the rule here says. Safe to repeat. Raises Unavailable."""
    provider().require_two_factor(current(), two_factor_required())


def reset_person(*, person_id: UUID, actor: Actor) -> Person:
    """Take somebody's app and recovery codes away, who has lost both; they are told, and their sessions end.

    Nobody does it to themselves: it would be a way around the code. Safe to repeat.

    Raises NotFound, OwnAccount, RightsExceeded, Unavailable.
    """
    person = get_person(person_id)
    if person.pk == actor.id:
        raise OwnAccount
    refuse_beyond(actor, person=person)
    _reset(person, actor)
    return person


def reset_operator(*, operator_id: UUID, actor: Actor) -> Operator:
    """The same for an operator. Raises NotFound, OwnAccount, Unavailable."""
    operator = get_operator(operator_id)
    if operator.pk == actor.id:
        raise OwnAccount
    _reset(operator, actor)
    return operator


def _reset(whose: Person | Operator, actor: Actor) -> None:
    provider().remove_second_factor(current(), whose.subject)
    with transaction.atomic():
        audit.record(actor=actor, action="two_factor.reset", target=whose)
        tell(whose.subject, "reset")
        end_sessions_of(principal=whose, actor=actor)
