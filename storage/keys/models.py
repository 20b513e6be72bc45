from django.db import models
from django.db.models import Q
from django.utils import timezone

from core.crypto import EncryptedTextField


class BucketKey(models.Model):
    """The one key to the tenant's bucket. It stands in the tenant's schema, and says nothing of which bucket it opens."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    key_id = models.CharField(max_length=128)
    secret = EncryptedTextField()
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="storage_keys_one_row")]

    def __str__(self) -> str:
        return self.key_id
