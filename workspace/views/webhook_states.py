"""What is done to a webhook beside changing it: tried, stopped, let go on, given a new secret, deleted."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.access import MemberRequest, requires
from core.web.asking import ChangeForm, Loss, Question, ask, carried_out, question_view
from events.webhooks.models import Webhook
from events.webhooks.selectors import get_webhook
from events.webhooks.services import (
    WebhookWithSecret,
    delete_webhook,
    disable_webhook,
    enable_webhook,
    redeliver,
    rotate_secret,
    send_test,
)
from workspace.views.webhooks import MANAGE, show_secret


@require_POST
@requires(MANAGE)
def webhook_test(request: MemberRequest, webhook_id: UUID) -> HttpResponse:
    """Try the address, and show what comes of it."""
    delivery = send_test(webhook_id=webhook_id, actor=request.user.actor)
    return HttpResponseRedirect(reverse("webhook_delivery", args=[webhook_id, delivery.pk]))


@require_POST
@requires(MANAGE)
def webhook_redeliver(request: MemberRequest, webhook_id: UUID, delivery_id: UUID) -> HttpResponse:
    """Send a delivery again, and show what comes of it."""
    redeliver(webhook_id=webhook_id, delivery_id=delivery_id, actor=request.user.actor)
    messages.success(request, _("It is sent again."))
    return HttpResponseRedirect(reverse("webhook_delivery", args=[webhook_id, delivery_id]))


@question_view(requires(MANAGE))
def webhook_rotate(request: MemberRequest, webhook_id: UUID) -> HttpResponse:
    """Replace the secret, and show the new one, this once."""
    webhook = get_webhook(webhook_id)
    form = _form(request, webhook)
    made: list[WebhookWithSecret] = []
    change: dict[str, Any] = {"webhook_id": webhook_id, "actor": request.user.actor}
    if carried_out(form, request, lambda: made.append(rotate_secret(**change, **form.said))):
        return show_secret(request, made[0], title=_("%(name)s has a new secret") % {"name": webhook})
    text = _("The new secret is shown once. For a day requests are signed with both, so the receiver can follow.")
    title, label = _("Replace the secret?"), _("Replace the secret")
    return _ask(request, webhook, form, title=title, text=text, label=label, kind="primary")


@question_view(requires(MANAGE))
def webhook_enable(request: MemberRequest, webhook_id: UUID) -> HttpResponse:
    """Let a webhook go on."""
    return _ask_before(
        request,
        get_webhook(webhook_id),
        enable_webhook,
        done=_("%(name)s is enabled again."),
        title=_("Enable %(name)s?"),
        text=_("What waited when it was disabled is sent now. What happened since is not."),
        label=_("Enable %(name)s"),
        kind="primary",
    )


@question_view(requires(MANAGE))
def webhook_disable(request: MemberRequest, webhook_id: UUID) -> HttpResponse:
    """Stop a webhook."""
    return _ask_before(
        request,
        get_webhook(webhook_id),
        disable_webhook,
        done=_("%(name)s is disabled."),
        title=_("Disable %(name)s?"),
        text=_("Nothing is sent there until it is enabled again, and what happens meanwhile is not kept for it."),
        label=_("Disable %(name)s"),
    )


@question_view(requires(MANAGE))
def webhook_delete(request: MemberRequest, webhook_id: UUID) -> HttpResponse:
    """Delete a webhook with its log."""
    webhook = get_webhook(webhook_id)
    count = number_format(webhook.deliveries.count(), force_grouping=True)
    return _ask_before(
        request,
        webhook,
        delete_webhook,
        done=_("%(name)s is deleted."),
        then=reverse("webhook_list"),
        title=_("Delete %(name)s?"),
        text=_("Nothing is sent there any more. This cannot be undone: a new one gets another secret."),
        label=_("Delete %(name)s"),
        losses=[Loss(_("Deliveries in its log"), count)],
    )


def _ask_before(
    request: MemberRequest, webhook: Webhook, change: Callable[..., object], *, done: str, then: str = "", **said: Any
) -> HttpResponse:
    """Carry out what is confirmed, say so and lead on; ask until then. Title and label carry the webhook's name."""
    form, name = _form(request, webhook), {"name": str(webhook)}
    if carried_out(form, request, lambda: change(webhook_id=webhook.pk, actor=request.user.actor, **form.said)):
        messages.success(request, done % name)
        return HttpResponseRedirect(then or reverse("webhook_detail", args=[webhook.pk]))
    said |= {"title": said["title"] % name, "label": said["label"] % name}
    return _ask(request, webhook, form, **said)


def _form(request: MemberRequest, webhook: Webhook) -> ChangeForm:
    return ChangeForm(request.POST if request.method == "POST" else None, version=webhook.version)


def _ask(request: MemberRequest, webhook: Webhook, form: ChangeForm, **said: Any) -> HttpResponse:
    back_url = reverse("webhook_detail", args=[webhook.pk])
    return ask(request, Question(form=form, action=request.path, back_url=back_url, back_label=str(webhook), **said))
