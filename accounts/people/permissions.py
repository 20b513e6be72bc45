"""The permissions of the workspace itself, and the rules that narrow them."""

from django.utils.translation import gettext_lazy as _

from accounts.people.models import Person, Role
from accounts.people.services.limits import missing_for
from accounts.permissions import Permission


def holds_no_more(person: Person, thing: object) -> bool:
    """Let people deal with those alone who hold nothing that they lack themselves; with a role, likewise."""
    if isinstance(thing, Person):
        return not missing_for(person.pk, person=thing)
    if isinstance(thing, Role):
        return not missing_for(person.pk, roles=[thing])
    return True


PERMISSIONS = [
    Permission("team.view", _("See the team"), _("Team"), builtin_roles=("user",)),
    Permission("team.invite", _("Invite people"), _("Team")),
    Permission("team.manage", _("Give people roles, disable and remove them"), _("Team"), rule=holds_no_more),
    Permission("role.manage", _("Make, change and delete roles"), _("Roles"), rule=holds_no_more),
    Permission("api_client.manage", _("Make and revoke API clients"), _("API clients")),
    Permission("webhook.manage", _("Make and manage webhooks"), _("Webhooks")),
    Permission("settings.manage", _("Change the workspace’s settings"), _("Settings")),
]
