"""What people and operators have in common: they sign in through a realm, and pages speak their language."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.ids import uuid7


class Principal(models.Model):
    """Somebody mirrored from a realm, matched by realm and subject, never by e-mail address."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    subject = models.CharField(max_length=255)
    email = models.EmailField()
    name = models.CharField(max_length=120)
    language = models.CharField(max_length=8, blank=True)
    time_zone = models.CharField(max_length=64, blank=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)
    last_sign_in_at = models.DateTimeField(null=True)

    is_authenticated = True
    is_anonymous = False

    class Meta:
        abstract = True
        verbose_name = _("person")

    def __str__(self) -> str:
        return self.name
