"""Webhooks of the workspace: where its events are sent, and what became of each."""

import json
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.access import MemberRequest, requires
from core.web.asking import carried_out
from core.web.statuses import show_status
from events.webhooks.calling import FAULTS
from events.webhooks.catalogue import EVERYTHING, label_of, offered
from events.webhooks.models import Attempt, Delivery, Webhook
from events.webhooks.selectors import get_delivery, get_webhook, list_deliveries, list_webhooks
from events.webhooks.services import WebhookWithSecret, change_webhook, make_webhook
from workspace.forms import WebhookForm

MANAGE = "webhook.manage"
PAGE_SIZE = 25


@require_safe
@requires(MANAGE)
@vary_on_headers("HX-Request", "HX-Target")
def webhook_list(request: MemberRequest) -> HttpResponse:
    """The addresses to which events are sent: searched, page by page."""
    query = request.GET.get("q", "").strip()
    page = Paginator(list_webhooks(query=query), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "page_obj": page,
        "webhooks": [{"row": one, "events": [label_of(name) for name in one.events]} for one in page],
        "q": query,
        "rows_url": request.path,
    }
    fragment = "#rows" if request.headers.get("HX-Target") == "rows" else ""
    return render(request, f"workspace/webhook_list.html{fragment}", context)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(MANAGE)
def webhook_create(request: MemberRequest) -> HttpResponse:
    """Make one, and show its secret, this once."""
    form = WebhookForm(request.POST or None)
    made: list[WebhookWithSecret] = []

    def make() -> None:
        values = {name: form.cleaned_data[name] for name in ("url", "description", "events")}
        made.append(make_webhook(actor=request.user.actor, **values))

    if carried_out(form, request, make):
        return show_secret(request, made[0], title=_("%(name)s is ready") % {"name": made[0].webhook})
    return _form_page(request, form, webhook=None)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(MANAGE)
def webhook_change(request: MemberRequest, webhook_id: UUID) -> HttpResponse:
    """Change where it leads and what is sent there."""
    webhook = get_webhook(webhook_id)
    initial = {"url": webhook.url, "description": webhook.description, "events": webhook.events}
    form = WebhookForm(request.POST or None, version=webhook.version, initial=initial)
    if carried_out(form, request, lambda: change_webhook(webhook_id=webhook_id, actor=request.user.actor, **form.said)):
        messages.success(request, _("The webhook is saved."))
        return HttpResponseRedirect(reverse("webhook_detail", args=[webhook_id]))
    return _form_page(request, form, webhook=webhook)


def _form_page(request: MemberRequest, form: WebhookForm, *, webhook: Webhook | None) -> HttpResponse:
    context = {
        "form": form,
        "webhook": webhook,
        "groups": offered(),
        "everything": EVERYTHING,
        "chosen": form["events"].value() or [],
    }
    return render(request, "workspace/webhook_form.html", context, status=422 if form.errors else 200)


def show_secret(request: MemberRequest, made: WebhookWithSecret, *, title: str) -> HttpResponse:
    """Show a new secret, the one time that it can be seen."""
    context = {"webhook": made.webhook, "secret": made.secret, "title": title}
    response = render(request, "workspace/webhook_secret.html", context)
    response["Cache-Control"] = "no-store"
    return response


@require_safe
@requires(MANAGE)
@vary_on_headers("HX-Request", "HX-Target")
def webhook_detail(request: MemberRequest, webhook_id: UUID) -> HttpResponse:
    """One webhook with its deliveries, narrowed by what became of them."""
    webhook = get_webhook(webhook_id)
    status = request.GET.get("status", "")
    status = status if status in Delivery.Status.values else ""
    page = Paginator(list_deliveries(webhook_id, status=status), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "webhook": webhook,
        "events": [(name, label_of(name)) for name in webhook.events],
        "page_obj": page,
        "deliveries": [
            {"row": one, "label": label_of(one.event), "attempts": list(one.attempts.all())} for one in page
        ],
        "status": status,
        "statuses": [
            {"value": value, "label": show_status(value).label if value else _("All"), "current": value == status}
            for value in ("", *Delivery.Status.values)
        ],
        "rows_url": request.path,
    }
    fragment = "#rows" if request.headers.get("HX-Target") == "rows" else ""
    return render(request, f"workspace/webhook_detail.html{fragment}", context)


@require_safe
@requires(MANAGE)
@vary_on_headers("HX-Request", "HX-Target")
def webhook_delivery(request: MemberRequest, webhook_id: UUID, delivery_id: UUID) -> HttpResponse:
    """One delivery: what was sent, what came back. It looks again by itself until the first answer is there."""
    delivery = get_delivery(webhook_id, delivery_id)
    attempts = [_shown(one) for one in reversed(delivery.attempts.all())]
    context = {
        "webhook": delivery.webhook,
        "delivery": delivery,
        "label": label_of(delivery.event),
        "body": json.dumps(json.loads(delivery.body), indent=2, ensure_ascii=False),
        "attempts": attempts,
        "is_live": delivery.status == Delivery.Status.WAITING and not delivery.tries and delivery.webhook.is_active,
        "rows_url": request.path,
    }
    fragment = "#rows" if request.headers.get("HX-Target") == "rows" else ""
    return render(request, f"workspace/webhook_delivery.html{fragment}", context)


def _shown(attempt: Attempt) -> dict[str, Any]:
    return {
        "row": attempt,
        "fault": FAULTS.get(attempt.error, ""),
        "request_headers": _lines(attempt.request_headers),
        "response_headers": _lines(attempt.response_headers),
    }


def _lines(headers: dict[str, str]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in headers.items())
