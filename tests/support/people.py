"""The same people everywhere: two operators, acme-corp's owner, member and guest, and globex-inc's owner as the outsider."""

import secrets
import time
from dataclasses import dataclass
from typing import Any

from core.tenancy import TenantRef

PASSWORD = "plain words for tests 7"
PROVISIONED_S = 60.0
EVERYBODY = ("owner", "member", "guest", "outsider", "operator", "support")
TENANTS = {
    "acme-corp": [
        ("owner", "Mara Ellsworth", "admin"),
        ("member", "Tomas Kadlec", "user"),
        ("guest", "Greta Lindqvist", "guest"),
    ],
    "globex-inc": [("outsider", "Lea Novak", "admin")],
}


@dataclass(frozen=True)
class TestPerson:
    """Somebody with an account: where, and how they sign in."""

    __test__ = False
    tenant: TenantRef | None
    email: str
    password: str


@dataclass(frozen=True)
class World:
    """What every copy of the prepared database holds."""

    acme: TenantRef
    globex: TenantRef
    operator: Any
    people: dict[str, TestPerson]

    def person(self, who: str) -> TestPerson:
        """Return one of EVERYBODY."""
        return self.people[who]


def email_of(who: str) -> str:
    """Return the e-mail address of one of EVERYBODY."""
    return f"{who}@people.example"


def fill_world() -> None:
    """Make the operator, the tenants and their people, through the services."""
    from accounts.identity import provider
    from accounts.identity.realms import current_realm
    from accounts.operators.models import Operator
    from accounts.operators.services import create_operator
    from accounts.people.services import add_person
    from core.tenancy import enter

    create_operator(email=email_of("operator"), name="Jonas Weil", password=PASSWORD)
    create_operator(email=email_of("support"), name="Sofia Brandt", role=Operator.Role.SUPPORT, password=PASSWORD)
    for slug, staff in TENANTS.items():
        who, name, _ = staff[0]
        tenant = provision(slug, admin_email=email_of(who), admin_name=name, time_zone="Europe/Rome")
        for who, name, role in staff:
            account = provider().make_account(tenant.ref, email=email_of(who), name=name)
            provider().set_password(tenant.ref, subject=account.subject, password=PASSWORD)
            with enter(tenant.ref):
                add_person(realm=current_realm(), subject=account.subject, email=email_of(who), name=name, role=role)


def load_world() -> World:
    """Read what `fill_world` made."""
    from accounts.operators.models import Operator
    from tenants.models import Tenant

    tenants = {slug: Tenant.objects.get(slug=slug).ref for slug in TENANTS}
    people = {
        who: TestPerson(tenants[slug], email_of(who), PASSWORD)
        for slug, staff in TENANTS.items()
        for who, _, _ in staff
    }
    people |= {who: TestPerson(None, email_of(who), PASSWORD) for who in ("operator", "support")}
    return World(
        acme=tenants["acme-corp"],
        globex=tenants["globex-inc"],
        operator=Operator.objects.get(email=email_of("operator")).actor,
        people=people,
    )


def step_named(key: str) -> Any:
    """Return the step of `settings.TENANT_STEPS` with this key."""
    from tenants.steps import tenant_steps

    return {step.key: step for step in tenant_steps()}[key]


def provision(slug: str | None = None, **inputs: Any) -> Any:
    """Make an active tenant in this process, as the operations worker would."""
    from core.actors import SYSTEM
    from tenants.models import Operation
    from tenants.selectors import get_operation
    from tenants.services.provisioning import request_tenant
    from tenants.services.work import run_operation

    slug = slug or f"fresh-{secrets.token_hex(5)}"
    inputs = {"name": slug.replace("-", " ").title(), "admin_email": f"admin@{slug}.example", **inputs}
    operation = request_tenant(slug=slug, actor=SYSTEM, **inputs)
    deadline = time.monotonic() + PROVISIONED_S
    while operation.is_open and time.monotonic() < deadline:  # on a busy machine a step may be tried again later
        if not run_operation(operation.pk):
            time.sleep(0.1)
        operation = get_operation(operation.pk)
    assert operation.status == Operation.Status.SUCCEEDED, operation.error
    return operation.tenant


def remove(tenant: Any) -> None:
    """Drop what a tenant owns outside of rows, so that test servers stay small; its row says that it is gone."""
    from accounts.identity.choice import chosen_provider
    from accounts.identity.keycloak.provider import KeycloakProvider
    from storage.buckets import delete_bucket_with_contents
    from tenants.schemas.making import drop_schema

    if chosen_provider(tenant.ref) == "keycloak":
        KeycloakProvider().delete_realm(tenant.ref)
    drop_schema(tenant.ref)
    delete_bucket_with_contents(tenant.bucket_name)
    tenant.domains.all().delete()
    type(tenant).objects.filter(pk=tenant.pk).update(status="deleted")
