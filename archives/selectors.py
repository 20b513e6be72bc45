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


def list_received() -> QuerySet[Archive]:
    """Return archives that were received and of which nothing was made yet, newest first."""
    found = Archive.objects.filter(purpose=Archive.Purpose.IMPORT, operation=None, removed_at=None)
    return found.filter(kept_until__gt=timezone.now()).exclude(finished_at=None).order_by("-created_at")


def get_received(archive_id: UUID, *, for_update: bool = False) -> Archive:
    """Return an archive of which nothing was made yet, locked for the transaction if asked. Raises ArchiveNotFound."""
    found = list_received().filter(pk=archive_id)
    archive = (found.select_for_update() if for_update else found).first()
    if archive is None:
        raise ArchiveNotFound
    return archive


def _there() -> QuerySet[Archive]:
    found = Archive.objects.filter(purpose=Archive.Purpose.EXPORT, removed_at=None, kept_until__gt=timezone.now())
    return found.exclude(finished_at=None).select_related("tenant", "operation")
