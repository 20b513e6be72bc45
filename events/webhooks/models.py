from urllib.parse import urlsplit

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.crypto import EncryptedTextField
from core.ids import uuid7

STATES = ("active", "failing", "disabled")


class Webhook(models.Model):
    """An address to which a tenant's events are sent.

        active ──somebody, 410, or days of failures──> disabled ──somebody──> active

    `secret` signs; after a rotation `previous_secret` signs as well, until its time is over.
    """

    class Status(models.TextChoices):
        ACTIVE = "active"
        DISABLED = "disabled"

    class Reason(models.TextChoices):
        """Why it is disabled."""

        PERSON = "person", _("Somebody disabled it.")
        FAILING = "failing", _("Nothing could be delivered for days.")
        GONE = "gone", _("The receiver answered 410: it wants no more.")
        COPIED = "copied", _("It was copied along with the workspace, and has no secret of its own yet.")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    url = models.CharField(max_length=1000)
    description = models.CharField(max_length=200, blank=True)
    events = ArrayField(models.CharField(max_length=120))  # names, or patterns such as plexica.member.*
    secret = EncryptedTextField(blank=True)
    previous_secret = EncryptedTextField(blank=True)
    previous_valid_until = models.DateTimeField(null=True)
    status = models.CharField(max_length=16, choices=Status, default=Status.ACTIVE)
    disabled_because = models.CharField(max_length=16, choices=Reason, blank=True)
    disabled_at = models.DateTimeField(null=True)
    failing_since = models.DateTimeField(null=True)  # the first failure behind the last success
    failures = models.PositiveIntegerField(default=0)  # one after the other
    paused_until = models.DateTimeField(null=True)
    last_success_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1)
    created_by_name = models.CharField(max_length=120)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return self.description or self.host

    @property
    def host(self) -> str:
        """The receiver's name; a path may hold secrets."""
        return urlsplit(self.url).netloc

    @property
    def is_active(self) -> bool:
        """Whether anything is sent."""
        return self.status == self.Status.ACTIVE

    @property
    def state(self) -> str:
        """One of STATES."""
        return "failing" if self.is_active and self.failing_since else self.status

    @property
    def secrets(self) -> list[str]:
        """The secrets that sign now, the newest first."""
        if self.previous_secret and self.previous_valid_until and self.previous_valid_until > timezone.now():
            return [self.secret, self.previous_secret]
        return [self.secret]


class Delivery(models.Model):
    """One event for one webhook. Its id is the `webhook-id` of every attempt; `body` is sent as it stands here.

        waiting ──2xx──> delivered
           │ ↑ later and later
           └─┴─after the last try, or 410──> failed      (both: waiting, when somebody sends it again)

    A test has no position.
    """

    class Status(models.TextChoices):
        WAITING = "waiting"
        DELIVERED = "delivered"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    position = models.BigIntegerField(null=True)  # of the event in the outbox
    event = models.CharField(max_length=120)
    body = models.TextField()
    status = models.CharField(max_length=16, choices=Status, default=Status.WAITING)
    tries = models.PositiveSmallIntegerField(default=0)  # since it was put in line; attempts are all there ever were
    next_try_at = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(default=timezone.now)
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["webhook", "position"], name="webhooks_delivery_once")]
        indexes = [
            models.Index(
                fields=["webhook", "next_try_at", "id"],
                condition=models.Q(status="waiting"),
                name="webhooks_delivery_waiting",
            ),
            models.Index(fields=["webhook", "-created_at", "-id"], name="webhooks_delivery_newest"),
            models.Index(fields=["created_at"], name="webhooks_delivery_age"),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.id}"

    @property
    def is_test(self) -> bool:
        """Whether somebody asked for it to try the address."""
        return self.position is None


class Attempt(models.Model):
    """One call of a receiver: what was sent beside the delivery's body, and what came back, cut off where it gets long."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="attempts")
    started_at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField()
    address = models.CharField(max_length=45, blank=True)  # the IP address that was connected to
    request_headers = models.JSONField()
    status_code = models.PositiveSmallIntegerField(null=True)
    response_headers = models.JSONField(default=dict)
    response_body = models.TextField(blank=True)
    error = models.CharField(max_length=32, blank=True)  # a code of events.webhooks.calling.FAULTS

    class Meta:
        ordering = ["started_at", "id"]

    def __str__(self) -> str:
        return f"{self.delivery_id} {self.status_code or self.error}"
