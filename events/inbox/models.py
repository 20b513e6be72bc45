from django.db import models
from django.db.models.functions import Now
from django.utils import timezone


class HandledMessage(models.Model):
    """An event that a subscriber has handled here, written in the handler's own transaction."""

    pk = models.CompositePrimaryKey("subscriber", "position")
    subscriber = models.CharField(max_length=120)
    position = models.BigIntegerField()
    handled_at = models.DateTimeField(default=timezone.now, db_default=Now())

    class Meta:
        db_table = "events_handled"
        indexes = [models.Index(fields=["handled_at"], name="events_handled_age")]

    def __str__(self) -> str:
        return f"{self.subscriber} {self.position}"
