"""Refusals of changes of people and roles."""

from django.utils.translation import gettext_lazy as _

from core.errors import Conflict, Forbidden


class LastAdmin(Conflict):
    """Nobody would be left who may do everything."""

    code = "last_admin"
    title = _("This is the last admin")
    detail = _("The workspace needs an active person with the role Admin. Give it to somebody else first.")


class RightsExceeded(Forbidden):
    """Somebody would give or take rights that they do not have themselves."""

    code = "rights_exceeded"
    title = _("That is more than you may do yourself")
    detail = _("Nobody gives, takes away or deals with rights that they do not have. Missing: %(missing)s.")


class OwnAccount(Conflict):
    """Somebody would shut themselves out."""

    code = "own_account"
    title = _("This is you")
    detail = _("Nobody does this to themselves. Another admin can.")


class RoleBuiltin(Conflict):
    """What built-in roles are and hold stands in the code."""

    code = "role_builtin"
    title = _("This role is built in")
    detail = _("%(name)s can be neither changed nor deleted. Make a role of your own instead.")


class RoleChanged(Conflict):
    """Somebody else changed the role meanwhile."""

    code = "role_changed"
    status = 412
    title = _("The role was changed meanwhile")
    detail = _("%(name)s has version %(version)s now. Look at it again and repeat if it still applies.")
