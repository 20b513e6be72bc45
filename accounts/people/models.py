from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext

from accounts.identity.models import Realm
from accounts.principals import Principal
from core.actors import Actor
from core.ids import uuid7


class Role(models.Model):
    """A named set of permissions. Built-in roles can be neither renamed nor removed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.SlugField(max_length=48, unique=True)
    label = models.CharField(max_length=80)
    permissions = ArrayField(models.CharField(max_length=120), default=list)
    is_builtin = models.BooleanField(default=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.label

    @property
    def shown_label(self) -> str:
        """What pages call the role: built-in ones in the reader's language, a tenant's own as it was written."""
        return gettext(self.label) if self.is_builtin else self.label


class Person(Principal):
    """A member of the tenant. Never deleted, so that what they did stays attached to them."""

    realm = models.ForeignKey(Realm, on_delete=models.PROTECT, related_name="+")
    roles: "models.ManyToManyField[Role, RoleAssignment]" = models.ManyToManyField(
        Role, through="RoleAssignment", related_name="people"
    )

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["realm", "subject"], name="people_person_subject"),
        ]

    @property
    def status(self) -> str:
        """disabled, active, or invited as long as they never signed in."""
        if not self.is_active:
            return "disabled"
        return "active" if self.last_sign_in_at else "invited"

    preferences_json: str | None = None  # the workspace's, if `selectors.find_signed_in` read them along

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
