"""Makes the tables and people, and prints the microseconds that each question takes, as JSON.

Django keeps what a user may do on the user object, which lives for one request: so the first question of each request is a
cold one. django-guardian is asked about an object, which is what it is for.
"""

import json
import os
import time
from collections.abc import Callable
from typing import Any

import django

ROUNDS = 300
WARM_ROUNDS = 20_000


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.django_permissions.settings")
    django.setup()
    from django.contrib.auth.models import Group, User
    from django.core.management import call_command
    from guardian.core import ObjectPermissionChecker

    from benchmarks.django_permissions.keys import HELD
    from benchmarks.django_permissions.models import Thing

    call_command("migrate", run_syncdb=True, verbosity=0)
    thing, users = _fill(Group, User, Thing)
    key = f"things.act{HELD}"

    def again(number: int) -> Any:
        return User.objects.get(pk=users[number % len(users)].pk)

    def first_of_django(number: int) -> float:
        user = again(number)
        return _us(lambda: user.has_perm(key))

    def first_of_guardian(number: int) -> float:
        user = again(number)
        return _us(lambda: ObjectPermissionChecker(user).has_perm(f"act{HELD}", thing))

    figures = {
        "django_cold": [first_of_django(number) for number in range(ROUNDS)],
        "guardian_cold": [first_of_guardian(number) for number in range(ROUNDS)],
    }
    user, checker = again(0), ObjectPermissionChecker(again(0))
    assert user.has_perm(key)
    assert checker.has_perm(f"act{HELD}", thing)
    figures["django_warm"] = [_us(lambda: user.has_perm(key)) for _ in range(WARM_ROUNDS)]
    figures["guardian_warm"] = [_us(lambda: checker.has_perm(f"act{HELD}", thing)) for _ in range(WARM_ROUNDS)]
    print(json.dumps(figures))


def _fill(group_model: Any, user_model: Any, thing_model: Any) -> tuple[Any, list[Any]]:
    from django.contrib.auth.models import Permission
    from guardian.shortcuts import assign_perm

    from benchmarks.django_permissions.keys import ROLES

    thing = thing_model.objects.create(name="thing")
    permissions = {one.codename: one for one in Permission.objects.filter(content_type__app_label="things")}
    groups = []
    for name, numbers in ROLES.items():
        group = group_model.objects.create(name=name)
        group.permissions.set([permissions[f"act{number}"] for number in numbers])
        for number in numbers:
            assign_perm(f"act{number}", group, thing)
        groups.append(group)
    users = user_model.objects.bulk_create(user_model(username=f"u{number}") for number in range(100))
    for user in users:
        user.groups.set(groups)
    return thing, users


def _us(question: Callable[[], object]) -> float:
    begin = time.perf_counter_ns()
    question()
    return (time.perf_counter_ns() - begin) / 1000


if __name__ == "__main__":
    main()
