"""Reads a tenant's people, and what happened in the workspace."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.core.paginator import Page, Paginator
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import TruncDate

from accounts.people.models import Person, Role
from accounts.principals import STATUSES, read_principal
from core.audit.models import AuditEntry
from core.errors import NotFound

SIGN_IN, SIGN_OUT = "session.started", "session.ended"
SORTS = {"name": "name", "-name": "-name", "last_sign_in": "last_sign_in_at", "-last_sign_in": "-last_sign_in_at"}

# A signed-in person with what pages need of the workspace, for `accounts.sessions.selectors`, which adds columns and
# conditions. Asked with each request: as text it costs half of what the ORM takes, and it saves round trips.
SIGNED_IN_PERSON = """
    SELECT p.*,
        coalesce((SELECT version::text FROM people_permissionsversion WHERE id = 1), '') AS permissions_version,
        (SELECT row_to_json(s)::text FROM preferences_preferences s WHERE s.id = 1) AS preferences_json, {columns}
    FROM people_person p
"""
_BEARER = """
    SELECT p.*,
        coalesce((SELECT version::text FROM people_permissionsversion WHERE id = 1), '') AS permissions_version
    FROM people_person p WHERE p.realm_id = %s AND p.subject = %s AND p.is_active
"""


def find_bearer(*, realm_id: UUID, subject: str) -> Person | None:
    """Return the active person of a token, who brings the version of the workspace's permissions along, or None."""
    return read_principal(Person, _BEARER, [realm_id, subject])


def list_people(*, query: str = "", role: str = "", status: str = "") -> QuerySet[Person]:
    """Return people by name, with their roles; `query` looks into name and e-mail address, `status` is one of STATUSES.

    Who was removed is nobody any more and not among them.
    """
    people = Person.objects.filter(removed_at=None).prefetch_related("roles").order_by("name", "id")
    if query:
        people = people.filter(Q(name__icontains=query) | Q(email__icontains=query))
    if role:
        people = people.filter(roles__name=role)
    return people.filter(STATUSES[status]) if status else people


def count_people_by_status(*, query: str = "", role: str = "") -> dict[str, int]:
    """Return how many of the people that `list_people` finds have each status, and how many there are, under ""."""
    people = list_people(query=query, role=role).order_by()
    counts = people.aggregate(_all=Count("id"), **{name: Count("id", filter=which) for name, which in STATUSES.items()})
    counts[""] = counts.pop("_all")
    return counts


def page_of_people(
    *, query: str, sort: str, page: str | None, size: int, role: str = "", status: str = ""
) -> Page[Person]:
    """Return one page of the people, sorted by one of SORTS, read to the end: nothing of it asks the database later."""
    found = Paginator(list_people(query=query, role=role, status=status).order_by(SORTS[sort], "id"), size).get_page(
        page
    )
    found.object_list = list(found.object_list)
    return found


def get_person(person_id: UUID) -> Person:
    """Return somebody of the team with their roles. Raises NotFound, also for who was removed."""
    person = list_people().filter(pk=person_id).first()
    if person is None:
        raise NotFound
    return person


def list_roles() -> QuerySet[Role]:
    """Return the roles, built-in ones first, each with `people_count`."""
    return Role.objects.annotate(people_count=Count("people")).order_by("-is_builtin", "label", "id")


def get_role(role_id: UUID) -> Role:
    """Return a role with its `people_count`. Raises NotFound."""
    role = list_roles().filter(pk=role_id).first()
    if role is None:
        raise NotFound
    return role


def count_active_people(*, joined_before: datetime | None = None) -> int:
    """Return how many active people there are, or were by their joining at a moment."""
    people = Person.objects.filter(is_active=True)
    return people.filter(created_at__lt=joined_before).count() if joined_before else people.count()


def count_people_signed_in(*, since: datetime, until: datetime) -> int:
    """Return how many different people signed in between two moments."""
    entries = AuditEntry.objects.filter(action=SIGN_IN, occurred_at__gte=since, occurred_at__lt=until)
    return entries.aggregate(people=Count("actor_id", distinct=True))["people"] or 0


@dataclass(frozen=True, slots=True)
class DailyCount:
    """How often something happened on one day."""

    day: date
    count: int


def count_sign_ins_by_day(*, last_day: date, days: int, zone: ZoneInfo) -> list[DailyCount]:
    """Return the sign-ins of `days` days that end with `last_day`, days without any included; days are those of `zone`."""
    first_day = last_day - timedelta(days=days - 1)
    start = datetime.combine(first_day, datetime.min.time(), tzinfo=zone)
    end = datetime.combine(last_day + timedelta(days=1), datetime.min.time(), tzinfo=zone)
    rows = (
        AuditEntry.objects.filter(action=SIGN_IN, occurred_at__gte=start, occurred_at__lt=end)
        .annotate(day=TruncDate("occurred_at", tzinfo=zone))
        .values_list("day")
        .annotate(count=Count("id"))
        .order_by("day")
    )
    counts = dict(rows)
    return [DailyCount(day, counts.get(day, 0)) for day in (first_day + timedelta(days=n) for n in range(days))]


def recent_activity(*, limit: int = 6) -> list[AuditEntry]:
    """Return the newest audit entries but for sign-ins and sign-outs."""
    return list(AuditEntry.objects.exclude(action__in=[SIGN_IN, SIGN_OUT])[:limit])


def list_holders(key: str) -> list[Person]:
    """Return the active people who hold a permission."""
    people = Person.objects.filter(is_active=True, removed_at=None).prefetch_related("roles").order_by("name", "id")
    return [person for person in people if any(key in role.granted for role in person.roles.all())]
