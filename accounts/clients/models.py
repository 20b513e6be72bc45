from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from accounts.identity.models import Realm
from accounts.permissions import known_among
from core.actors import Actor
from core.ids import uuid7

SUPER_ADMIN = "super_admin"  # the one permission of clients of the platform: without it they may only look
STATES = ("active", "secret_needed", "expired", "revoked")


class ApiClient(models.Model):
    """A program that calls the API for itself: a tenant's in the tenant's schema, an operator's in `public`.

    The realm holds the secret, and gives tokens; whether they are worth anything stands here and is looked at in each call.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    realm = models.ForeignKey(Realm, on_delete=models.PROTECT, related_name="+")
    client_id = models.CharField(max_length=64, unique=True)
    subject = models.CharField(max_length=255)
    name = models.CharField(max_length=120)
    permissions = ArrayField(models.CharField(max_length=120), default=list)
    expires_at = models.DateTimeField(null=True)
    created_by_name = models.CharField(max_length=120)
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    needs_secret = models.BooleanField(default=False, db_default=False)  # the realm that had its secret is gone

    # what people and operators have, too: whoever calls is asked for it
    is_authenticated = True
    is_anonymous = False
    email = language = time_zone = ""
    roles = ()

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return self.name

    @property
    def state(self) -> str:
        """revoked, expired, secret_needed, or active."""
        if self.revoked_at:
            return "revoked"
        if self.expires_at and self.expires_at <= timezone.now():
            return "expired"
        return "secret_needed" if self.needs_secret else "active"

    @property
    def is_over(self) -> bool:
        """Whether it ended for good."""
        return self.state in ("revoked", "expired")

    @property
    def is_active(self) -> bool:
        """Whether its tokens are worth anything."""
        return self.state == "active"

    @property
    def last_sign_in_at(self) -> object:
        """When it called last, to the minute."""
        return self.last_used_at

    @property
    def granted(self) -> frozenset[str]:
        """The permissions that it holds in its tenant."""
        return known_among(self.permissions)

    @property
    def is_super_admin(self) -> bool:
        """Whether a client of the platform may change something."""
        return SUPER_ADMIN in self.permissions

    @property
    def actor(self) -> Actor:
        """This client as the one who does something."""
        return Actor(kind="client", id=self.pk, name=self.name)
