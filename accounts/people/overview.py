"""Looks into a tenant from outside, for the console: its people and how many there are."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.paginator import Page
from django.db import transaction

from accounts.people.models import Person
from accounts.people.selectors import count_active_people, count_people_signed_in, page_of_people
from core.tenancy import TenantRef, enter

PERIOD = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class PeopleFigures:
    """How many people a tenant has, and how many of them come."""

    total: int
    active: int
    joined: int  # active people who joined within the period
    signed_in: int  # within the period
    signed_in_before: int  # within the period before it


def read_people_figures(ref: TenantRef, *, now: datetime) -> PeopleFigures:
    """Return a tenant's figures of the last 30 days."""
    with enter(ref), transaction.atomic():
        active = count_active_people()
        return PeopleFigures(
            total=Person.objects.filter(removed_at=None).count(),
            active=active,
            joined=active - count_active_people(joined_before=now - PERIOD),
            signed_in=count_people_signed_in(since=now - PERIOD, until=now),
            signed_in_before=count_people_signed_in(since=now - 2 * PERIOD, until=now - PERIOD),
        )


def read_people(ref: TenantRef, *, query: str, sort: str, page: str | None, size: int) -> Page[Person]:
    """Return one page of a tenant's people, with their roles."""
    with enter(ref), transaction.atomic():
        return page_of_people(query=query, sort=sort, page=page, size=size)
