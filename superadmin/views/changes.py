"""What operators do to one tenant: each asks first, with what it means in numbers, and calls one service."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from accounts.access import OperatorRequest, super_admin_required
from accounts.people.overview import read_people_figures
from core.web.asking import Question, ask, carried_out, question_view
from superadmin.forms import ConfirmedForm, DeletionForm, ReasonForm, RenameForm
from superadmin.losses import count_losses
from superadmin.shown import said_length, say_expected_export, url_of
from tenants.errors import TenantNotActive, TenantNotDeleting, TenantNotSuspended
from tenants.models import Operation, Tenant
from tenants.selectors import active_operation, get_tenant
from tenants.services.changes import refuse_unless_in_use
from tenants.services.deletion import delete_now, request_deletion, undo_deletion
from tenants.services.lifecycle import reactivate_tenant, suspend_tenant
from tenants.services.operations import refuse_if_busy
from tenants.services.renaming import rename_tenant


def question_about(tenant: Tenant, request: OperatorRequest, **said: Any) -> Question:
    """Return a question that leads back to the tenant's page."""
    return Question(action=request.path, back_url=url_of(tenant), back_label=str(tenant.slug), **said)


@question_view(super_admin_required)
def tenant_suspend(request: OperatorRequest, slug: str) -> HttpResponse:
    """Stop a tenant everywhere."""
    tenant = get_tenant(slug)
    form = ReasonForm(request.POST or None, version=tenant.version)
    who: dict[str, Any] = {"tenant_id": tenant.pk, "actor": request.user.actor}
    if carried_out(form, request, lambda: suspend_tenant(**who, **form.said)):
        messages.success(request, _("%(name)s is suspended.") % {"name": tenant.name})
        return HttpResponseRedirect(url_of(tenant))
    if tenant.status != Tenant.Status.ACTIVE:
        raise TenantNotActive(slug=tenant.slug, status=tenant.get_status_display())
    people = read_people_figures(tenant.ref, now=timezone.now()).active
    text = ngettext(
        "%(count)d person can no longer sign in; pages, API, tokens and jobs stop within a second. All data is kept,"
        " and you can reactivate it.",
        "%(count)d people can no longer sign in; pages, API, tokens and jobs stop within a second. All data is kept,"
        " and you can reactivate it.",
        people,
    )
    question = question_about(
        tenant,
        request,
        title=_("Suspend %(name)s?") % {"name": tenant.name},
        text=text % {"count": people},
        label=_("Suspend %(slug)s") % {"slug": tenant.slug},
        form=form,
    )
    return ask(request, question)


@question_view(super_admin_required)
def tenant_reactivate(request: OperatorRequest, slug: str) -> HttpResponse:
    """Let a suspended tenant work again."""
    tenant = get_tenant(slug)
    form = ReasonForm(request.POST or None, version=tenant.version)
    who: dict[str, Any] = {"tenant_id": tenant.pk, "actor": request.user.actor}
    if carried_out(form, request, lambda: reactivate_tenant(**who, **form.said)):
        messages.success(request, _("%(name)s works again.") % {"name": tenant.name})
        return HttpResponseRedirect(url_of(tenant))
    if tenant.status != Tenant.Status.SUSPENDED:
        raise TenantNotSuspended(slug=tenant.slug, status=tenant.get_status_display())
    question = question_about(
        tenant,
        request,
        title=_("Reactivate %(name)s?") % {"name": tenant.name},
        text=_("Its people can sign in again, and jobs that waited go on."),
        label=_("Reactivate %(slug)s") % {"slug": tenant.slug},
        form=form,
        kind="primary",
    )
    return ask(request, question)


@question_view(super_admin_required)
def tenant_rename(request: OperatorRequest, slug: str) -> HttpResponse:
    """Give a tenant another name."""
    tenant = get_tenant(slug)
    form = RenameForm(request.POST or None, version=tenant.version, initial={"name": tenant.name})
    who: dict[str, Any] = {"tenant_id": tenant.pk, "actor": request.user.actor}
    if carried_out(form, request, lambda: rename_tenant(**who, **form.said)):
        messages.success(request, _("The new name is saved."))
        return HttpResponseRedirect(url_of(tenant))
    refuse_unless_in_use(tenant)
    question = question_about(
        tenant,
        request,
        title=_("Rename %(name)s") % {"name": tenant.name},
        text=_(
            "What the platform calls the tenant. Its slug and address stay, and so does the name that the workspace gives"
            " itself."
        ),
        label=_("Rename %(name)s") % {"name": tenant.slug},
        form=form,
        kind="primary",
    )
    return ask(request, question)


@question_view(super_admin_required)
def tenant_delete(request: OperatorRequest, slug: str) -> HttpResponse:
    """Delete a tenant after the grace period, or at once."""
    tenant = get_tenant(slug)
    grace = said_length(settings.DELETION_GRACE)
    form = DeletionForm(
        request.POST or None,
        version=tenant.version,
        word=str(tenant.slug),
        grace=grace,
        export_hint=say_expected_export(tenant),
    )
    who: dict[str, Any] = {"tenant_id": tenant.pk, "actor": request.user.actor}
    if carried_out(form, request, lambda: request_deletion(**who, **form.said)):
        said = _("%(name)s is stopped and will be deleted.") % {"name": tenant.name}
        messages.success(request, said)
        return HttpResponseRedirect(url_of(tenant))
    refuse_if_busy(tenant)
    refuse_unless_in_use(tenant)
    until = formats.date_format(timezone.localtime(timezone.now() + settings.DELETION_GRACE), _("j F Y, H:i"))
    question = question_about(
        tenant,
        request,
        title=_("Delete %(slug)s for good?") % {"slug": tenant.slug},
        text=_(
            "It stops at once. Until %(until)s you can call it off; then everything is removed, and we look that nothing"
            " remains. What will be lost:"
        )
        % {"until": until},
        label=_("Delete %(slug)s") % {"slug": tenant.slug},
        form=form,
        losses=count_losses(tenant),
    )
    return ask(request, question)


@question_view(super_admin_required)
def tenant_delete_now(request: OperatorRequest, slug: str) -> HttpResponse:
    """Let a deletion that waits begin at once."""
    tenant = get_tenant(slug)
    form = ConfirmedForm(request.POST or None, version=tenant.version, word=str(tenant.slug))
    who: dict[str, Any] = {"tenant_id": tenant.pk, "actor": request.user.actor}
    if carried_out(form, request, lambda: delete_now(**who, **form.said)):
        messages.success(request, _("%(name)s is being deleted.") % {"name": tenant.name})
        return HttpResponseRedirect(url_of(tenant))
    operation = active_operation(tenant)
    if operation is None or operation.kind != Operation.Kind.DELETE or operation.status != Operation.Status.PENDING:
        raise TenantNotDeleting(slug=tenant.slug, status=tenant.get_status_display())
    question = question_about(
        tenant,
        request,
        title=_("Delete %(slug)s now?") % {"slug": tenant.slug},
        text=_("Nothing can be called off after this. What will be lost:"),
        label=_("Delete %(slug)s now") % {"slug": tenant.slug},
        form=form,
        losses=count_losses(tenant),
    )
    return ask(request, question)


@require_POST
@super_admin_required
def tenant_undo_deletion(request: OperatorRequest, slug: str) -> HttpResponse:
    """Call off a deletion that has not begun."""
    tenant = undo_deletion(tenant_id=get_tenant(slug).pk, actor=request.user.actor)
    messages.success(
        request,
        _("The deletion is called off. %(name)s is %(status)s again.")
        % {"name": tenant.name, "status": tenant.get_status_display().lower()},
    )
    return HttpResponseRedirect(url_of(tenant))
