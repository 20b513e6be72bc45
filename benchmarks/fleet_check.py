"""A deploy with nothing to migrate: ours over all tenants, django-tenants' over a tenth of them, scaled by their number."""

from collections.abc import Iterator

from benchmarks.harness import Bar, Figure, Ground, median, timed

ROUNDS = 7


def run(ground: Ground, size: int = 1000) -> Iterator[Figure]:
    """Measure it on `size` tenants."""
    from tenants.fleet.engine import migrate_fleet
    from tenants.models import Tenant
    from tenants.schemas.making import OPS

    tenants = ground.make_tenants(size)
    ground.settle()
    ground.say("ours")
    in_process = median([timed(migrate_fleet) for _ in range(ROUNDS)])
    whole = median([ground.manage("migrate_fleet") for _ in range(3)])
    some = max(1, size // 10)
    Tenant.objects.using(OPS).exclude(pk__in=[tenant.pk for tenant in tenants[:some]]).delete()
    ground.say(f"django-tenants over {some} tenants, for the first time")
    theirs = ("migrate_schemas", "--tenant", "--executor=multiprocessing")
    ground.manage(*theirs, settings="benchmarks.django_tenants_settings")  # records what its router refuses
    ground.say(f"django-tenants over {some} tenants")
    compared = ground.manage(*theirs, settings="benchmarks.django_tenants_settings") * len(tenants) / some
    yield Figure("tenants", len(tenants), "")
    yield Figure("in_process", round(in_process * 1000, 1), "ms", Bar("at_most", 1000))
    yield Figure("whole_command", round(whole, 2), "s", Bar("at_most", 3))
    note = f"migrate_schemas --executor=multiprocessing took {compared:.0f} s: measured on {some} tenants and scaled"
    yield Figure("vs_multiprocessing", round(compared / in_process, 1), "x", Bar("at_least", 100), note)
