"""Everything of a tenant, elsewhere: an archive that an operator takes along, or a copy under another slug."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import FileResponse, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from accounts.access import OperatorRequest, super_admin_required
from archives.services.exports import request_export
from archives.services.imports import request_clone
from core.web.asking import ask, carried_out, question_view
from superadmin.downloads import send_export
from superadmin.forms import CloneForm, ExportForm
from superadmin.shown import say_expected_export
from superadmin.views.changes import question_about
from tenants.models import Operation
from tenants.selectors import get_tenant
from tenants.services.changes import refuse_unless_in_use
from tenants.services.operations import refuse_if_busy


@question_view(super_admin_required)
def tenant_export(request: OperatorRequest, slug: str) -> HttpResponse:
    """Have everything of a tenant written into an archive; the operation's page shows how, and then where it is."""
    tenant = get_tenant(slug)
    form = ExportForm(request.POST or None, version=tenant.version)
    asked: list[Operation] = []
    who: dict[str, Any] = {"tenant_id": tenant.pk, "actor": request.user.actor}
    if carried_out(form, request, lambda: asked.append(request_export(**who, **form.said))):
        return HttpResponseRedirect(reverse("operation_detail", args=[asked[0].pk]))
    refuse_if_busy(tenant)
    refuse_unless_in_use(tenant)
    question = question_about(
        tenant,
        request,
        title=_("Export %(slug)s?") % {"slug": tenant.slug},
        text=_(
            "Rows of one moment, files, members and audit log, in one archive that operators can download. The tenant"
            " works on."
        ),
        label=_("Export %(slug)s") % {"slug": tenant.slug},
        form=form,
        kind="primary",
        notes=[
            say_expected_export(tenant),
            _("It is not encrypted, and holds all that the tenant keeps about people: look after your copy."),
        ],
    )
    return ask(request, question)


@question_view(super_admin_required)
def tenant_clone(request: OperatorRequest, slug: str) -> HttpResponse:
    """Make a copy of a tenant; the copy's page shows how it is set up."""
    tenant = get_tenant(slug)
    form = CloneForm(request.POST or None, version=tenant.version)
    asked: list[Operation] = []
    who: dict[str, Any] = {"tenant_id": tenant.pk, "actor": request.user.actor}
    if carried_out(form, request, lambda: asked.append(request_clone(**who, **form.said))):
        messages.success(request, _("%(name)s is being copied.") % {"name": tenant.name})
        return HttpResponseRedirect(reverse("tenant_detail", args=[asked[0].tenant.slug]))
    refuse_unless_in_use(tenant)
    question = question_about(
        tenant,
        request,
        title=_("Copy %(slug)s?") % {"slug": tenant.slug},
        text=_(
            "A new tenant with the rows and files that this one has now. Its people can sign in there with the passwords"
            " that they have, unless it is masked. The tenant itself works on."
        ),
        label=_("Copy %(slug)s") % {"slug": tenant.slug},
        form=form,
        kind="primary",
    )
    return ask(request, question)


@require_GET
@super_admin_required
def export_download(request: OperatorRequest, archive_id: UUID) -> FileResponse:
    """Send an export. Each copy is audited, so there is no HEAD."""
    return send_export(archive_id=archive_id, actor=request.user.actor)
