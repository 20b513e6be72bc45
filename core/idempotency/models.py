from django.db import models

from core.ids import uuid7


class IdempotencyKey(models.Model):
    """What a call with an Idempotency-Key was answered; never the body itself. Kept for 24 hours."""

    id = models.UUIDField(primary_key=True, default=uuid7)
    principal = models.CharField(max_length=80)
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=400)
    key = models.CharField(max_length=120)
    body_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    location = models.CharField(max_length=400)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["principal", "method", "path", "key"], name="idempotency_key_once"),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.key}"
