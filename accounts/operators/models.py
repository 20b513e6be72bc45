from django.db import models

from accounts.identity.models import Realm
from accounts.principals import Principal
from core.actors import Actor


class Operator(Principal):
    """Somebody who runs the platform."""

    realm = models.ForeignKey(Realm, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["realm", "subject"], name="operators_operator_subject")]

    @property
    def actor(self) -> Actor:
        """This operator as the one who does something."""
        return Actor(kind="operator", id=self.pk, name=self.name)
