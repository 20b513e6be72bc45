"""Realms at one Keycloak: the first ones beside the three-hundredth, and a tenant from nothing to active on it."""

import secrets
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.harness import Bar, Figure, Ground, median, percentile, ratio, timed

EDGE = 10  # how many realms stand for the beginning, and for the end


def run(ground: Ground, size: int = 300) -> Iterator[Figure]:
    """Measure it with `size` realms on a server that has none at the beginning."""
    from accounts.identity.keycloak.provider import KeycloakProvider

    server = ground.start_keycloak(capacity=2 * size)
    identity = KeycloakProvider()
    edge = min(EDGE, max(2, size // 3))
    makings: list[float] = []
    calls: list[float] = []
    tenants = ground.make_tenants(size + 1)
    identity.make_realm(tenants.pop().ref)  # a cold server takes long for the first one
    for number, tenant in enumerate(tenants, 1):
        ground.settle()
        makings.append(timed(lambda tenant=tenant: identity.make_realm(tenant.ref)))  # type: ignore[misc]
        calls.append(timed(lambda tenant=tenant: _person(identity, tenant)))  # type: ignore[misc]
        if number % 25 == 0:
            took, call = median(makings[-25:]), median(calls[-25:])
            ground.say(f"{number} realms: {took:.2f} s to make one, {call * 1000:.0f} ms to make a person")
    ground.say("whole tenants on it")
    whole = []
    for _ in range(max(3, min(30, size // 10))):
        ground.settle()
        begin = time.perf_counter()
        tenants.append(_provision())
        whole.append(time.perf_counter() - begin)
    ground.say("suspended")
    suspended = [timed(lambda tenant=tenant: _suspend(tenant)) for tenant in tenants[-edge:]]  # type: ignore[misc]
    note = f"with {size} realms on {server.name}, schema and bucket included"
    yield Figure("provision_p50", round(median(whole) * 1000), "ms", Bar("at_most", 2000), note)
    yield Figure("provision_p95", round(percentile(whole, 95) * 1000), "ms")
    note = "until its realm is closed at the server"
    yield Figure("suspend", round(median(suspended) * 1000), "ms", Bar("at_most", 1000), note)
    first, last = makings[:edge], makings[-edge:]
    note = f"{median(first):.2f} s first, {median(last):.2f} s last of {size}"
    yield Figure("realm_300_vs_realm_1", ratio(last, first), "x", Bar("at_most", 1.5), note)
    first, last = calls[:edge], calls[-edge:]
    note = f"{median(first) * 1000:.0f} ms first, {median(last) * 1000:.0f} ms last: a person made in the newest realm"
    yield Figure("call_300_vs_call_1", ratio(last, first), "x", Bar("at_most", 1.5), note)


def _provision() -> Any:
    """Make a tenant as the operations worker does, from the request to active."""
    from core.actors import SYSTEM
    from tenants.models import Operation
    from tenants.selectors import get_operation
    from tenants.services.provisioning import request_tenant
    from tenants.services.work import run_operation

    slug = f"bench-{secrets.token_hex(6)}"
    operation = request_tenant(slug=slug, name=slug, admin_email="a@bench.example", actor=SYSTEM)
    run_operation(operation.pk)
    operation = get_operation(operation.pk)
    assert operation.status == Operation.Status.SUCCEEDED, operation.error
    return operation.tenant


def _person(identity: Any, tenant: Any) -> None:
    identity.make_account(tenant.ref, email="joe@bench.example", name="Joe Bench")


def _suspend(tenant: Any) -> None:
    from accounts.doors import match_realms
    from core.actors import SYSTEM
    from tenants.services.lifecycle import suspend_tenant

    suspend_tenant(tenant_id=tenant.pk, actor=SYSTEM, reason="measured")
    assert match_realms(tenant.pk) == 1
