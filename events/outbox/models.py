from django.db import models


class OutboxMessage(models.Model):
    """An event on its way out. Written by `events.publish` without the ORM; partitioned by day."""

    id = models.BigAutoField(primary_key=True)
    occurred_at = models.DateTimeField()
    name = models.CharField(max_length=120)
    version = models.PositiveSmallIntegerField()
    tenant_id = models.UUIDField(null=True)
    actor_kind = models.CharField(max_length=16)
    actor_id = models.UUIDField(null=True)
    request_id = models.CharField(max_length=64)
    payload = models.JSONField()
    sent_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "events_outbox"
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.name} {self.id}"
