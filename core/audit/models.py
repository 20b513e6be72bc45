from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class AuditEntry(models.Model):
    """One thing that was done. Rows are only ever added; the table is partitioned by month."""

    id = models.BigAutoField(primary_key=True)
    occurred_at = models.DateTimeField(default=timezone.now)
    actor_kind = models.CharField(max_length=16)
    actor_id = models.UUIDField(null=True)
    actor_name = models.CharField(max_length=200)
    action = models.CharField(max_length=80)
    target_label = models.CharField(max_length=80, blank=True)
    target_id = models.UUIDField(null=True)
    target_name = models.CharField(max_length=200, blank=True)
    reason = models.TextField(blank=True)
    facts = models.JSONField(default=dict)
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        db_table = "audit_entry"
        ordering = ["-occurred_at", "-id"]
        verbose_name = _("audit entry")

    def __str__(self) -> str:
        return f"{self.action} {self.target_name}".strip()
