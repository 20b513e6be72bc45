"""Events: how delivery goes, those that failed with their answers, and replays."""

import json
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.access import OperatorRequest, operator_required, super_admin_required
from core.errors import NotFound
from core.web.asking import Question, ask, carried_out, question_view
from events.answers import dismiss_failed_events, replay_events, retry_failed_events
from events.outbox.models import FailedMessage
from events.selectors import (
    SubscriberStatus,
    count_failed_by_status,
    events_status,
    get_failed_event,
    list_failed_events,
)
from events.subscribing import subscribers
from events.webhooks.queue.selectors import list_webhooks_by_tenant, webhooks_status
from superadmin.forms import EventAnswerForm, ReplayForm
from superadmin.shown import show_failed_event, show_webhooks_of, tenants_of
from tenants.selectors import get_tenant

PAGE_SIZE = 25
AT_ONCE = 200
FIRST_TENANTS = 5  # whose webhooks are shown; the others have a page
Status = FailedMessage.Status


@require_safe
@operator_required
@vary_on_headers("HX-Request", "HX-Target")
def event_list(request: OperatorRequest) -> HttpResponse:
    """How far each subscriber is, and the events that failed: searched, filtered, page by page."""
    asked = _asked(request.GET)
    counts = count_failed_by_status(subscriber=asked["subscriber"], query=asked["query"])
    page = Paginator(list_failed_events(**asked), PAGE_SIZE).get_page(request.GET.get("page"))
    rows: Any = page
    tenants = tenants_of(page.object_list)
    rows.object_list = [show_failed_event(failed, tenants) for failed in page.object_list]
    is_fragment = request.headers.get("HX-Target") == "rows"
    context: dict[str, Any] = {
        "page_obj": rows,
        "statuses": _status_filters(counts, asked["status"]),
        "asked": asked,
        "is_fragment": is_fragment,
        "filtered": bool(asked["subscriber"] or asked["query"] or asked["status"] != Status.OPEN),
    }
    if not is_fragment:
        status, sending = events_status(), webhooks_status()
        context |= {
            "delivery": status,
            "subscribers": [_shown(one) for one in status.subscribers],
            "names": [one.name for one in status.subscribers],
            "can_replay": any(one.is_known for one in status.subscribers),
            "sending": sending,
            "webhooks": show_webhooks_of(list_webhooks_by_tenant()[:FIRST_TENANTS]),
        }
    return render(request, f"superadmin/event_list.html{'#rows' if is_fragment else ''}", context)


def _asked(params: QueryDict) -> dict[str, Any]:
    """Read what the address asks for: without a word those that wait for an answer."""
    status = params.get("status", Status.OPEN)
    return {
        "status": status if status in Status.values else "",
        "subscriber": params.get("subscriber", ""),
        "query": params.get("q", "").strip(),
    }


def _status_filters(counts: dict[str, int], current: str) -> list[dict[str, Any]]:
    shown = [
        (Status.OPEN, pgettext("events", "Failed"), counts.get(Status.OPEN, 0)),
        (Status.RETRIED, pgettext("events", "Retried"), counts.get(Status.RETRIED, 0)),
        (Status.DISMISSED, pgettext("events", "Dismissed"), counts.get(Status.DISMISSED, 0)),
        ("all", pgettext("events", "All"), sum(counts.values())),
    ]
    return [
        {"value": value, "label": label, "count": count, "current": value == (current or "all")}
        for value, label, count in shown
    ]


def _shown(one: SubscriberStatus) -> dict[str, Any]:
    state = "retired" if not one.is_known else "active" if one.is_consumed else "unattended"
    return {
        "name": one.name,
        "state": state,
        "lag_s": one.lag_s,
        "waiting": one.waiting,
        "parked": one.parked,
        "parked_tenants": one.parked_tenants,
        "failed": one.failed,
        "failed_url": f"{reverse('event_list')}?subscriber={one.name}",
        "replay_url": f"{reverse('event_replay')}?subscriber={one.name}" if one.is_known else "",
    }


@require_safe
@operator_required
def event_detail(request: OperatorRequest, failed_id: UUID) -> HttpResponse:
    """One event that failed: its payload, what went wrong, and what can be answered."""
    failed = get_failed_event(failed_id)
    shown = show_failed_event(failed, tenants_of([failed]))
    content = failed.content
    context = {
        "event": shown,
        "payload": json.dumps(content.payload, indent=2, ensure_ascii=False),
        "content": content,
        "is_open": failed.status == Status.OPEN,
        "answered_at": failed.answered_at,
        "answer_url": f"{reverse('event_answer')}?event={failed.pk}",
    }
    return render(request, "superadmin/event_detail.html", context)


@question_view(super_admin_required)
def event_answer(request: OperatorRequest) -> HttpResponse:
    """Retry or dismiss one failed event or the ticked ones, after asking."""
    params = request.POST if request.method == "POST" else request.GET
    answer = params.get("answer", "")
    failed = list(FailedMessage.objects.filter(pk__in=_ids(params.getlist("event")), status=Status.OPEN))
    if answer not in ("retry", "dismiss") or not failed:
        raise NotFound
    ids = [one.pk for one in failed]
    data = request.POST if request.method == "POST" else None
    form = EventAnswerForm(data, ids=[str(one) for one in ids], answer=answer)
    if request.method == "POST" and form.is_valid():
        service = retry_failed_events if answer == "retry" else dismiss_failed_events
        count = service(ids=ids, actor=request.user.actor, reason=form.cleaned_data["reason"])
        messages.success(request, _said(answer, count))
        return HttpResponseRedirect(reverse("event_list"))
    return ask(request, _question(answer, failed, form))


def _ids(values: list[str]) -> list[UUID]:
    found = []
    for value in values[:AT_ONCE]:
        try:
            found.append(UUID(value))
        except ValueError:
            continue
    return found


def _said(answer: str, count: int) -> str:
    if answer == "retry":
        return ngettext("%(count)d event is tried again", "%(count)d events are tried again", count) % {"count": count}
    return ngettext("%(count)d event is dismissed", "%(count)d events are dismissed", count) % {"count": count}


def _question(answer: str, failed: list[FailedMessage], form: EventAnswerForm) -> Question:
    count = len(failed)
    if answer == "retry":
        title = ngettext("Try %(count)d event again?", "Try %(count)d events again?", count)
        label = ngettext("Try %(count)d event again", "Try %(count)d events again", count)
        text = _(
            "Each goes to its subscriber once more, in order, before what waits there. Do this when the cause is gone."
        )
    else:
        title = ngettext("Dismiss %(count)d event?", "Dismiss %(count)d events?", count)
        label = ngettext("Dismiss %(count)d event", "Dismiss %(count)d events", count)
        text = _("Nobody will handle them any more. They stay readable.")
    names = sorted({f"{one.name} → {one.subscriber}" for one in failed})
    return Question(
        title=title % {"count": count},
        text=text,
        label=label % {"count": count},
        form=form,
        action=reverse("event_answer"),
        back_url=reverse("event_list"),
        back_label=_("Events"),
        kind="primary" if answer == "retry" else "danger",
        notes=names[:5],
    )


@question_view(super_admin_required)
def event_replay(request: OperatorRequest) -> HttpResponse:
    """Let a subscriber handle again what happened in one tenant since a moment, after asking."""
    names = sorted(subscribers())
    initial = {"subscriber": request.GET.get("subscriber", "")}
    form = ReplayForm(request.POST if request.method == "POST" else None, names=names, initial=initial)
    counted: list[int] = []

    def replay() -> None:
        said = form.cleaned_data
        tenant = get_tenant(said["tenant"]).ref
        replayed = replay_events(
            subscriber=said["subscriber"],
            tenant=tenant,
            since=said["since"],
            actor=request.user.actor,
            reason=said["reason"],
        )
        counted.append(replayed.events)

    if carried_out(form, request, replay):
        text = ngettext("%(count)d event is handled again", "%(count)d events are handled again", counted[0])
        messages.success(request, text % {"count": counted[0]})
        return HttpResponseRedirect(reverse("event_list"))
    question = Question(
        title=_("Replay a subscriber’s past?"),
        text=_(
            "What happened in one tenant since a moment is handled again, in order; newer events wait behind it."
            " What the subscriber does outside of the tenant’s own data may then happen a second time."
        ),
        label=_("Replay"),
        form=form,
        action=reverse("event_replay"),
        back_url=reverse("event_list"),
        back_label=_("Events"),
        kind="primary",
    )
    return ask(request, question)
