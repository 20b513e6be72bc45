"""Changes super admins make to who runs the platform: somebody new, another role, kept out, let in again."""

from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy

from accounts.operators.models import Operator
from accounts.operators.services import CreatedOperator, create_operator
from accounts.people.errors import OwnAccount
from accounts.principals import STATUSES, name_faults
from core import audit
from core.actors import Actor
from core.errors import Conflict, Invalid, NotFound


class OperatorExists(Conflict):
    """The address is an operator's: a link for it would hand over their account."""

    code = "operator_exists"
    field = "email"
    title = gettext_lazy("Already an operator")
    detail = gettext_lazy("%(email)s is an operator already.")


class LastSuperAdmin(Conflict):
    """Nobody would be left who may change anything."""

    code = "last_super_admin"
    field = "role"
    title = gettext_lazy("This is the last super admin")
    detail = gettext_lazy("The platform needs an active super admin. Make somebody else one first.")


def list_operators(*, query: str = "", role: str = "", status: str = "") -> QuerySet[Operator]:
    """Return operators by name; `query` looks into name and e-mail address, `status` is one of STATUSES."""
    found = Operator.objects.order_by("name", "id")
    if query:
        found = found.filter(Q(name__icontains=query) | Q(email__icontains=query))
    if role:
        found = found.filter(role=role)
    return found.filter(STATUSES[status]) if status else found


def get_operator(operator_id: UUID) -> Operator:
    """Return an operator. Raises NotFound."""
    found = Operator.objects.filter(pk=operator_id).first()
    if found is None:
        raise NotFound
    return found


def add_operator(*, email: str, name: str, role: str, actor: Actor) -> CreatedOperator:
    """Make an operator, mail them a link that sets their password, and return one. Raises Invalid, OperatorExists."""
    email = email.strip().lower()
    if faults := name_faults(name):
        raise Invalid({"name": faults})
    if Operator.objects.filter(email__iexact=email).exists():
        raise OperatorExists(email=email)
    created = create_operator(email=email, name=name.strip(), role=Operator.Role(role), actor=actor)
    if not created.is_new:  # somebody else has added them in this very moment
        raise OperatorExists(email=email)
    _mail_link(created.operator, actor)
    return created


@transaction.atomic
def change_operator(
    *, operator_id: UUID, actor: Actor, role: str | None = None, is_active: bool | None = None
) -> Operator:
    """Set the role, and whether somebody may sign in; what is None stays. All of it or nothing.

    Raises what `change_role`, `disable_operator` and `enable_operator` raise.
    """
    operator = _locked(operator_id)
    if role is not None:
        operator = change_role(operator_id=operator_id, role=role, actor=actor)
    if is_active is not None:
        change = enable_operator if is_active else disable_operator
        operator = change(operator_id=operator_id, actor=actor)
    return operator


@transaction.atomic
def change_role(*, operator_id: UUID, role: str, actor: Actor) -> Operator:
    """Make somebody super admin or support, from their next request on. Safe to repeat. Raises NotFound, LastSuperAdmin."""
    operator = _locked(operator_id)
    before, operator.role = operator.role, Operator.Role(role)
    if before == operator.role:
        return operator
    operator.save(update_fields=["role"])
    _refuse_without_super_admin()
    audit.record(actor=actor, action="operator.role_changed", target=operator, before=before, after=operator.role)
    return operator


@transaction.atomic
def disable_operator(*, operator_id: UUID, actor: Actor) -> Operator:
    """Keep somebody out from their next request on. Safe to repeat. Raises NotFound, OwnAccount, LastSuperAdmin."""
    operator = _locked(operator_id)
    if operator.pk == actor.id:
        raise OwnAccount
    if not operator.is_active:
        return operator
    operator.is_active = False
    operator.save(update_fields=["is_active"])
    _refuse_without_super_admin()
    audit.record(actor=actor, action="operator.disabled", target=operator)
    _tell_the_realm(operator)
    return operator


@transaction.atomic
def enable_operator(*, operator_id: UUID, actor: Actor) -> Operator:
    """Let somebody who was disabled sign in again. Safe to repeat. Raises NotFound."""
    operator = _locked(operator_id)
    if operator.is_active:
        return operator
    operator.is_active = True
    operator.save(update_fields=["is_active"])
    audit.record(actor=actor, action="operator.enabled", target=operator)
    _tell_the_realm(operator)
    return operator


def _locked(operator_id: UUID) -> Operator:
    """Lock every operator, in order, so that of two changes at once the second sees what the first left."""
    everybody = {operator.pk: operator for operator in Operator.objects.select_for_update().order_by("pk")}
    if operator_id not in everybody:
        raise NotFound
    return everybody[operator_id]


def _refuse_without_super_admin() -> None:
    if not Operator.objects.filter(is_active=True, role=Operator.Role.SUPER_ADMIN).exists():
        raise LastSuperAdmin


def _mail_link(operator: Operator, actor: Actor) -> None:
    from accounts.tasks import mail_operator_link

    # whoever made them was shown a link, too
    said = {"operator_id": str(operator.pk), "inviter": actor.name}
    transaction.on_commit(partial(mail_operator_link.delay, **said), robust=True)


def _tell_the_realm(operator: Operator) -> None:
    from accounts.tasks import settle_operator

    # they are kept out here whatever the realm says; it is told as soon as it answers
    transaction.on_commit(partial(settle_operator.delay, str(operator.pk)), robust=True)
