from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from archives.errors import ArchiveNotFound
from archives.models import Archive
from tenants.models import Operation


def list_exports(tenant_id: UUID) -> QuerySet[Archive]:
    """Return the exports of a tenant that can be taken now, newest first: each has size, sums and `kept_until`."""
    return _there().filter(tenant_id=tenant_id)


def get_export(archive_id: UUID) -> Archive:
    """Return an export that can be taken now. Raises ArchiveNotFound."""
    archive = _there().filter(pk=archive_id).first()
    if archive is None:
        raise ArchiveNotFound
    return archive


def export_of(operation: Operation) -> Archive | None:
    """Return what an operation exported, if it can be taken now."""
    return _there().filter(operation=operation).first()


def _there() -> QuerySet[Archive]:
    found = Archive.objects.filter(purpose=Archive.Purpose.EXPORT, removed_at=None, kept_until__gt=timezone.now())
    return found.exclude(finished_at=None).select_related("tenant", "operation")
