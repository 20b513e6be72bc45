"""May this person do that? From the process's memory, from Redis, from the database; beside Django's own and guardian's.

A hundred permissions, three roles of thirty, people who have all three. Each question is timed by itself, a person who is
signed in at hand, as in a request; the clock's own 0.1 us is in the figures.
"""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.harness import Bar, Figure, Ground, median, percentile, run_module

ROUNDS = 1_000
WARM_ROUNDS = 50_000


def run(ground: Ground, size: int = 200) -> Iterator[Figure]:
    """Measure it with `size` people in one tenant."""
    from core.tenancy import enter

    (tenant,) = ground.make_tenants(1)
    with enter(tenant.ref):
        ids = _fill(size)
        ground.say("ours")
        ours = _ours(ids)
    ground.say("Django and django-guardian")
    with ground.plain_database("benchmarks.django_permissions.settings") as env:
        theirs: dict[str, list[float]] = json.loads(run_module("benchmarks.django_permissions.measure", env))
    yield from _said("warm", ours["warm"], "us", Bar("at_most", 2))
    yield from _said("redis", ours["redis"], "us", Bar("at_most", 300))
    yield Figure("redis_get_p50", round(median(ours["get"]), 1), "us", note="a bare GET of the same value, in turns")
    share = round(median(ours["redis"]) / median(ours["get"]), 2)
    yield Figure("redis_vs_get", share, "x", Bar("at_most", 2))
    yield from _said("database", [value / 1000 for value in ours["database"]], "ms", Bar("at_most", 3))
    notes = {
        "django_warm": "user.has_perm, asked before in this request",
        "django_cold": "user.has_perm, first in this request",
        "guardian_warm": "ObjectPermissionChecker about an object, asked before",
        "guardian_cold": "ObjectPermissionChecker about an object, first",
    }
    for name, note in notes.items():
        yield Figure(f"{name}_p50", round(median(theirs[name]), 2), "us", note=note)
        yield Figure(f"{name}_p99", round(percentile(theirs[name], 99), 2), "us")


def _said(name: str, values: list[float], unit: str, bar: Bar) -> Iterator[Figure]:
    yield Figure(f"{name}_p50", round(median(values), 3), unit, bar)
    yield Figure(f"{name}_p99", round(percentile(values, 99), 3), unit)


def _fill(count: int) -> list[Any]:
    """Make three roles and people who have them; return the people's ids."""
    from accounts.identity.models import Realm
    from accounts.people.models import Person, RoleAssignment
    from accounts.people.services import make_role
    from benchmarks.django_permissions.keys import ROLES
    from core.actors import SYSTEM

    realm = Realm.objects.create(provider="builtin", client_id="bench", client_secret="bench")
    roles = [
        make_role(label=name, permissions=[f"bench.thing.act{number}" for number in numbers], actor=SYSTEM)
        for name, numbers in ROLES.items()
    ]
    people = Person.objects.bulk_create(
        Person(realm=realm, subject=f"s{number}", email=f"p{number}@bench.example", name=f"P {number}")
        for number in range(count)
    )
    RoleAssignment.objects.bulk_create(RoleAssignment(person=one, role=role) for one in people for role in roles)
    return [one.pk for one in people]


def _ours(ids: list[Any]) -> dict[str, list[float]]:
    from django.core.cache import cache
    from django_redis import get_redis_connection

    from accounts.people import rights
    from accounts.people.models import Person
    from accounts.people.selectors import find_bearer
    from benchmarks.django_permissions.keys import HELD, NOT_HELD

    rows = Person.objects.filter(pk__in=ids)
    people = [one for row in rows if (one := find_bearer(realm_id=row.realm_id, subject=row.subject))]
    held, other = f"bench.thing.act{HELD}", f"bench.thing.act{NOT_HELD}"
    found: dict[str, list[float]] = {"database": [], "redis": [], "get": [], "warm": []}
    redis = get_redis_connection("default")
    for number in range(ROUNDS):
        person = people[number % len(people)]
        cache.delete(_key(person))
        rights.forget()
        found["database"].append(_us(lambda: rights.can(person, held)))  # noqa: B023 - called at once
    for number in range(ROUNDS):  # in turns, and each of them first as often as the other
        person = people[number % len(people)]
        whole = cache.make_key(_key(person))
        for name in ("redis", "get") if number % 2 else ("get", "redis"):
            rights.forget()
            question = (lambda: rights.can(person, held)) if name == "redis" else (lambda: redis.get(whole))  # noqa: B023
            found[name].append(_us(question))
    for person in people:
        assert rights.can(person, held)
        assert not rights.can(person, other)
    for number in range(WARM_ROUNDS):
        person = people[number % len(people)]
        found["warm"].append(_us(lambda: rights.can(person, held)))  # noqa: B023
    return found


def _key(person: Any) -> str:
    from accounts.permissions import fingerprint

    return f"rights:{person.pk}:{person.permissions_version}:{fingerprint()}"


def _us(question: Callable[[], object]) -> float:
    begin = time.perf_counter_ns()
    question()
    return (time.perf_counter_ns() - begin) / 1000
