from django.db import models
from django.utils import timezone

from core.ids import uuid7
from events.messages import Message


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


class ParkedMessage(models.Model):
    """An event that waits for one subscriber in one tenant: it failed, or stands behind one that did, or the tenant is stopped.

    The bus has moved on. Those of one subscriber and tenant are handled in the order of their positions.
    """

    class Reason(models.TextChoices):
        FAILED = "failed"
        BEHIND = "behind"
        STOPPED = "stopped"
        AGAIN = "again"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    subscriber = models.CharField(max_length=120)
    shard = models.PositiveSmallIntegerField()
    tenant_id = models.UUIDField()
    position = models.BigIntegerField()
    message = models.TextField()  # events.messages.Message, as the bus carried it
    reason = models.CharField(max_length=16, choices=Reason)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)
    next_try_at = models.DateTimeField(default=timezone.now)
    parked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "events_parked"
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["subscriber", "position"], name="events_parked_once")]
        indexes = [models.Index(fields=["subscriber", "tenant_id", "position"], name="events_parked_queue")]

    def __str__(self) -> str:
        return f"{self.subscriber} {self.position}"


class FailedMessage(models.Model):
    """An event that a subscriber could not handle, after the last try: an operator's to retry or to dismiss."""

    class Status(models.TextChoices):
        OPEN = "open"
        RETRIED = "retried"
        DISMISSED = "dismissed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    subscriber = models.CharField(max_length=120)
    tenant_id = models.UUIDField()
    position = models.BigIntegerField()
    name = models.CharField(max_length=120)
    message = models.TextField()
    attempts = models.PositiveSmallIntegerField()
    error = models.TextField()
    status = models.CharField(max_length=16, choices=Status, default=Status.OPEN)
    failed_at = models.DateTimeField(default=timezone.now)
    answered_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "events_failed"
        ordering = ["-failed_at"]
        indexes = [models.Index(fields=["status", "-failed_at"], name="events_failed_newest")]

    def __str__(self) -> str:
        return f"{self.subscriber} {self.name} {self.position}"

    @property
    def content(self) -> Message:
        """The event as it was published."""
        return Message.from_text(self.message)


class Passed(models.Model):
    """Up to when a subscriber has dealt with everything that was sent in a shard."""

    pk = models.CompositePrimaryKey("subscriber", "shard")
    subscriber = models.CharField(max_length=120)
    shard = models.PositiveSmallIntegerField()
    passed_at = models.DateTimeField()

    class Meta:
        db_table = "events_passed"

    def __str__(self) -> str:
        return f"{self.subscriber} {self.shard} {self.passed_at:%Y-%m-%d %H:%M:%S}"
