"""A tenant made of an archive: it is sent and checked, what it says of itself is shown, then an operation makes the tenant."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods
from django.views.decorators.vary import vary_on_headers

from accounts.access import OperatorRequest, super_admin_required
from archives.models import Archive
from archives.selectors import get_received, list_received
from archives.services.imports import discard_received, import_received, read_received, receive_archive
from core.web.asking import ChangeForm, Question, ask, carried_out, question_view
from superadmin.forms import ArchiveForm, ImportForm
from superadmin.shown import show_received
from superadmin.uploads import FORM_MAX_BYTES, ArchiveUpload, announced_size, refuse_too_large
from superadmin.views.tenants import check_slug
from tenants.models import Operation


@csrf_exempt  # `_import_upload` asks for the token, once it is known who sends how much
@require_http_methods(["GET", "HEAD", "POST"])
@super_admin_required
def import_upload(request: OperatorRequest) -> HttpResponse:
    """Take an archive and check all of it; its page shows what it says of itself. Lists those that wait, too."""
    refuse_too_large(announced_size(request) - FORM_MAX_BYTES)
    request.upload_handlers = [ArchiveUpload(request)]
    return _import_upload(request)


@csrf_protect
def _import_upload(request: OperatorRequest) -> HttpResponse:
    form = ArchiveForm(request.POST or None, request.FILES or None) if request.method == "POST" else ArchiveForm()
    received: list[Archive] = []

    def receive() -> None:
        source = form.cleaned_data["archive"]
        actor, most = request.user.actor, settings.IMPORT_MAX_BYTES
        received.append(receive_archive(source=source, actor=actor, max_bytes=most))

    if carried_out(form, request, receive):
        return HttpResponseRedirect(reverse("import_detail", args=[received[0].pk]))
    context = {"form": form, "received": [show_received(archive) for archive in list_received()]}
    return render(request, "superadmin/import_upload.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@super_admin_required
@vary_on_headers("HX-Request", "HX-Target")
def import_detail(request: OperatorRequest, archive_id: UUID) -> HttpResponse:
    """What a received archive says of itself, and what the new tenant is to be called; the tenant's page shows how it goes."""
    if request.headers.get("HX-Target") == "slug_check":
        check = check_slug(request.GET.get("slug", "").strip())
        return render(request, "superadmin/import_detail.html#slug_check", {"slug_check": check})
    archive, manifest = get_received(archive_id), read_received(archive_id)
    said = manifest.tenant
    initial = {"slug": said.slug, "name": said.name}
    form = ImportForm(request.POST or None, masked=manifest.masked, initial=initial)
    asked: list[Operation] = []
    who: dict[str, Any] = {"archive_id": archive_id, "actor": request.user.actor}
    if carried_out(form, request, lambda: asked.append(import_received(**who, **form.cleaned_data))):
        return HttpResponseRedirect(reverse("tenant_detail", args=[asked[0].tenant.slug]))
    context = {
        "form": form,
        "archive": show_received(archive),
        "manifest": manifest,
        "host_suffix": f".{settings.PUBLIC_NETLOC}",
        "slug_check": None if form.is_bound else check_slug(said.slug),
    }
    return render(request, "superadmin/import_detail.html", context, status=422 if form.errors else 200)


@question_view(super_admin_required)
def import_discard(request: OperatorRequest, archive_id: UUID) -> HttpResponse:
    """Throw away an archive of which nothing was made, after asking."""
    archive = get_received(archive_id)
    form = ChangeForm(request.POST if request.method == "POST" else None)
    if carried_out(form, request, lambda: discard_received(archive_id=archive_id, actor=request.user.actor)):
        messages.success(request, _("The archive is thrown away"))
        return HttpResponseRedirect(reverse("import_upload"))
    question = Question(
        title=_("Throw the archive away?"),
        text=_("What was received is removed from the platform, and no tenant is made of it. Your own copy stays."),
        label=_("Throw it away"),
        form=form,
        action=reverse("import_discard", args=[archive_id]),
        back_url=reverse("import_detail", args=[archive_id]),
        back_label=_("Import"),
        notes=[archive.file_name],
    )
    return ask(request, question)
