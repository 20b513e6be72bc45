"""What this room does when something happened in another."""

from accounts.people.selectors import list_holders
from accounts.tasks import mail_webhook_disabled
from events.subscribing import EventContext, on_event
from plexica_sdk.events import WebhookDisabled

WEBHOOKS = "webhook.manage"


@on_event(WebhookDisabled, name="accounts.webhook_notices")
def tell_of_disabled_webhook(event: WebhookDisabled, ctx: EventContext) -> None:
    """Have those mailed who may manage webhooks, unless it was one of them who disabled it."""
    if event.reason == "person":
        return
    for person in list_holders(WEBHOOKS):
        # sent before the commit: if this fails the event comes again, and a second mail is better than none
        mail_webhook_disabled.delay(str(person.pk), str(event.webhook_id))
