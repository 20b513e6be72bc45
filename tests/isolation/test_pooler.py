"""A pooler between us and PostgreSQL: noticed where nobody spoke of it, and shared by all tenants where it is allowed."""

from copy import deepcopy
from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, connections, transaction
from django.utils import timezone

from accounts.people.models import Person
from core.tenancy import enter, enter_platform, outside_transaction
from core.tenancy.backend.base import DatabaseWrapper, StatementOutsideTransaction
from core.tenancy.login import refuse_pooler
from tests.support import pgbouncer
from tests.support.threads import run_together

pytestmark = pytest.mark.pooler


@pytest.fixture
def through(pooler, committed):
    with pgbouncer.in_the_way(pooler):
        yield pooler


def server_of():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


def test_this_way_really_leads_through_the_pooler(through):
    assert server_of() != connection.connection.info.backend_pid
    assert connection.settings_dict["PORT"] == str(through.port)


@pytest.mark.parametrize("alias", ["default", "ops"])
def test_a_pooler_of_which_settings_say_nothing_is_refused(pooler, committed, alias):
    settings = deepcopy(connections[alias].settings_dict)
    settings |= {"HOST": "127.0.0.1", "PORT": str(pooler.port)}
    settings["USER"], settings["PASSWORD"] = (
        connections["default"].settings_dict[name] for name in ("USER", "PASSWORD")
    )
    settings["OPTIONS"] = {name: value for name, value in settings["OPTIONS"].items() if name != "pool"}
    wrapper = DatabaseWrapper(settings, alias=f"unnoticed_{alias}")

    with pytest.raises(ImproperlyConfigured, match="TRANSACTION_POOLING"):
        wrapper.ensure_connection()

    assert wrapper.connection is None


def test_without_a_pooler_nothing_is_refused(committed):
    connection.ensure_connection()

    refuse_pooler(connection.connection, "an alias that was never looked at")


def test_a_tenants_statement_outside_a_transaction_is_refused(through, acme):
    from core.tenancy import enter_without_transaction

    with enter_without_transaction(acme), pytest.raises(StatementOutsideTransaction):
        server_of()


def test_many_clients_share_few_servers_and_none_meets_another(through, acme, globex):
    def work(ref):
        found = set()
        for _ in range(30):
            with enter(ref), connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid(), current_user")
                found.add(cursor.fetchone())
            with enter_platform(), connection.cursor() as cursor:
                cursor.execute("SELECT current_user, current_schema()")
                assert cursor.fetchone() == ("px_app", "public")
        return found

    tenants = (acme, globex) * 4
    results = run_together(*(lambda ref=ref: work(ref) for ref in tenants))

    servers = {pid for found in results for pid, _ in found}
    assert len(servers) <= pgbouncer.SERVER_CONNECTIONS
    for ref, found in zip(tenants, results, strict=True):
        assert {role for _, role in found} == {ref.role}
    by_server = {pid: {role for found in results for at, role in found if at == pid} for pid in servers}
    assert any(roles == {acme.role, globex.role} for roles in by_server.values())  # they did share


def test_a_server_connection_keeps_nothing_of_a_tenant(through, acme):
    """Also after errors: the next client may be anybody."""
    for fault in (None, "SELECT 1 / 0", "SELECT * FROM public.tenants_tenant"):
        try:
            with enter(acme), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(fault or "SELECT 1")
        except Exception:  # noqa: BLE001, S110 -- whichever it was
            pass
        for _ in range(pgbouncer.SERVER_CONNECTIONS * 2):
            with connection.cursor() as cursor:
                cursor.execute("SELECT current_user, current_schema(), current_setting('TimeZone')")
                assert cursor.fetchone() == ("px_app", "public", "UTC")


def test_provisioning_works_through_the_pooler(through, new_tenant):
    tenant = new_tenant()

    with enter(tenant.ref):
        assert Person.objects.count() == 1


@pytest.fixture
def asked(monkeypatch):
    """Whether a transaction was open while the issuer was asked, for each time that it was."""
    from accounts.identity import transport

    open_meanwhile, threads = [], transport._threads

    class Noting:
        def submit(self, *work):
            open_meanwhile.append(connection.in_atomic_block)
            return threads.submit(*work)

    monkeypatch.setattr(transport, "_threads", Noting())
    return open_meanwhile


def test_signing_in_works_through_the_pooler_and_holds_nothing_while_the_code_is_exchanged(
    through, world, visitor, asked
):
    """The issuer is asked over the network: whoever waits for it holds no connection that other tenants need."""
    person = world.person("member")

    me = visitor(person.tenant).sign_in(person.email, person.password).get("/api/v1/me/")

    assert me.json()["email"] == person.email
    assert set(asked) == {False}


def test_no_transaction_is_open_while_tokens_are_renewed(through, world, visitor, asked):
    from accounts.sessions.models import BrowserSession

    person = world.person("member")
    browser = visitor(person.tenant).sign_in(person.email, person.password)
    with enter(person.tenant):
        row = BrowserSession.objects.order_by("-started_at").first()
        BrowserSession.objects.filter(pk=row.pk).update(access_expires_at=timezone.now() - timedelta(seconds=1))
    asked.clear()

    page = browser.get("/profile/")

    assert page.status_code == 200
    assert asked == [False]
    with enter(person.tenant):
        after = BrowserSession.objects.get(pk=row.pk)
    assert after.refresh_token != row.refresh_token


def test_an_outside_system_is_asked_between_two_transactions(through, acme, somebody):
    """What was written is there before; what fails behind the answer takes nothing of it along."""
    with pytest.raises(ZeroDivisionError), enter(acme):
        rename(somebody, "before")
        with outside_transaction():
            assert not connection.in_atomic_block
            with pytest.raises(StatementOutsideTransaction):
                server_of()
        rename(somebody, "behind")
        raise ZeroDivisionError

    with enter(acme):
        assert Person.objects.get(pk=somebody).name == "before"


def test_a_transaction_that_somebody_opened_stays_while_an_outside_system_is_asked(through, acme, somebody):
    with pytest.raises(ZeroDivisionError), enter(acme), transaction.atomic():
        rename(somebody, "in the middle")
        with outside_transaction():
            assert connection.in_atomic_block
        raise ZeroDivisionError

    with enter(acme):
        assert Person.objects.get(pk=somebody).name != "in the middle"


@pytest.fixture
def somebody(through, acme):
    """The id of a person whose name may be changed; it is as it was afterwards."""
    with enter(acme):
        person = Person.objects.order_by("pk").first()
    yield person.pk
    with enter(acme):
        rename(person.pk, person.name)


def rename(pk, name):
    Person.objects.filter(pk=pk).update(name=name)


def test_a_session_that_the_issuer_refuses_is_over_behind_a_pooler_too(through, world, visitor):
    from accounts.sessions.models import BrowserSession

    person = world.person("guest")
    browser = visitor(person.tenant).sign_in(person.email, person.password)
    with enter(person.tenant):
        row = BrowserSession.objects.order_by("-started_at").first()
        BrowserSession.objects.filter(pk=row.pk).update(
            access_expires_at=timezone.now() - timedelta(seconds=1), refresh_token="never given"
        )

    assert browser.get("/profile/").status_code == 302

    with enter(person.tenant):
        assert not BrowserSession.objects.filter(pk=row.pk).exists()
