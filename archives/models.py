"""Archives in the platform's bucket: exports, which are kept for a while, and what imports and clones are made from."""

from uuid import UUID

from django.db import models
from django.utils import timezone

from core.ids import uuid7
from tenants.models import Operation, Tenant


class Archive(models.Model):
    """One archive. The row outlives the file: `removed_at` says that it is gone."""

    class Purpose(models.TextChoices):
        EXPORT = "export"
        IMPORT = "import"  # removed as soon as the new tenant is there

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    purpose = models.CharField(max_length=8, choices=Purpose)
    tenant = models.ForeignKey(Tenant, null=True, on_delete=models.PROTECT, related_name="+")  # whose data it holds
    operation = models.OneToOneField(Operation, null=True, on_delete=models.PROTECT, related_name="archive")
    is_masked = models.BooleanField(default=False)
    size_bytes = models.PositiveBigIntegerField(null=True)
    sha256 = models.CharField(max_length=64, blank=True)
    row_count = models.PositiveBigIntegerField(null=True)
    file_count = models.PositiveBigIntegerField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)
    kept_until = models.DateTimeField()
    removed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["kept_until"], condition=models.Q(removed_at=None), name="archives_archive_old"),
            models.Index(fields=["tenant", "-created_at"], name="archives_archive_of_tenant"),
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def file_name(self) -> str:
        """What somebody's copy is called."""
        about = f"{self.tenant.slug}-" if self.tenant else ""
        return f"{about}{self.created_at:%Y%m%d-%H%M%S}.plexica.tar.gz"

    @property
    def object_name(self) -> str:
        """Its name in the platform's bucket."""
        return _object_name(self.pk)


def _object_name(archive_id: UUID) -> str:
    return f"{archive_id}.tar.gz"
