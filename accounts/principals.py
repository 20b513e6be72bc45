"""What people and operators have in common: they sign in through a realm, and pages speak their language."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Optional, TypeVar
from uuid import UUID

from django.db import connection, models, router
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.actors import Actor
from core.ids import uuid7

MAX_NAME = 120


def name_faults(name: str) -> list[str]:
    """Return what is wrong with the name of somebody or of a program."""
    if not name.strip() or len(name) > MAX_NAME:
        return [_("Enter a name of at most %(count)d characters.") % {"count": MAX_NAME}]
    return []


# what `Principal.status` says, as questions to the database
STATUSES = {
    "active": Q(is_active=True, last_sign_in_at__isnull=False),
    "invited": Q(is_active=True, last_sign_in_at=None),
    "disabled": Q(is_active=False),
}

if TYPE_CHECKING:
    from accounts.sessions.selectors import SessionState


class Principal(models.Model):
    """Somebody mirrored from a realm, matched by realm and subject, never by e-mail address."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    subject = models.CharField(max_length=255)
    email = models.EmailField()
    name = models.CharField(max_length=MAX_NAME)
    language = models.CharField(max_length=8, blank=True)
    time_zone = models.CharField(max_length=64, blank=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)
    last_sign_in_at = models.DateTimeField(null=True)

    is_authenticated = True
    is_anonymous = False
    session: Optional["SessionState"] = None  # the browser session that asks, if one does

    class Meta:
        abstract = True
        verbose_name = gettext_lazy("person")

    def __str__(self) -> str:
        return self.name

    @property
    def status(self) -> str:
        """disabled, active, or invited as long as they never signed in."""
        if not self.is_active:
            return "disabled"
        return "active" if self.last_sign_in_at else "invited"

    @property
    def own_session_id(self) -> UUID | None:
        """The id of the browser session that asks, if one does."""
        return self.session.id if self.session else None

    @property
    def actor(self) -> Actor:
        """They as the one who does something."""
        raise NotImplementedError


P = TypeVar("P", bound=Principal)


def read_principal(model: type[P], statement: str, values: Sequence[Any]) -> P | None:
    """Return the first row of a statement as somebody, or None; columns that the model has not become plain attributes.

    Like `Manager.raw`, at a quarter of its cost, for statements that each request sends. Columns must need no conversion.
    """
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        row = cursor.fetchone()
        read = dict(zip([column.name for column in cursor.description], row, strict=True)) if row else None
    if read is None:
        return None
    names = [column.attname for column in model._meta.concrete_fields if column.attname in read]
    found = model.from_db(router.db_for_read(model), names, [read.pop(name) for name in names])
    vars(found).update(read)
    return found
