from django.utils.translation import gettext_lazy as _

from core.errors import Conflict


class TooManyWebhooks(Conflict):
    """A tenant has as many webhooks as it may have."""

    code = "too_many_webhooks"
    title = _("There are enough webhooks")
    detail = _("A workspace can have %(limit)s. Delete one that nobody needs.")


class WebhookChanged(Conflict):
    """Somebody else changed it since it was looked at."""

    code = "webhook_changed"
    status = 412
    title = _("Somebody else changed this webhook")
    detail = _("Look at it again and repeat what still applies.")


class WebhookIsDisabled(Conflict):
    """Nothing is sent to it."""

    code = "webhook_disabled"
    title = _("This webhook is disabled")
    detail = _("Nothing is sent to it. Enable it first.")


class WebhookWithoutSecret(Conflict):
    """It came with a copy of a workspace, without its secret."""

    code = "webhook_without_secret"
    title = _("This webhook has no secret")
    detail = _("It was copied along with the workspace. Make a new secret first, and give it to the receiver.")


class DeliveryUnderWay(Conflict):
    """It is waiting to be sent already."""

    code = "delivery_waiting"
    title = _("This delivery is waiting already")
    detail = _("It will be tried again at the time that is shown.")
