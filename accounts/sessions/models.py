from django.db import models
from django.utils import timezone

from core.crypto import EncryptedTextField
from core.ids import uuid7

SESSION_ID = "browser_session"  # in Django's session: the id of the row


class BrowserSession(models.Model):
    """Somebody's sign-in with one browser: a person's in a tenant's schema, an operator's in `public`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    principal_id = models.UUIDField(db_index=True)  # a person or an operator: the schema says which
    realm_id = models.UUIDField()
    subject = models.CharField(max_length=255, db_index=True)
    issuer_sid = models.CharField(
        max_length=255, blank=True, db_index=True
    )  # the issuer's own session, if it names one
    methods = models.CharField(max_length=80, blank=True)  # how the issuer says they proved who they are: "pwd otp"
    user_agent = models.CharField(max_length=300, blank=True)
    address = models.GenericIPAddressField(null=True)
    started_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)  # written at most once a minute

    id_token = EncryptedTextField(blank=True)
    access_token = EncryptedTextField(blank=True)
    refresh_token = EncryptedTextField(blank=True)
    access_expires_at = models.DateTimeField()
    refresh_leased_until = models.DateTimeField(null=True)  # a request is at the issuer for new tokens
    refresh_failed_at = models.DateTimeField(null=True)  # the issuer did not answer

    class Meta:
        ordering = ["-last_seen_at", "id"]

    def __str__(self) -> str:
        return f"{self.principal_id} since {self.started_at:%Y-%m-%d %H:%M}"
