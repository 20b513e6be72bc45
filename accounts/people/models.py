from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext

from accounts.identity.models import Realm
from accounts.permissions import held_by_builtin, known_among
from accounts.principals import Principal
from core.actors import Actor
from core.ids import uuid7


class Role(models.Model):
    """A named set of permissions. Built-in roles can be neither changed nor removed: what they hold stands in the code."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.SlugField(max_length=48, unique=True)
    label = models.CharField(max_length=80)
    permissions = ArrayField(models.CharField(max_length=120), default=list)
    is_builtin = models.BooleanField(default=False)
    version = models.PositiveIntegerField(default=1, db_default=1)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.label

    @property
    def shown_label(self) -> str:
        """What pages call the role: built-in ones in the reader's language, a tenant's own as it was written."""
        return gettext(self.label) if self.is_builtin else self.label

    @property
    def granted(self) -> frozenset[str]:
        """The permissions that whoever has the role holds."""
        return held_by_builtin(self.name) if self.is_builtin else known_among(self.permissions)


class Person(Principal):
    """A member of the tenant. Never deleted, so that what they did stays attached to them: who was removed has no name."""

    realm = models.ForeignKey(Realm, on_delete=models.PROTECT, related_name="+")
    roles: "models.ManyToManyField[Role, RoleAssignment]" = models.ManyToManyField(
        Role, through="RoleAssignment", related_name="people"
    )
    realm_name = models.CharField(
        max_length=120, blank=True, db_default="", default=""
    )  # what the realm called them last
    removed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["realm", "subject"], name="people_person_subject"),
        ]

    # what `selectors.find_signed_in` reads along: the workspace's preferences, and the version of its permissions
    preferences_json: str | None = None
    permissions_version: str | None = None

    @property
    def actor(self) -> Actor:
        """This person as the one who does something."""
        return Actor(kind="person", id=self.pk, name=self.name)


class RoleAssignment(models.Model):
    """A role that a person has."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    person = models.ForeignKey(Person, on_delete=models.CASCADE)
    role = models.ForeignKey(Role, on_delete=models.CASCADE)
    assigned_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "role"], name="people_roleassignment_once")]

    def __str__(self) -> str:
        return f"{self.person_id} {self.role_id}"


class PermissionsVersion(models.Model):
    """The one row that says since when nothing changed in who may do what; without it, nothing ever changed."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    version = models.UUIDField()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="people_permissionsversion_one_row")]

    def __str__(self) -> str:
        return str(self.version)


class Invitation(models.Model):
    """A way into the team for one address, once. Only the hash of the token is kept, which the mail alone carries."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField()
    roles: "models.ManyToManyField[Role, InvitationRole]" = models.ManyToManyField(
        Role, through="InvitationRole", related_name="+"
    )
    token_hash = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    mailed_at = models.DateTimeField(null=True)
    invited_by_name = models.CharField(max_length=120)
    created_at = models.DateTimeField(default=timezone.now)
    accepted_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="people_invitation_email_lower"),
            models.UniqueConstraint(
                fields=["email"],
                condition=models.Q(accepted_at=None, revoked_at=None),
                name="people_invitation_one_open",
            ),
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def is_expired(self) -> bool:
        """Whether its days are over."""
        return self.expires_at <= timezone.now()

    @property
    def state(self) -> str:
        """accepted, revoked, expired, or open as long as none of these."""
        if self.accepted_at:
            return "accepted"
        if self.revoked_at:
            return "revoked"
        return "expired" if self.is_expired else "open"


class InvitationRole(models.Model):
    """A role that whoever accepts the invitation gets."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    invitation = models.ForeignKey(Invitation, on_delete=models.CASCADE)
    role = models.ForeignKey(Role, on_delete=models.CASCADE)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["invitation", "role"], name="people_invitationrole_once"),
        ]

    def __str__(self) -> str:
        return f"{self.invitation_id} {self.role_id}"
