"""A tenant from nothing to active, and its schema beside a bare string of the same SQL and django-tenants' own way."""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from unittest import mock

from benchmarks.harness import Bar, Figure, Ground, median, percentile, ratio, timed

AT_ONCE = 20


def run(ground: Ground, size: int = 30) -> Iterator[Figure]:
    """Measure it on `size` tenants."""
    from tenants.steps import SchemaStep

    rounds = max(3, size // 2)
    ground.make_tenants(1)  # what is made first pays for caches
    text = _bare_text()
    ours: list[float] = []
    bare: list[float] = []
    ground.say("schemas: ours and the bare string in turn")
    for _ in range(rounds):
        for series, way in (
            (bare, lambda tenant: _run_bare(text, tenant)),
            (ours, lambda one: SchemaStep().run(one, {})),
        ):
            tenant = _new_tenant()
            ground.settle()
            series.append(timed(lambda way=way, tenant=tenant: way(tenant)))  # type: ignore[misc]
    ground.say("schemas: django-tenants' own way")
    count = "3" if size >= 10 else "1"
    said = ground.python("benchmarks.django_tenants_create", count, settings="benchmarks.django_tenants_settings")
    theirs = json.loads(said)
    ground.say(f"{size} whole tenants, one after the other")
    whole = [_provision_without_waits() for _ in range(size)]
    ground.say(f"{AT_ONCE} at once")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        failed = sum(took is None for took in pool.map(_try, range(AT_ONCE)))
    done = [took for took, _ in whole if took is not None]
    waits = [wait for _, wait in whole]
    yield Figure(
        "schema_vs_bare_ddl", ratio(ours, bare), "x", Bar("at_most", 1.3), f"{median(ours) * 1000:.0f} ms ours"
    )
    note = f"built-in issuer, S3; without {median(waits) * 1000:.0f} ms until its key was in force"
    yield Figure("provision_p50", round(median(done) * 1000), "ms", Bar("at_most", 600), note)
    yield Figure("provision_p95", round(percentile(done, 95) * 1000), "ms")
    yield Figure("parallel_20_errors", failed, "", Bar("at_most", 0))
    note = f"{median(theirs):.2f} s each"
    yield Figure("vs_default", round(median(theirs) / median(ours), 1), "x", Bar("at_least", 10), note)


def _new_tenant() -> Any:
    from tenants.models import Tenant
    from tenants.selectors import installation_code

    slug = f"bench-{secrets.token_hex(6)}"
    return Tenant.new(installation=installation_code(), slug=slug, name=slug, admin_email="a@bench.example")


def _bare_text() -> Callable[[Any], str]:
    """Write down every statement that makes a schema, and return it as one string for any tenant."""
    from django.db import connections

    from tenants.schemas.making import OPS, make_schema
    from tenants.schemas.template import current_template

    written: list[str] = []

    def write(execute: Any, statement: Any, params: Any, many: bool, context: Any) -> Any:
        text = statement if isinstance(statement, str) else statement.as_string(None)
        if not text.startswith("SELECT"):
            written.append(text.rstrip().rstrip(";"))
        return execute(statement, params, many, context)

    model, template = _new_tenant(), current_template()
    with connections[OPS].execute_wrapper(write):
        make_schema(model.ref, template)
    roles, rest = written[:2], written[2:]  # roles are made by the login, all else by the owner of the tables
    pattern = ";\n".join(["BEGIN", *roles, "SET LOCAL ROLE px_owner", "{path}", *rest, "COMMIT"])
    path = 'SET LOCAL search_path = "{}"'

    def text_for(tenant: Any) -> str:
        text = pattern.replace("{path}", path.format(model.schema_name), 1)
        return text.replace(model.schema_name, tenant.schema_name).replace(model.role_name, tenant.role_name)

    return text_for


def _run_bare(text: Callable[[Any], str], tenant: Any) -> None:
    from django.db import connections

    from tenants.fleet.running import connect

    with connect() as connection:
        connection.execute(text(tenant).encode())
    connections["ops"].ensure_connection()


@contextmanager
def _waits_for_keys() -> Iterator[list[float]]:
    """Note how long was waited for new keys to come into force: that is object storage's time, not ours."""
    from storage.keys import services

    noted: list[float] = []
    wait = services.wait_until_in_force

    def wait_and_note(ref: Any, key: Any) -> None:
        noted.append(timed(lambda: wait(ref, key)))

    with mock.patch.object(services, "wait_until_in_force", wait_and_note):
        yield noted


def _provision() -> float | None:
    """Make one whole tenant in this process, as a worker does; return its seconds, or None if it failed."""
    from core.actors import SYSTEM
    from tenants.models import Operation
    from tenants.selectors import get_operation
    from tenants.services.provisioning import request_tenant
    from tenants.services.work import run_operation

    slug = f"bench-{secrets.token_hex(6)}"
    begin = time.perf_counter()
    asked = request_tenant(slug=slug, name=slug, admin_email="a@bench.example", actor=SYSTEM)
    run_operation(asked.pk)
    took = time.perf_counter() - begin
    operation = get_operation(asked.pk)
    return took if operation.status == Operation.Status.SUCCEEDED else None


def _provision_without_waits() -> tuple[float | None, float]:
    """Make one whole tenant; return its seconds without the wait for its key, and that wait."""
    with _waits_for_keys() as waits:
        took = _provision()
    waited = sum(waits)
    return (took - waited if took is not None else None), waited


def _try(number: int) -> float | None:
    from django.db import connections

    try:
        return _provision()
    except Exception:  # noqa: BLE001 - an error is what is counted
        return None
    finally:
        connections.close_all()
