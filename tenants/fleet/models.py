"""The ledger: which run migrated which tenant, when, for how long, and what stopped it.

It belongs to `public` and is written by px_ops alone. A tenant's line is set to `done` in the transaction that migrates
the tenant, so the two never disagree.
"""

from datetime import timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.ids import uuid7


class Run(models.Model):
    """One go over all tenants that were behind. A run that finds none behind leaves no row.

    `counts` says how many of its lines have which status. It is written when the run ends by itself: until then, and if
    its process was killed, backends may still write lines, and whoever asks counts them.
    """

    class Status(models.TextChoices):
        RUNNING = "running", _("Running")
        SUCCEEDED = "succeeded", _("Done")
        FAILED = "failed", _("Some tenants failed")
        STOPPED = "stopped", _("Stopped")
        INTERRUPTED = "interrupted", _("Interrupted")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    status = models.CharField(max_length=16, choices=Status, default=Status.RUNNING)
    started_by = models.CharField(max_length=200)
    options = models.JSONField(default=dict)
    migrations_hash = models.CharField(max_length=64)
    reason = models.TextField(blank=True)
    counts = models.JSONField(null=True)
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-started_at"]
        indexes = [models.Index(fields=["-started_at"], name="fleet_run_newest")]

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M} {self.status}"


class TenantRecord(models.Model):
    """What one run did to one tenant. The tenant is named by id: its row may be gone one day, this one stays.

    No index has a column that changes, and pages are filled by half: the line that is written in a tenant's transaction
    then stays on its page, and no index is touched.
    """

    class Status(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        BUSY = "busy", _("Busy to the end")
        GONE = "gone", _("Deleted meanwhile")
        UNREACHED = "unreached", _("Not reached")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # the constraint has an index that serves it
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="records", db_index=False)
    tenant_id = models.UUIDField()
    slug = models.CharField(max_length=48)
    status = models.CharField(max_length=16, choices=Status, default=Status.WAITING)
    is_canary = models.BooleanField(default=False)
    migrations = models.JSONField(default=list)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    # how far a migration outside of transactions came: its name, how many statements, a digest of them
    reached_migration = models.CharField(max_length=255, blank=True)
    reached_statement = models.PositiveIntegerField(default=0)
    reached_digest = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["-is_canary", "slug"]
        constraints = [models.UniqueConstraint(fields=["run", "tenant_id"], name="fleet_tenantrecord_once")]
        indexes = [models.Index(fields=["tenant_id", "-id"], name="fleet_tenantrecord_newest")]

    def __str__(self) -> str:
        return f"{self.slug}: {self.status}"

    @property
    def took(self) -> timedelta | None:
        """How long the tenant's migration took, or None if it did not end."""
        return self.finished_at - self.started_at if self.finished_at and self.started_at else None
