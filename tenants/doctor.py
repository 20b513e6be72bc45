"""What `manage.py doctor` asks of the database and the fleet."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from core.health.doctor import Line
from core.tenancy import login
from core.tenancy.names import APP_ROLE, OPS_ROLE, OWNER_ROLE
from core.tenancy.router import platform_labels
from tenants.fleet.engine import plan_fleet
from tenants.models import Operation, Tenant
from tenants.schemas.making import OPS
from tenants.schemas.template import TemplateMissing, current_template

LEAST_VERSION = 160000
LEAST_LOCKS = 1024
MOST_ROLES = 10_000
OVERDUE = timedelta(minutes=1)
SET_UP, NO_OPS = "run manage.py setup_database", "set PLEXICA_DATABASE_OPS_URL"


def _ask(query: str, *values: Any) -> list[tuple[Any, ...]]:
    with connections[OPS].cursor() as cursor:
        cursor.execute(query, values or None)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def database() -> Iterator[Line]:
    """Version, limits, and whether the operations login leads straight to PostgreSQL."""
    if OPS not in connections:
        yield Line(
            "fail", "database", "there is no operations login", f"{NO_OPS}: only this command's process needs it"
        )
        return
    ((number, version, locks, backend),) = _ask(
        "SELECT current_setting('server_version_num')::int, current_setting('server_version'),"
        " current_setting('max_locks_per_transaction')::int, pg_backend_pid()"
    )
    old = number < LEAST_VERSION
    yield Line("fail" if old else "ok", "database", f"PostgreSQL {version}", "16 or newer is needed" if old else "")
    if locks < LEAST_LOCKS:
        remedy = f"set max_locks_per_transaction = {LEAST_LOCKS} for dumps and mass work"
        yield Line("warn", "database", f"max_locks_per_transaction is {locks}", remedy)
    if connections[OPS].connection.info.backend_pid != backend:
        says = "the operations login goes through a pool: locks and migrations do not work there"
        yield Line("fail", "database", says, "let PLEXICA_DATABASE_OPS_URL name PostgreSQL itself")
    else:
        yield Line("ok", "database", "the operations login leads straight to PostgreSQL")


def roles() -> Iterator[Line]:
    """Who may do what: the three roles, what PUBLIC still may, and how many roles there are."""
    wanted = {OWNER_ROLE: (False, False), APP_ROLE: (True, False), OPS_ROLE: (True, True)}
    found = {
        name: (may_log_in, makes_roles, mighty)
        for name, may_log_in, makes_roles, mighty in _ask(
            "SELECT rolname, rolcanlogin, rolcreaterole, rolsuper OR rolbypassrls OR rolcreatedb OR rolreplication"
            " FROM pg_roles WHERE rolname = ANY(%s)",
            list(wanted),
        )
    }
    for name, (may_log_in, makes_roles) in wanted.items():
        if name not in found:
            yield Line("fail", "roles", f"{name} does not exist", SET_UP)
        elif found[name] != (may_log_in, makes_roles, False):
            yield Line("fail", "roles", f"{name} may more or less than it should", SET_UP)
        else:
            yield Line("ok", "roles", f"{name} is as it should be")
    connections["default"].ensure_connection()
    still_open = login.what_is_open(connections["default"].connection)  # of the app's login, not of ours
    if still_open:
        yield Line("warn", "roles", f"the app's login still has {', '.join(still_open)}", SET_UP)
    else:
        yield Line("ok", "roles", "the app's login has no right that changes roles")
    ((count,),) = _ask("SELECT count(*) FROM pg_roles")
    if count > MOST_ROLES:
        yield Line("warn", "roles", f"{count} roles on the server: each GRANT costs every connection", "add a cell")


def migrations() -> Iterator[Line]:
    """The platform's tables, the template, and how many tenants are behind."""
    executor = MigrationExecutor(connections[OPS])
    targets = [node for node in executor.loader.graph.leaf_nodes() if node[0] in platform_labels()]
    missing = [one for one, _ in executor.migration_plan(targets) if one.app_label in platform_labels()]
    if missing:
        yield Line(
            "fail", "migrations", f"the platform's tables lack {len(missing)} migrations", "run manage.py migrate"
        )
        return
    yield Line("ok", "migrations", "the platform's tables are up to date")
    try:
        current_template()
    except TemplateMissing as error:
        yield Line("fail", "migrations", str(error), "run manage.py migrate")
        return
    yield Line("ok", "migrations", "the template of new tenants fits this code")
    plans, count = plan_fleet()
    behind = sum(len(plan.group.tenants) for plan in plans)
    if behind:
        yield Line("fail", "migrations", f"{behind} of {count} tenants are behind", "run manage.py migrate_fleet")
    else:
        yield Line("ok", "migrations", f"all {count} tenants are up to date")


def partitions() -> Iterator[Line]:
    """Whether next month's (tomorrow's) rows have a partition, in public and in every tenant's schema."""
    now = timezone.now()
    wanted = []
    for table, period in settings.PARTITIONED_TABLES["platform"].items():
        wanted.append(("public", _name(table, period, now)))
    schemas = Tenant.objects.filter(status__in=["active", "suspended"]).values_list("schema_name", flat=True)
    for table, period in settings.PARTITIONED_TABLES["tenant"].items():
        wanted += [(schema, _name(table, period, now)) for schema in schemas]
    places, names = [place for place, _ in wanted], [name for _, name in wanted]
    missing = _ask(
        "SELECT w.place, w.name FROM unnest(%s::text[], %s::text[]) w(place, name) WHERE NOT EXISTS ("
        " SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = w.place AND c.relname = w.name)",
        places,
        names,
    )
    if missing:
        some = ", ".join(f"{place}.{name}" for place, name in missing[:3])
        remedy = "let scheduler and operations worker run: they make partitions each night"
        yield Line("fail", "partitions", f"{len(missing)} are missing: {some}", remedy)
    else:
        yield Line("ok", "partitions", f"{len(wanted)} tables have their next partition")


def _name(table: str, period: str, now: Any) -> str:
    if period == "day":
        return f"{table}_{now + timedelta(days=1):%Y%m%d}"
    return f"{table}_{now.replace(day=28) + timedelta(days=5):%Y%m}"


def operations() -> Iterator[Line]:
    """Work on tenants that nobody takes up, or that needs an operator."""
    stuck = Operation.objects.filter(status=Operation.Status.STUCK).count()
    now = timezone.now()
    overdue = Operation.objects.filter(status__in=Operation.OPEN, due_at__lt=now - OVERDUE).exclude(lease_until__gt=now)
    if stuck:
        yield Line("warn", "operations", f"{stuck} are stuck", "look at them in the console, mend the cause, retry")
    if count := overdue.count():
        remedy = "start: celery -A plexica worker -Q operations, and celery -A plexica beat"
        yield Line("fail", "operations", f"{count} wait and nobody takes them", remedy)
    if not stuck and not count:
        yield Line("ok", "operations", "none is stuck or overdue")
