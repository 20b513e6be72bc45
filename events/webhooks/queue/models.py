from django.db import models
from django.db.models.functions import Coalesce


class QueuedWebhook(models.Model):
    """A webhook that has something to send, at `due_at`; while a sender is at it, `leased_until` says how long it is its own.

    One that fails or is disabled stays without being due, so that operators see it. `waiting` grows with what tenants put
    in line, and is counted anew by each sender that lets go. A tenant's role may add its own rows, move them and let them
    grow, nothing else (a row-level policy).
    """

    pk = models.CompositePrimaryKey("tenant_id", "webhook_id")  # a copied tenant has webhooks of the same ids
    tenant_id = models.UUIDField()
    webhook_id = models.UUIDField()
    due_at = models.DateTimeField(null=True)  # None while it is leased and nothing came meanwhile
    lease = models.UUIDField(null=True)
    leased_until = models.DateTimeField(null=True)
    is_failing = models.BooleanField(default=False, db_default=False)
    is_disabled = models.BooleanField(default=False, db_default=False)
    is_held = models.BooleanField(default=False, db_default=False)  # a sender found its tenant stopped
    waiting = models.PositiveIntegerField(default=0, db_default=0)  # deliveries
    waiting_since = models.DateTimeField(null=True)  # the oldest of them

    class Meta:
        db_table = "webhook_queue"
        indexes = [models.Index(Coalesce("leased_until", "due_at"), name="webhook_queue_ready")]

    def __str__(self) -> str:
        return str(self.webhook_id)


class AttemptCount(models.Model):
    """How many attempts had one result since the platform began. What a sender had not added when it died is missing."""

    result = models.CharField(max_length=32, primary_key=True)
    count = models.PositiveBigIntegerField()

    class Meta:
        db_table = "webhook_attempts"

    def __str__(self) -> str:
        return f"{self.count} {self.result}"
