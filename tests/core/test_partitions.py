from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.db import connections, transaction

from core.partitions import ensure_partitions
from core.tenancy import enter
from tenants.schemas.making import make_partitions, owner_cursor


@pytest.fixture
def cursor(committed):
    """The owner's cursor, in a transaction that is rolled back."""
    with transaction.atomic(using="ops"), connections["ops"].cursor() as cursor:
        cursor.execute(
            "CREATE TABLE IF NOT EXISTS public.parts (at timestamptz NOT NULL, n int) PARTITION BY RANGE (at)"
        )
        cursor.execute("CREATE TABLE public.parts_default PARTITION OF public.parts DEFAULT")
        yield cursor
        transaction.set_rollback(True, using="ops")


def bounds(cursor, name):
    cursor.execute("SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = %s", [name])
    return cursor.fetchone()[0]


def test_months_go_on_over_new_year(cursor):
    made = ensure_partitions(
        cursor, table="parts", period="month", now=datetime(2026, 11, 30, 23, 59, tzinfo=UTC), ahead=3
    )

    assert made == ["parts_202611", "parts_202612", "parts_202701", "parts_202702"]
    assert bounds(cursor, "parts_202612") == "FOR VALUES FROM ('2026-12-01 00:00:00+00') TO ('2027-01-01 00:00:00+00')"


def test_days_go_on_over_new_year_and_the_leap_day(cursor):
    new_year = ensure_partitions(cursor, table="parts", period="day", now=datetime(2027, 12, 31, tzinfo=UTC), ahead=1)
    leap = ensure_partitions(cursor, table="parts", period="day", now=datetime(2028, 2, 28, 12, tzinfo=UTC), ahead=2)

    assert new_year == ["parts_20271231", "parts_20280101"]
    assert leap == ["parts_20280228", "parts_20280229", "parts_20280301"]


def test_the_day_is_that_of_utc(cursor):
    rome = timezone(timedelta(hours=2))

    made = ensure_partitions(cursor, table="parts", period="day", now=datetime(2027, 6, 2, 1, tzinfo=rome), ahead=0)

    assert made == ["parts_20270601"]


def test_a_second_call_makes_only_what_is_missing(cursor):
    ensure_partitions(cursor, table="parts", period="month", now=datetime(2027, 1, 15, tzinfo=UTC), ahead=1)

    again = ensure_partitions(cursor, table="parts", period="month", now=datetime(2027, 2, 15, tzinfo=UTC), ahead=1)

    assert again == ["parts_202703"]


def test_rows_that_came_early_move_from_the_default_partition(cursor):
    for moment in ("2027-03-01", "2027-03-31 23:59:59.999999", "2027-02-28 23:59:59", "2027-04-01"):
        cursor.execute("INSERT INTO parts VALUES (%s, 1)", [f"{moment}+00"])

    ensure_partitions(cursor, table="parts", period="month", now=datetime(2027, 3, 10, tzinfo=UTC), ahead=0)

    cursor.execute("SELECT tableoid::regclass::text, count(*) FROM parts GROUP BY 1")
    assert dict(cursor.fetchall()) == {"parts_202703": 2, "parts_default": 2}


def test_a_table_that_is_not_split_is_refused(cursor):
    with pytest.raises(LookupError):
        ensure_partitions(cursor, table="tenants_tenant", period="month", now=datetime(2027, 1, 1, tzinfo=UTC), ahead=0)


def test_the_coming_partitions_of_the_platform_exist(committed):
    from tenants.services.partitions import keep_platform_partitions_ahead

    keep_platform_partitions_ahead()
    today = datetime.now(tz=UTC)

    with connections["ops"].cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relispartition AND relnamespace = 'public'::regnamespace")
        names = {name for (name,) in cursor.fetchall()}
    assert {f"events_outbox_{today + timedelta(days=n):%Y%m%d}" for n in range(8)} <= names
    assert f"audit_entry_{today:%Y%m}" in names
    assert keep_platform_partitions_ahead() == []


def test_a_tenants_coming_partitions_are_out_of_its_roles_reach(committed, acme):
    with owner_cursor(acme) as cursor:
        (name,) = make_partitions(cursor, acme, now=datetime(2041, 1, 1, tzinfo=UTC))[:1]
        cursor.execute("SELECT has_table_privilege(%s, %s, 'SELECT, INSERT')", [acme.role, f"{acme.schema}.{name}"])
        found = cursor.fetchone()
        transaction.set_rollback(True, using="ops")

    assert name == "audit_entry_204101"
    assert found == (False,)


def test_every_tenant_gets_its_coming_partitions(committed, acme):
    from tenants.services.partitions import keep_tenant_partitions_ahead

    keep_tenant_partitions_ahead()

    assert keep_tenant_partitions_ahead() == 0
    with enter(acme), connections["ops"].cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [f"audit_entry_{datetime.now(tz=UTC):%Y%m}"])
        assert cursor.fetchone() == (True,)


def test_one_tenant_without_a_schema_keeps_no_other_from_its_partitions(new_tenant, monkeypatch):
    """Its deletion took the schema and goes on with what comes after."""
    from tenants.models import Tenant
    from tenants.schemas import making
    from tenants.services import partitions

    half_deleted, other = new_tenant(), new_tenant()
    Tenant.objects.filter(pk=half_deleted.pk).update(status="deleting")
    making.drop_schema(half_deleted.ref)
    seen = []
    make = partitions.make_partitions
    monkeypatch.setattr(
        partitions, "make_partitions", lambda *args, **more: seen.append(args[1].slug) or make(*args, **more)
    )

    partitions.keep_tenant_partitions_ahead()

    assert {half_deleted.slug, other.slug} <= set(seen)


def test_what_fails_in_one_tenant_is_raised_behind_all_others(new_tenant, monkeypatch):
    from tenants.services import partitions

    broken, other = new_tenant(), new_tenant()
    seen = []

    def make(cursor, ref, *, now):
        seen.append(ref.slug)
        if ref.slug == broken.slug:
            raise LookupError("no such table")
        return []

    monkeypatch.setattr(partitions, "make_partitions", make)

    with pytest.raises(LookupError):
        partitions.keep_tenant_partitions_ahead()

    assert {broken.slug, other.slug} <= set(seen)
