from django.utils.translation import gettext_lazy as _

from core.errors import Conflict, Gone, NotFound, Rejected


class TenantNotFound(NotFound):
    """No tenant has this slug or id."""

    code = "tenant_not_found"
    title = _("There is no such tenant")
    detail = _("None has the slug or id %(slug)s.")


class OperationNotFound(NotFound):
    """No operation has this id."""

    code = "operation_not_found"
    title = _("There is no such operation")
    detail = _("None has the id %(operation)s.")


class SlugTaken(Conflict):
    """Another tenant has this slug."""

    field = "slug"
    code = "slug_taken"
    title = _("This slug is taken")
    detail = _("%(slug)s belongs to another tenant. Choose another slug.")


class TenantBusy(Conflict):
    """Another operation on the tenant is under way."""

    code = "tenant_busy"
    title = _("Something else is being done to this tenant")
    detail = _("%(operation)s of %(slug)s is under way. Wait for its end and try again.")


class TenantNotActive(Conflict):
    """The tenant is in another state than the change needs."""

    code = "tenant_not_active"
    title = _("The tenant is not active")
    detail = _("%(slug)s is %(status)s.")


class TenantNotSuspended(Conflict):
    """Only a suspended tenant can be reactivated."""

    code = "tenant_not_suspended"
    title = _("The tenant is not suspended")
    detail = _("%(slug)s is %(status)s.")


class TenantChanged(Conflict):
    """Somebody else changed the tenant meanwhile."""

    code = "tenant_changed"
    status = 412
    title = _("The tenant was changed meanwhile")
    detail = _("%(slug)s has version %(version)s now. Look at it again and repeat if it still applies.")


class LeftoversFound(Rejected):
    """Something of an earlier life carries a name that the tenant needs; it is never adopted silently."""

    code = "leftovers_found"
    status = 409
    title = _("Leftovers of an earlier life were found")
    detail = _("These exist already: %(leftovers)s. Adopt them, have them removed, or give up.")


class CannotAdopt(Rejected):
    """What exists is not whole, or not this tenant's: it is not taken over."""

    code = "cannot_adopt"
    status = 409
    title = _("This cannot be taken over")
    detail = _("%(name)s cannot be adopted: %(reason)s. Have it removed, or give up.")


class SomethingLeft(Conflict):
    """A deletion looked again, and not everything was gone."""

    code = "something_left"
    title = _("Something is left of the tenant")
    detail = _("Still there: %(left)s.")


class TenantNotDeleting(Conflict):
    """No deletion of the tenant waits."""

    code = "tenant_not_deleting"
    title = _("The tenant is not being deleted")
    detail = _("%(slug)s is %(status)s.")


class DeletionBegun(Conflict):
    """The deletion has begun: nothing brings the tenant back."""

    code = "deletion_begun"
    title = _("The deletion has begun")
    detail = _("%(slug)s is being deleted. It can no longer be called off.")


class OperationNotStuck(Conflict):
    """Only a stuck operation takes an answer."""

    code = "operation_not_stuck"
    title = _("The operation is not stuck")
    detail = _("%(operation)s is %(status)s.")


class OperationChanged(Conflict):
    """Somebody else changed the operation meanwhile."""

    code = "operation_changed"
    status = 412
    title = _("The operation was changed meanwhile")
    detail = _("The operation has version %(version)s now. Look at it again and repeat if it still applies.")


class StepUnknown(Conflict):
    """An operation was begun by a release that had a step which this one does not have."""

    code = "step_unknown"
    title = _("This release does not know the step")
    detail = _("%(step)s belongs to another release. Let a worker of that release end the operation, then try again.")


class CannotGiveUp(Conflict):
    """A deletion has no way back."""

    code = "cannot_give_up"
    title = _("This cannot be given up")
    detail = _("%(operation)s has no way back. Remove what stands in its way and try again.")


class LinkAlreadyShown(Gone):
    """The first admin's link was shown before."""

    code = "link_already_shown"
    title = _("The link was shown before")
    detail = _("It was also mailed to %(email)s.")
