import time

import pytest
from django.db import transaction
from django.utils import timezone

from core.tenancy import enter
from tenants import directory
from tenants.directory import Directory, find_by_host, get_ref
from tenants.models import Domain, Tenant
from tests.support.threads import run_apart


@pytest.fixture
def count_queries(django_assert_num_queries):
    return django_assert_num_queries


@pytest.fixture
def row(committed, world):
    """A tenant as a row alone, without anything that belongs to it."""
    tenant = Tenant.new(
        installation="tests2",
        slug=f"row-{timezone.now():%H%M%S%f}",
        name="Row",
        admin_email="a@b.example",
        admin_name="A",
        status=Tenant.Status.ACTIVE,
    )
    tenant.save(force_insert=True)
    Domain.objects.create(domain=tenant.slug, tenant=tenant)
    yield tenant
    Tenant.objects.filter(pk=tenant.pk).update(status=Tenant.Status.DELETED)


def age(directory_=directory._directory):
    """Let the directory poll with its next answer."""
    directory_._polled_at = float("-inf")


@pytest.mark.parametrize(
    "host", ["acme-corp.localhost", "ACME-CORP.localhost", "acme-corp.LOCALHOST", "acme-corp.localhost."]
)
def test_a_tenant_is_found_by_its_host(db, acme, host):
    assert find_by_host(host) == acme


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "nobody.localhost",
        "acme-corp",
        "www.acme-corp.localhost",
        "acme-corp.localhost.example",
        "acme-corp.example",
        ".localhost",
        "acme-corp..localhost",
        "xlocalhost",
        "",
        "'; DROP TABLE tenants_tenant; --.localhost",
        "acme-corp.localhost:8000",
    ],
)
def test_other_hosts_are_nobodys(db, acme, host):
    assert find_by_host(host) is None


def test_a_whole_host_name_of_its_own_leads_to_its_tenant(db, acme):
    Domain.objects.create(domain="portal.acme.example", tenant_id=acme.id, is_primary=False)

    assert find_by_host("Portal.Acme.example") == acme


def test_a_second_question_asks_nothing(db, acme, count_queries):
    find_by_host("acme-corp.localhost")

    with count_queries(0):
        assert find_by_host("acme-corp.localhost") == acme
        assert get_ref(acme.id) == acme


def test_the_directory_is_asked_on_the_platform_from_inside_any_tenant(committed, acme, globex):
    with enter(globex):
        assert find_by_host("acme-corp.localhost") == acme


def test_unknown_hosts_are_not_kept(db):
    for number in range(50):
        find_by_host(f"stranger-{number}.localhost")

    assert not directory._directory._by_domain


def test_the_memory_has_an_end(db, acme, globex, monkeypatch):
    monkeypatch.setattr(directory, "MAX_ENTRIES", 1)

    find_by_host("acme-corp.localhost")
    find_by_host("globex-inc.localhost")

    assert list(directory._directory._by_domain) == ["globex-inc"]
    assert len(directory._directory._by_id) == 1


def test_a_change_by_another_connection_is_seen_within_a_second(row):
    host = f"{row.slug}.localhost"
    assert find_by_host(host).state == "active"

    def suspend():
        Tenant.objects.filter(pk=row.pk).update(status=Tenant.Status.SUSPENDED)

    run_apart(suspend)
    begin = time.monotonic()
    while find_by_host(host).state == "active":
        assert time.monotonic() - begin < 1
        time.sleep(0.02)

    assert get_ref(row.pk).state == "suspended"


def test_a_tenant_that_is_gone_is_found_by_its_id_alone(row):
    assert find_by_host(f"{row.slug}.localhost")
    run_apart(lambda: Tenant.objects.filter(pk=row.pk).update(status=Tenant.Status.DELETED))
    age()

    assert find_by_host(f"{row.slug}.localhost") is None
    assert get_ref(row.pk).state == "deleted"


def test_a_change_that_is_committed_late_is_not_missed(row):
    """Its transaction began before a poll that saw others' changes, and ended after it."""
    host = f"{row.slug}.localhost"
    find_by_host(host)

    with transaction.atomic():
        Tenant.objects.filter(pk=row.pk).update(status=Tenant.Status.SUSPENDED)

        def elsewhere():
            watching = Directory()
            watching.at_domain(row.slug)
            age(watching)
            seen_before = watching.at_domain(row.slug)
            return watching, seen_before

        watching, seen_before = run_apart(elsewhere)
    age(watching)

    assert seen_before.state == "active"
    assert watching.at_domain(row.slug).state == "suspended"


def test_what_was_read_before_a_poll_ended_is_not_kept(row, monkeypatch):
    """A reader that was slow must not put back what a poll has dropped in the meantime."""
    slow = Directory()
    slow.at_domain(row.slug)
    slow._by_domain.clear()
    keep = Directory._keep

    def keep_late(self, *args):
        run_apart(lambda: Tenant.objects.filter(pk=row.pk).update(status=Tenant.Status.SUSPENDED))
        age(self)
        self._refresh()
        keep(self, *args)

    monkeypatch.setattr(Directory, "_keep", keep_late)
    slow.at_domain(row.slug)
    monkeypatch.undo()

    assert slow.at_domain(row.slug).state == "suspended"


@pytest.mark.parametrize("change", ["deleted", "moved"])
def test_an_address_that_is_taken_away_alone_is_forgotten(row, globex, change):
    host = "portal.row.example"
    domain = Domain.objects.create(domain=host, tenant=row, is_primary=False)
    assert find_by_host(host).id == row.pk

    if change == "deleted":
        run_apart(domain.delete)
    else:
        run_apart(lambda: Domain.objects.filter(pk=domain.pk).update(tenant_id=globex.id))
    age()

    found = find_by_host(host)
    assert (found and found.id) == (None if change == "deleted" else globex.id)
    Domain.objects.filter(domain=host).delete()


def test_the_stamp_of_a_change_is_that_of_its_transaction(row):
    from django.db import connection

    with transaction.atomic(), connection.cursor() as cursor:
        Tenant.objects.filter(pk=row.pk).update(name="Renamed", changed_xid=1)
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        (now,) = cursor.fetchone()
        row.refresh_from_db()

    assert row.changed_xid == now
