"""The one tree of errors that a person or a program may see.

Each error is a class: a stable `code`, the HTTP `status`, a `title` for people, and a `detail` that says what happened
and what to do. `facts` are safe to show and to log. Views never catch them: `core.web.errors` makes a page, a notice or
problem+json of them.
"""

from collections.abc import Mapping
from typing import ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Text = str | Promise


class PlexicaError(Exception):
    """Base of all refusals. `facts` fill the placeholders of `detail`."""

    code: ClassVar[str] = "error"
    field: ClassVar[str] = ""  # a form that has such a field shows the refusal there
    status: ClassVar[int] = 500
    title: ClassVar[Text] = _("Something went wrong")
    detail: ClassVar[Text] = _("The request could not be carried out.")

    def __init__(self, **facts: object) -> None:
        self.facts: Mapping[str, object] = facts
        super().__init__(self.code, facts)

    def __str__(self) -> str:
        return str(self.detail) % self.facts


class NotFound(PlexicaError):
    """What is asked for does not exist, or the asker may not know that it does."""

    code = "not_found"
    status = 404
    title = _("There is nothing at this address")
    detail = _("It was moved or removed, or the link has a typing mistake.")


class Forbidden(PlexicaError):
    """The person is known and may not do this."""

    code = "forbidden"
    status = 403
    title = _("You may not do this")
    detail = _("Ask an admin for access.")


class Conflict(PlexicaError):
    """The request meets a state that has changed meanwhile or that excludes it."""

    code = "conflict"
    status = 409
    title = _("This is not possible right now")
    detail = _("Something else changed it meanwhile. Look again and repeat if it still applies.")


class Invalid(PlexicaError):
    """A value is wrong. `facts["errors"]` maps field names to lists of sentences."""

    code = "invalid"
    status = 422
    title = _("Some values are not right")
    detail = _("Correct the values that are named and send the request again.")

    def __init__(self, errors: Mapping[str, list[str]], **facts: object) -> None:
        super().__init__(errors=dict(errors), **facts)


class Unavailable(PlexicaError):
    """An outside system did not answer: the outcome is unknown and repeating is safe."""

    code = "unavailable"
    status = 503
    title = _("A part of the platform does not answer")
    detail = _("Nothing is lost. Try again in a moment.")


class Rejected(PlexicaError):
    """An outside system said no: repeating is useless."""

    code = "rejected"
    status = 502
    title = _("A part of the platform refused the request")
    detail = _("Repeating will not help. The reference is in the log.")


class TenantSuspended(PlexicaError):
    """The tenant is suspended: nobody gets in, data is kept."""

    code = "tenant_suspended"
    status = 403
    title = _("This workspace is suspended")
    detail = _("Nobody can sign in at the moment. All data is kept.")


class TenantNotReady(PlexicaError):
    """The tenant is being set up."""

    code = "tenant_not_ready"
    status = 503
    title = _("This workspace is being set up")
    detail = _("This takes a few seconds. Try again in a moment.")


class UnknownAddress(PlexicaError):
    """No workspace lives at this host name."""

    code = "unknown_address"
    status = 404
    title = _("There is no workspace at this address")
    detail = _("Check the spelling of the address.")


class Gone(PlexicaError):
    """It was there once and is not any more."""

    code = "gone"
    status = 410
    title = _("This is no longer available")
    detail = _("It can be had only once.")
