"""Tenants, operations, steps and failed events in the shape that templates take."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from archives.models import Archive
from core.audit.models import AuditEntry
from core.audit.words import label_of
from events.outbox.models import FailedMessage
from tenants.directory import address_of
from tenants.infrastructure import last_look
from tenants.kinds import kind_of, label_of_step
from tenants.models import Operation, OperationStep, Tenant

STEP_STATES = {
    OperationStep.Status.WAITING: "wait",
    OperationStep.Status.RUNNING: "busy",
    OperationStep.Status.RETRYING: "retry",
    OperationStep.Status.DONE: "done",
    OperationStep.Status.FAILED: "failed",
    OperationStep.Status.UNDOING: "undoing",
    OperationStep.Status.UNDONE: "undone",
}


def key_of(tenant: Tenant) -> str:
    """Return what leads to the tenant's pages: its slug, or its id once another tenant may have the slug."""
    return str(tenant.pk) if tenant.status in Tenant.GONE else str(tenant.slug)


def url_of(tenant: Tenant) -> str:
    """Return the address of the tenant's page."""
    return reverse("tenant_detail", args=[key_of(tenant)])


def workspace_url(tenant: Tenant) -> str:
    """Return where the tenant's people work."""
    return f"{address_of(tenant.slug)}/"


def show_operation(operation: Operation) -> dict[str, Any]:
    """One line of a list of operations."""
    return {
        "id": operation.pk,
        "url": reverse("operation_detail", args=[operation.pk]),
        "label": operation.get_kind_display(),
        "status": outcome_of(operation),
        "at": operation.created_at,
        "due_at": operation.due_at if operation.status == Operation.Status.PENDING else None,
        "actor": operation.actor_name,
        "error": operation.error,
        "duration_s": duration_of(operation),
        "tenant": {"name": operation.tenant.name, "slug": operation.tenant.slug, "url": url_of(operation.tenant)},
    }


def outcome_of(operation: Operation) -> str:
    """Return the state of an operation in the words of `core.web.statuses`."""
    return {
        Operation.Status.PENDING: "queued",
        Operation.Status.SUCCEEDED: "done",
        Operation.Status.FAILED: "undone",
    }.get(Operation.Status(operation.status), str(operation.status))


def duration_of(operation: Operation) -> float | None:
    """Return the seconds that the work took; a grace period before it is no work."""
    return seconds_between(operation.started_at, operation.finished_at)


def show_progress(operation: Operation) -> dict[str, Any]:
    """An operation with its steps, as the card of its progress takes it."""
    steps = list(operation.steps.all())
    return {
        **show_operation(operation),
        "status": _progress_status(operation, steps),
        "is_running": operation.is_open,
        "is_waiting": operation.status == Operation.Status.PENDING and operation.due_at > timezone.now(),
        "is_stuck": operation.status == Operation.Status.STUCK,
        "steps_done": sum(step.status == OperationStep.Status.DONE for step in steps),
        "steps_total": len(steps),
        "steps": [show_step(step, operation) for step in steps],
        "reference": str(operation.pk),
        "error_title": _error_title(operation),
        "heading": _heading(operation),
        "said_at_end": _said_at_end(operation),
    }


def _progress_status(operation: Operation, steps: Iterable[OperationStep]) -> str:
    if operation.is_open and any(step.status == OperationStep.Status.RETRYING for step in steps):
        return "retrying"
    return outcome_of(operation)


def _heading(operation: Operation) -> str:
    return _("Setting up") if operation.kind == Operation.Kind.PROVISION else str(operation.get_kind_display())


def _error_title(operation: Operation) -> str:
    if not operation.error:
        return ""
    if operation.status == Operation.Status.STUCK:
        return _("It stopped, and waits for you")
    if operation.kind == Operation.Kind.PROVISION:
        return _("Setting up failed, and everything was undone")
    return _("It failed, and everything was undone")


def _said_at_end(operation: Operation) -> str:
    """Return what is read aloud when a page that was watching sees the end."""
    if operation.kind == Operation.Kind.PROVISION:
        if operation.status == Operation.Status.SUCCEEDED:
            return _("%(name)s is ready") % {"name": operation.tenant.name}
        return _("Setting up failed")
    return f"{operation.get_kind_display()}: {operation.get_status_display()}"


def show_step(step: OperationStep, operation: Operation) -> dict[str, Any]:
    """A step, as components/steps.html takes it."""
    step.operation = operation
    state = STEP_STATES[OperationStep.Status(step.status)]
    undoing = operation.status == Operation.Status.UNDOING
    return {
        "label": label_of_step(step),
        "state": "undoing" if undoing and state == "done" else state,
        "note": step.error or step.detail,
        "duration_s": seconds_between(step.started_at, step.finished_at),
        "attempt": step.attempt,
        "attempts_max": kind_of(operation).max_attempts,
        "retry_in_s": max(0, round((step.next_try_at - timezone.now()).total_seconds())) if step.next_try_at else None,
        "started_at": step.started_at,
        "attempts": _said_attempts(step),
    }


def _said_attempts(step: OperationStep) -> str:
    if step.attempt < 2:
        return ""
    return ngettext("%(count)d attempt", "%(count)d attempts", step.attempt) % {"count": step.attempt}


def show_export(archive: Archive) -> dict[str, Any]:
    """An export that can be taken, with where to take it."""
    return {
        "file_name": archive.file_name,
        "url": reverse("export_download", args=[archive.pk]),
        "operation_url": reverse("operation_detail", args=[archive.operation_id]),
        "actor": archive.operation.actor_name if archive.operation else "",
        "at": archive.finished_at,
        "kept_until": archive.kept_until,
        "is_masked": archive.is_masked,
        "size_bytes": archive.size_bytes,
        "rows": archive.row_count,
        "files": archive.file_count,
        "sha256": archive.sha256,
    }


def show_received(archive: Archive) -> dict[str, Any]:
    """An archive that was received, and of which nothing was made yet."""
    return {
        "url": reverse("import_detail", args=[archive.pk]),
        "discard_url": reverse("import_discard", args=[archive.pk]),
        "file_name": archive.file_name,
        "at": archive.finished_at,
        "kept_until": archive.kept_until,
        "is_masked": archive.is_masked,
        "size_bytes": archive.size_bytes,
        "rows": archive.row_count,
        "files": archive.file_count,
        "sha256": archive.sha256,
    }


def say_expected_export(tenant: Tenant) -> str:
    """Return how large an export may become, by the last look at the tenant's parts, and how long it is kept."""
    kept = said_length(settings.EXPORT_KEPT)
    found = look.found if (look := last_look(tenant)) else {}
    schema, bucket = (found.get(part, {}).get("size_bytes") for part in ("schema", "bucket"))
    if schema is None or bucket is None:
        return _("Kept for %(length)s.") % {"length": kept}
    size = filesizeformat(schema + bucket)
    if not found["bucket"]["is_complete"]:
        return _("More than %(size)s before it is packed; kept for %(length)s.") % {"size": size, "length": kept}
    return _("About %(size)s before it is packed; kept for %(length)s.") % {"size": size, "length": kept}


def said_length(length: timedelta) -> str:
    """Return a length of time in words: days if they are whole, else hours."""
    days, rest = divmod(length, timedelta(days=1))
    if not rest:
        return ngettext("%(count)d day", "%(count)d days", days) % {"count": days}
    hours = round(length / timedelta(hours=1))
    return ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours}


def show_entry(entry: AuditEntry) -> dict[str, Any]:
    """One entry of the audit log."""
    return {
        "label": label_of(entry.action),
        "actor": entry.actor_name,
        "reason": entry.reason,
        "at": entry.occurred_at,
        "operation": entry.facts.get("operation"),
    }


def tenants_of(failed: Iterable[FailedMessage]) -> dict[UUID, Tenant]:
    """Return the tenants in which events failed, by id."""
    return Tenant.objects.in_bulk({one.tenant_id for one in failed})


def show_failed_event(failed: FailedMessage, tenants: Mapping[UUID, Tenant]) -> dict[str, Any]:
    """One line of the list of failed events."""
    tenant = tenants.get(failed.tenant_id)
    is_open = failed.status == FailedMessage.Status.OPEN
    return {
        "id": failed.pk,
        "url": reverse("event_detail", args=[failed.pk]),
        "name": failed.name,
        "subscriber": failed.subscriber,
        "position": failed.position,
        "tenant": {"name": tenant.name, "url": url_of(tenant)} if tenant else None,
        "error": failed.error,
        "attempts": failed.attempts,
        "failed_at": failed.failed_at,
        "is_open": is_open,
        "status": "failed" if is_open else str(failed.status),
    }


def show_webhooks_of(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Lines of the list of tenants whose webhooks have something waiting, fail or are disabled."""
    found = list(rows)
    tenants = Tenant.objects.in_bulk({row["tenant_id"] for row in found})
    shown = []
    for row in found:
        tenant = tenants.get(row["tenant_id"])
        named = {"name": tenant.name, "url": url_of(tenant), "status": str(tenant.status)} if tenant else None
        shown.append({**row, "tenant": named})
    return shown


def seconds_between(begin: datetime | None, end: datetime | None) -> float | None:
    """Return the seconds between two moments, None while one is missing."""
    return (end - begin).total_seconds() if begin and end else None
