from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.identity import provider
from accounts.identity.realms import current_realm
from accounts.people.models import Person
from core.actors import Actor
from core.errors import Gone, Unavailable
from core.tenancy import enter
from tenants.errors import LinkAlreadyShown
from tenants.models import Tenant
from tenants.services.provisioning import claim_first_admin_link


class FirstAdminSignedIn(Gone):
    """A link would now hand over the account of somebody who works there."""

    code = "first_admin_signed_in"
    title = _("The first admin has signed in")
    detail = _("%(email)s has a password. The link was for the first time only.")


@dataclass(frozen=True, slots=True)
class FirstAdmin:
    """The first admin as the tenant's realm knows them."""

    subject: str
    issuer: str
    has_signed_in: bool


@dataclass(frozen=True, slots=True)
class PasswordLinkShown:
    """A single-use address to set a password, and until when it works."""

    url: str
    expires_at: datetime


def find_first_admin(tenant: Tenant) -> FirstAdmin | None:
    """Return the tenant's first admin, or None while or after the tenant is not there."""
    if not tenant.is_in_use:
        return None
    with enter(tenant.ref):
        person = Person.objects.filter(email=tenant.admin_email).order_by("created_at").first()
        try:
            issuer = current_realm().issuer
        except Unavailable:
            return None
        return FirstAdmin(person.subject, issuer, person.last_sign_in_at is not None) if person else None


def show_first_admin_link(*, tenant: Tenant, actor: Actor) -> PasswordLinkShown:
    """Return a fresh link for the first admin, once for each tenant.

    Raises LinkAlreadyShown from the second time on, and FirstAdminSignedIn when they have a password already.
    """
    admin = find_first_admin(tenant)
    operation = tenant.operations.filter(kind="provision").first()
    if admin is None or operation is None:
        raise LinkAlreadyShown(email=tenant.admin_email)
    if admin.has_signed_in:
        raise FirstAdminSignedIn(email=tenant.admin_email)
    claim_first_admin_link(operation_id=operation.pk, actor=actor)
    url = provider().make_password_link(tenant.ref, subject=admin.subject)
    return PasswordLinkShown(url, timezone.now() + timedelta(days=settings.PASSWORD_LINK_DAYS))
