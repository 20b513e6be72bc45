"""What every tenant gets from this room: a realm with the built-in roles, and a first admin."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.identity import provider
from accounts.identity.realms import current_realm
from accounts.identity.restoring import make_missing_accounts
from accounts.identity.two_factor_rule import two_factor_required
from accounts.people.services import add_person, make_builtin_roles
from accounts.second_factors import settle_rule
from accounts.tasks import mail_password_link
from core.tenancy import enter
from tenants.models import Tenant
from tenants.steps import Leftover, TenantStep


class RealmStep(TenantStep):
    """Gives the tenant its realm, with keys, clients and the built-in roles."""

    key = "realm"
    label = _("Realm")
    makes: ClassVar[Mapping[str, str | Promise]] = {"realm": _("Realm")}

    def run(self, tenant: Tenant, inputs: dict[str, Any]) -> str:
        issuer = provider().make_realm(tenant.ref)
        with enter(tenant.ref):
            if two_factor_required():  # of a tenant that is restored
                settle_rule()
            make_builtin_roles()
            for subject in make_missing_accounts(tenant.ref):
                mail_password_link.delay(subject=subject)
        return issuer

    def undo(self, tenant: Tenant) -> None:
        provider().delete_realm(tenant.ref)

    def find_leftovers(self, tenant: Tenant) -> list[Leftover]:
        return [Leftover("realm", tenant.slug)] if provider().realm_exists(tenant.ref) else []


class FirstAdminStep(TenantStep):
    """Makes the first admin's account and sends the link that sets its password."""

    key = "first_admin"
    label = _("First admin")

    def run(self, tenant: Tenant, inputs: dict[str, Any]) -> str:
        account = provider().make_account(tenant.ref, email=tenant.admin_email, name=tenant.admin_name)
        with enter(tenant.ref), transaction.atomic():
            add_person(
                realm=current_realm(),
                subject=account.subject,
                email=tenant.admin_email,
                name=tenant.admin_name,
                role="admin",
            )
        with enter(tenant.ref):
            mail_password_link.delay(subject=account.subject)
        return tenant.admin_email
