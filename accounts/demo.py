"""The demo's tenants and people: made through the same services as real ones, by the real worker."""

import math
import time
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from accounts.identity import provider
from accounts.identity.keycloak import placement
from accounts.identity.moving import move_realm
from accounts.identity.realms import current_realm
from accounts.operators.services import create_operator
from accounts.people.models import Person
from accounts.people.services import add_person
from core.actors import SYSTEM
from core.audit.models import AuditEntry
from core.tenancy import TenantRef, enter
from tenants.directory import address_of
from tenants.models import Operation, Tenant
from tenants.preferences.models import Preferences
from tenants.selectors import get_operation
from tenants.services.provisioning import request_tenant

OPERATOR = ("olivia.park@plexica.example", "Olivia Park", "operator of the demo")
HISTORY_DAYS = 75
POLL_S = 0.2


@dataclass(frozen=True)
class DemoPerson:
    """Somebody in a demo tenant; `diligence` is how often they sign in on a working day."""

    name: str
    role: str
    diligence: float

    def email_at(self, slug: str) -> str:
        """Return their address at a tenant."""
        return f"{self.name.lower().replace(' ', '.')}@{slug}.example"


@dataclass(frozen=True)
class DemoTenant:
    """A tenant of the demo; the first person is its first admin."""

    slug: str
    name: str
    password: str
    people: list[DemoPerson]
    language: str = ""
    time_zone: str = "Europe/Rome"
    brand: dict[str, object] = field(default_factory=dict)


TENANTS = [
    DemoTenant(
        "acme-corp",
        "Acme Corp",
        "acme opens every morning",
        [
            DemoPerson("Mara Ellsworth", "admin", 1.4),
            DemoPerson("Tomas Kadlec", "user", 1.1),
            DemoPerson("Priya Anand", "user", 0.9),
            DemoPerson("Omar Haddad", "user", 0.7),
            DemoPerson("Greta Lindqvist", "guest", 0.2),
        ],
    ),
    DemoTenant(
        "globex-inc",
        "Globex Inc",
        "globex turns the globe",
        [
            DemoPerson("Lea Novak", "admin", 1.2),
            DemoPerson("Hiro Tanaka", "user", 0.8),
            DemoPerson("Nadia Rossi", "user", 0.8),
        ],
        brand={"brand_colour": "#3b3fd8", "brand_tint": 270, "brand_roundness": 1.0},
    ),
    DemoTenant(
        "demo-company",
        "Demo Company",
        "demo shows how it works",
        [DemoPerson("Ines Moretti", "admin", 1.0), DemoPerson("Paolo Greco", "user", 0.6)],
        language="it",
    ),
]


class DemoTimeout(RuntimeError):
    """No worker set up a tenant in time."""


def seed_operator() -> dict[str, object]:
    """Make the operator and return what the demo prints of the console."""
    email, name, password = OPERATOR
    create_operator(email=email, name=name, password=password)
    people = [{"role": "operator", "login": email, "password": password}]
    return {"name": "Console", "url": f"{settings.PUBLIC_URL}/console/", "people": people}


def request_missing() -> dict[str, UUID]:
    """Ask for the demo's tenants that are not there, and return their operations by slug."""
    alive = Tenant.objects.exclude(status__in=Tenant.GONE).values_list("slug", flat=True)
    asked = {
        demo.slug: request_tenant(
            slug=demo.slug,
            name=demo.name,
            admin_email=demo.people[0].email_at(demo.slug),
            admin_name=demo.people[0].name,
            language=demo.language,
            time_zone=demo.time_zone,
            actor=SYSTEM,
        ).pk
        for demo in TENANTS
        if demo.slug not in alive
    }
    open_ones = Operation.objects.filter(tenant__slug__in=alive, status__in=Operation.OPEN).select_related("tenant")
    return asked | {operation.tenant.slug: operation.pk for operation in open_ones}


def wait_for(operation_id: UUID, *, timeout_s: float) -> Operation:
    """Return the operation when it has ended. Raises DemoTimeout."""
    deadline = time.monotonic() + timeout_s
    while (operation := get_operation(operation_id)).is_open:
        if time.monotonic() > deadline:
            raise DemoTimeout(f"{operation.tenant.slug} is still {operation.status} after {timeout_s:g} s")
        time.sleep(POLL_S)
    return operation


def seed_tenant(demo: DemoTenant) -> dict[str, object]:
    """Fill an active tenant with its people and their past, once, and return what the demo prints of it."""
    tenant = Tenant.objects.get(slug=demo.slug, status=Tenant.Status.ACTIVE)
    if settings.IDENTITY_PROVIDER == "keycloak" and not tenant.identity_server:  # of a demo that began without
        move_realm(tenant=tenant, to=placement.emptiest(placement.read_loads()).name, actor=SYSTEM)
    ref = tenant.ref
    with enter(ref):
        if Person.objects.count() < len(demo.people):
            for person in demo.people:
                _seed_person(ref, demo, person)
            Preferences.objects.filter(pk=1).update(**demo.brand, version=2)
    people = [{"role": p.role, "login": p.email_at(demo.slug), "password": demo.password} for p in demo.people]
    return {"name": demo.name, "url": f"{address_of(demo.slug)}/", "people": people}


def _seed_person(ref: TenantRef, demo: DemoTenant, who: DemoPerson) -> None:
    email = who.email_at(demo.slug)
    account = provider().make_account(ref, email=email, name=who.name)
    provider().set_password(ref, subject=account.subject, password=demo.password)
    person = add_person(realm=current_realm(), subject=account.subject, email=email, name=who.name, role=who.role)
    first_day = HISTORY_DAYS - 8 * demo.people.index(who)
    moments = [
        timezone.now() - timedelta(days=day, hours=number)
        for day in range(first_day, 0, -1)
        for number in range(_sign_ins_on(day, who.diligence))
    ]
    AuditEntry.objects.bulk_create(
        AuditEntry(
            occurred_at=moment,
            actor_kind="person",
            actor_id=person.pk,
            actor_name=person.name,
            action="session.started",
            target_label="people.person",
            target_id=person.pk,
            target_name=person.name,
        )
        for moment in moments
    )
    joined_at = timezone.now() - timedelta(days=first_day + 1)
    Person.objects.filter(pk=person.pk).update(created_at=joined_at, last_sign_in_at=moments[-1] if moments else None)


def _sign_ins_on(days_ago: int, diligence: float) -> int:
    """Return how often somebody signed in: more on working days, a little more each week, the same at each start."""
    weekday = (timezone.localdate() - timedelta(days=days_ago)).weekday()
    rhythm = 0.25 if weekday >= 5 else 2.2 + 0.6 * math.sin(days_ago * 1.7 + diligence * 9)
    growth = 1 - days_ago / (2.5 * HISTORY_DAYS)
    return round(rhythm * diligence * growth)
