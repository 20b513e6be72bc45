from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.identity.models import Realm
from accounts.principals import Principal
from core.actors import Actor


class Operator(Principal):
    """Somebody who runs the platform, or who may only look."""

    class Role(models.TextChoices):
        SUPER_ADMIN = "super_admin", _("Super admin")
        SUPPORT = "support", _("Support")

    realm = models.ForeignKey(Realm, on_delete=models.PROTECT, related_name="+")
    role = models.CharField(max_length=16, choices=Role, default=Role.SUPER_ADMIN, db_default=Role.SUPER_ADMIN)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["realm", "subject"], name="operators_operator_subject")]

    @property
    def is_super_admin(self) -> bool:
        """Whether they may change anything."""
        return self.role == self.Role.SUPER_ADMIN

    @property
    def actor(self) -> Actor:
        """This operator as the one who does something."""
        return Actor(kind="operator", id=self.pk, name=self.name)
