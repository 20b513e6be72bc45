from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.people.models import Invitation
from core.errors import NotFound

STATES = ("open", "expired", "accepted", "revoked")


def list_invitations(*, state: str = "", query: str = "") -> QuerySet[Invitation]:
    """Return invitations, newest first, with their roles; `query` looks into the address."""
    found = Invitation.objects.prefetch_related("roles").order_by("-created_at", "-id")
    if query:
        found = found.filter(email__icontains=query)
    return found.filter(_in_state(state)) if state else found


def get_invitation(invitation_id: UUID) -> Invitation:
    """Return an invitation with its roles. Raises NotFound."""
    found = Invitation.objects.prefetch_related("roles").filter(pk=invitation_id).first()
    if found is None:
        raise NotFound
    return found


def _in_state(state: str) -> Q:
    unanswered = Q(accepted_at=None, revoked_at=None)
    return {
        "open": unanswered & Q(expires_at__gt=timezone.now()),
        "expired": unanswered & Q(expires_at__lte=timezone.now()),
        "accepted": ~Q(accepted_at=None),
        "revoked": ~Q(revoked_at=None),
    }[state]
