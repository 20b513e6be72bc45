"""What is lost with a tenant, counted: for those who are about to delete it."""

from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.people.overview import read_people_figures
from core.errors import PlexicaError
from core.web.asking import Loss
from core.web.templatetags.px import number
from storage.buckets import bucket_exists, measure_bucket
from tenants.models import Tenant
from tenants.schemas.facts import count_rows


def count_losses(tenant: Tenant) -> list[Loss]:
    """Count members, files, tables and rows now. A part that does not answer says so instead of a number."""
    rows = count_rows(tenant.ref)
    counted = number(rows.rows) if rows.is_exact else _("about %(count)s") % {"count": number(rows.rows)}
    return [
        Loss(_("Members"), number(read_people_figures(tenant.ref, now=timezone.now()).total)),
        Loss(_("Files"), _files(tenant)),
        Loss(_("Tables"), number(rows.tables)),
        Loss(_("Rows"), counted),
    ]


def _files(tenant: Tenant) -> str:
    try:
        if not bucket_exists(tenant.bucket_name):
            return _("none")
        size = measure_bucket(tenant.bucket_name)
    except PlexicaError as error:
        return str(error.title)
    text = f"{number(size.objects)} · {filesizeformat(size.size_bytes)}"
    return text if size.is_complete else _("more than %(count)s") % {"count": text}
