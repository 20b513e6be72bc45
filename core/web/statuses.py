"""How each state looks and is called: the same words everywhere, and a form that says it before colour does."""

from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Face(NamedTuple):
    """A state as shown: `tone` colours it, `form` is the shape of its mark."""

    label: str | Promise
    tone: str
    form: str = ""


_FACES = {
    # tenants
    "active": Face(_("Active"), "ok"),
    "provisioning": Face(_("Being set up"), "info", "busy"),
    "suspended": Face(_("Suspended"), "warn", "paused"),
    "failed": Face(_("Failed"), "bad", "failed"),
    "deleting": Face(_("Being deleted"), "quiet", "busy"),
    "deleted": Face(_("Deleted"), "quiet", "off"),
    # operations
    "queued": Face(_("Waiting"), "quiet", "off"),
    "running": Face(_("Running"), "info", "busy"),
    "retrying": Face(_("Trying again"), "warn", "busy"),
    "done": Face(_("Done"), "ok"),
    "undoing": Face(_("Being undone"), "warn", "busy"),
    "undone": Face(_("Undone"), "warn", "paused"),
    "stuck": Face(_("Stuck"), "bad", "failed"),
    "cancelled": Face(_("Called off"), "quiet", "off"),
    # runs over all tenants
    "stopped": Face(_("Stopped"), "warn", "paused"),
    "interrupted": Face(_("Interrupted"), "bad", "failed"),
    "busy": Face(_("Busy to the end"), "warn", "paused"),
    "gone": Face(_("Deleted meanwhile"), "quiet", "off"),
    "unreached": Face(_("Not reached"), "warn", "off"),
    # subscribers, and events that failed
    "unattended": Face(_("Nobody consumes"), "bad", "failed"),
    "retired": Face(_("No longer in the code"), "quiet", "off"),
    "retried": Face(_("Tried again"), "info"),
    "dismissed": Face(_("Dismissed"), "quiet", "off"),
    # people
    "invited": Face(_("Invited"), "info", "off"),
    # invitations
    "open": Face(_("Waiting"), "info", "off"),
    "accepted": Face(_("Accepted"), "ok"),
    "expired": Face(_("Expired"), "quiet", "off"),
    "revoked": Face(_("Revoked"), "quiet", "off"),
    # API clients
    "secret_needed": Face(_("Needs a new secret"), "warn", "paused"),
    # people, operators
    "disabled": Face(_("Disabled"), "quiet", "paused"),
    # webhooks and their deliveries
    "failing": Face(_("Failing"), "bad", "failed"),
    "delivered": Face(_("Delivered"), "ok"),
}
CODES = tuple(_FACES)
_ALSO = {"pending": "provisioning", "waiting": "queued", "succeeded": "done"}


def show_status(code: str) -> Face:
    """The face of a state; one that nobody drew is shown by its code, quietly."""
    return _FACES.get(_ALSO.get(code, code)) or Face(code.capitalize(), "quiet", "off")
