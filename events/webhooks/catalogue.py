"""The events that a webhook can ask for, by name or by pattern, and how pages call them; a test finds each one here."""

from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatchcase

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from plexica_sdk.events import Event

EVERYTHING = "plexica.*"
TEST = "plexica.webhook.test"  # what is sent to try an address; nobody publishes or chooses it

GROUPS: dict[str, Promise] = {
    "member": _("Team"),
    "invitation": _("Invitations"),
    "role": _("Roles"),
    "session": _("Sign-ins"),
    "api_client": _("API clients"),
    "webhook": _("Webhooks"),
    "tenant": _("Workspace"),
    "operation": _("Operations"),
}
LABELS: dict[str, Promise] = {
    "plexica.member.added": _("Somebody joined the team"),
    "plexica.member.updated": _("A person’s name, language or time zone changed"),
    "plexica.member.roles_changed": _("A person has other roles"),
    "plexica.member.disabled": _("A person was disabled"),
    "plexica.member.enabled": _("A person was enabled again"),
    "plexica.member.removed": _("A person was removed"),
    "plexica.invitation.sent": _("Somebody was invited"),
    "plexica.invitation.revoked": _("An invitation was revoked"),
    "plexica.invitation.accepted": _("An invitation was accepted"),
    "plexica.role.made": _("A role was made"),
    "plexica.role.changed": _("A role was changed"),
    "plexica.role.deleted": _("A role was deleted"),
    "plexica.session.started": _("Somebody signed in"),
    "plexica.session.ended": _("A session was ended"),
    "plexica.api_client.made": _("An API client was made"),
    "plexica.api_client.revoked": _("An API client was revoked"),
    "plexica.webhook.made": _("A webhook was made"),
    "plexica.webhook.changed": _("A webhook was changed"),
    "plexica.webhook.deleted": _("A webhook was deleted"),
    "plexica.webhook.secret_rotated": _("A webhook has a new secret"),
    "plexica.webhook.disabled": _("A webhook was disabled"),
    "plexica.webhook.enabled": _("A webhook was enabled again"),
    "plexica.tenant.suspended": _("The workspace was suspended"),
    "plexica.tenant.reactivated": _("The workspace works again"),
    "plexica.tenant.renamed": _("The workspace was renamed"),
    "plexica.tenant.deletion_requested": _("The workspace will be deleted"),
    "plexica.tenant.deletion_undone": _("The workspace’s deletion was called off"),
    "plexica.tenant.exported": _("The workspace was exported"),
    "plexica.operation.stuck": _("Work on the workspace is stuck"),
}
# What happens before a tenant has people, or when it has nobody left to tell.
NEVER_SENT = frozenset(
    {
        "plexica.tenant.requested",
        "plexica.tenant.activated",
        "plexica.tenant.provisioning_failed",
        "plexica.tenant.deleted",
    }
)


@dataclass(frozen=True, slots=True)
class OfferedEvent:
    """An event that can be chosen."""

    name: str
    label: str


@dataclass(frozen=True, slots=True)
class OfferedGroup:
    """Events that a pattern takes together."""

    pattern: str
    label: str
    events: tuple[OfferedEvent, ...]


def offered_names() -> list[str]:
    """Return the names of all events that a tenant can be sent."""
    kinds = (kind for kind in Event.__subclasses__() if kind.__module__ == Event.__module__)
    return sorted(kind.name for kind in kinds if kind.name and kind.name not in NEVER_SENT)


def offered() -> list[OfferedGroup]:
    """Return what can be chosen, in groups, in the reader's language."""
    names = offered_names()
    return [
        OfferedGroup(
            pattern=f"plexica.{key}.*",
            label=str(label),
            events=tuple(
                OfferedEvent(name, str(words)) for name, words in LABELS.items() if name in names and _key(name) == key
            ),
        )
        for key, label in GROUPS.items()
    ]


def unknown_among(wanted: Collection[str]) -> list[str]:
    """Return what of these is neither an event nor a pattern that takes one."""
    known = {EVERYTHING, *offered_names(), *(group.pattern for group in offered())}
    return sorted(set(wanted) - known)


def takes(wanted: Collection[str], name: str) -> bool:
    """Say whether who chose `wanted` is sent an event of this name."""
    return any(fnmatchcase(name, one) for one in wanted)


def label_of(name: str) -> str:
    """Return what pages call an event, or a pattern."""
    if name == TEST:
        return str(_("A test"))
    if name == EVERYTHING:
        return str(_("Everything"))
    return str(LABELS.get(name) or GROUPS.get(_key(name)) or name)


def _key(name: str) -> str:
    return name.split(".")[1] if name.count(".") > 1 else ""
