from django.utils.translation import gettext_lazy as _

from core.errors import Conflict, Forbidden, Gone


class AlreadyMember(Conflict):
    """The address is that of somebody in the team."""

    field = "email"
    code = "already_member"
    title = _("Already in the team")
    detail = _("%(email)s belongs to somebody in the team already.")


class AlreadyInvited(Conflict):
    """An invitation to this address is open."""

    field = "email"
    code = "already_invited"
    title = _("Already invited")
    detail = _("%(email)s has an open invitation. Send it again or revoke it.")


class InvitationClosed(Conflict):
    """The invitation was accepted or revoked, so nothing can be done with it."""

    code = "invitation_closed"
    title = _("This invitation is closed")
    detail = _("It was accepted or revoked. Invite %(email)s anew if need be.")


class InvitationInvalid(Gone):
    """The link of an invitation leads nowhere: `why` is accepted, revoked, expired or unknown."""

    code = "invitation_invalid"
    title = _("This invitation does not work any more")
    detail = _("It was used, revoked or replaced by a newer one, or has expired. Ask whoever invited you.")


class InvitationForSomebodyElse(Forbidden):
    """Somebody is signed in whom the invitation does not name."""

    code = "invitation_for_somebody_else"
    title = _("This invitation is for somebody else")
    detail = _("It was sent to %(email)s. Sign out, and open the link again.")


class AccountExists(Conflict):
    """The invited address has an account in the realm."""

    field = "name"
    code = "account_exists"
    title = _("There is an account already")
    detail = _("%(email)s has an account here. Sign in to accept the invitation.")
