"""Role and path on real connections: after everything that may undo them, the next statement has the right ones."""

import os
import socket
from contextlib import contextmanager
from copy import deepcopy
from uuid import uuid4

import pytest
from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    InternalError,
    OperationalError,
    ProgrammingError,
    connection,
    connections,
    transaction,
)
from django.test.utils import CaptureQueriesContext

from core.tenancy import enter, enter_platform
from core.tenancy.backend.base import DatabaseWrapper, StatementOutsideTransaction
from core.tenancy.backend.plain import _prepared
from core.tenancy.statements import StatementRefused
from tests.support.threads import run_together

PLATFORM = ("px_app", "public")


def where(wrapper=connection):
    with wrapper.cursor() as cursor:
        cursor.execute("SELECT current_user, current_schema()")
        return cursor.fetchone()


def home_of(ref):
    return ref.role, ref.schema


def fail(wrapper=connection):
    with wrapper.cursor() as cursor:
        cursor.execute("SELECT 1 / 0")


@pytest.fixture
def at_globex(committed, globex):
    """The connection was globex's last: whatever undoes its role and path brings these back."""
    with enter(globex):
        assert where() == home_of(globex)


def test_statements_run_under_the_tenants_role_in_its_schema(committed, acme, globex):
    with enter(acme):
        assert where() == home_of(acme)
        with enter(globex):
            assert where() == home_of(globex)
        assert where() == home_of(acme)

    assert where() == PLATFORM


def test_a_tenant_that_asks_nothing_costs_no_statement(at_globex, acme):
    before = connection._applied

    with enter(acme):
        pass

    assert connection._applied == before


def test_role_and_path_are_sent_once_for_many_statements(at_globex, acme, monkeypatch):
    sent = []
    send = DatabaseWrapper._send
    monkeypatch.setattr(
        DatabaseWrapper, "_send", lambda self, state, **how: (sent.append(state), send(self, state, **how))
    )

    with enter(acme):
        for _ in range(5):
            where()

    assert sent == [(acme.role, f'"{acme.schema}"')]


def test_after_a_rollback_the_tenant_is_still_the_right_one(at_globex, acme):
    with enter(acme):
        with transaction.atomic():
            assert where() == home_of(acme)
            transaction.set_rollback(True)

        assert where() == home_of(acme)


def test_after_a_rollback_to_a_savepoint_the_tenant_is_still_the_right_one(at_globex, acme):
    with enter(acme), transaction.atomic():
        with pytest.raises(DataError), transaction.atomic():
            fail()

        assert where() == home_of(acme)


def test_after_committing_a_failed_transaction_the_tenant_is_still_the_right_one(at_globex, acme):
    """PostgreSQL answers that COMMIT with a rollback, without an error."""
    with enter(acme):
        with transaction.atomic(), pytest.raises(DataError):
            fail()

        assert where() == home_of(acme)


def test_after_a_failed_commit_the_tenant_is_still_the_right_one(at_globex, acme):
    from accounts.people.models import RoleAssignment

    with enter(acme):
        with pytest.raises(IntegrityError), transaction.atomic():
            # checked at the end of the transaction
            RoleAssignment.objects.create(
                person_id="00000000-0000-7000-8000-000000000000", role_id="00000000-0000-7000-8000-000000000000"
            )

        assert where() == home_of(acme)


def test_inside_a_failed_transaction_leaving_and_entering_sends_nothing(at_globex, acme):
    with enter(acme), pytest.raises(DataError), transaction.atomic():
        fail()
    with enter_platform():
        assert where() == PLATFORM


def test_after_a_lost_connection_the_tenant_is_still_the_right_one(at_globex, acme):
    with enter(acme):
        assert where() == home_of(acme)
        connection.close()
        assert where() == home_of(acme)


def test_a_connection_from_the_pool_brings_no_tenant_along(committed, globex):
    settings = deepcopy(connections["default"].settings_dict)
    settings["OPTIONS"]["pool"] = {"min_size": 1, "max_size": 1}
    one, other = DatabaseWrapper(settings, alias="pool_of_one"), DatabaseWrapper(settings, alias="pool_of_one")
    with enter(globex):
        assert where(one) == home_of(globex)
        pid = one.connection.info.backend_pid
        one.close()

    found = where(other), other.connection.info.backend_pid
    other.close()
    other.close_pool()

    assert found == (PLATFORM, pid)


def test_a_connection_that_has_seen_many_tenants_does_not_go_back_to_the_pool(committed, acme, globex):
    settings = deepcopy(connections["default"].settings_dict)
    settings["OPTIONS"]["pool"] = {"min_size": 1, "max_size": 1}
    settings["TENANCY"] = {"paths_a_connection": 2}
    wrapper = DatabaseWrapper(settings, alias="pool_of_the_travelled")

    def visit(ref):
        with enter(ref):
            assert where(wrapper) == home_of(ref)
            pid = wrapper.connection.info.backend_pid
            wrapper.close()
        return pid

    pids = [visit(ref) for ref in (acme, globex, acme, globex)]
    with enter(acme):
        where(wrapper)
        wrapper.close()
    assert where(wrapper) == PLATFORM
    wrapper.close()
    pids.append(visit(acme))
    wrapper.close_pool()

    assert len(set(pids[:4])) == 1
    assert pids[4] != pids[3]


def test_a_server_side_cursor_follows_the_tenant(at_globex, acme):
    from accounts.people.models import Person

    with enter(acme):
        emails = {person.email for person in Person.objects.iterator(chunk_size=1)}

    assert emails == {"owner@people.example", "member@people.example", "guest@people.example"}


def test_many_rows_at_once_follow_the_tenant(at_globex, acme):
    with enter(acme), transaction.atomic():
        connection.cursor().executemany("SELECT set_bit(B'0', 0, %s)", [[0], [1]])
        assert where() == home_of(acme)


def test_threads_have_roles_of_their_own(committed, acme, globex):
    def look(ref):
        with enter(ref):
            return {where() for _ in range(50)}

    assert run_together(lambda: look(acme), lambda: look(globex)) == [{home_of(acme)}, {home_of(globex)}]


def test_the_operations_login_works_as_owner_in_the_tenants_schema(committed, acme):
    with enter(acme):
        assert where(connections["ops"]) == ("px_owner", acme.schema)
        with connections["ops"].as_login():
            assert where(connections["ops"]) == ("px_ops", acme.schema)
        assert where(connections["ops"]) == ("px_owner", acme.schema)

    assert where(connections["ops"]) == ("px_owner", "public")


@pytest.mark.parametrize(
    "statement", ["SET ROLE px_app", "RESET ROLE", "DO $$ BEGIN END $$", "SELECT 1; RESET ROLE", "SAVEPOINT here"]
)
def test_a_refused_statement_is_not_sent(committed, acme, statement):
    with enter(acme):
        where()
        with CaptureQueriesContext(connection), pytest.raises(StatementRefused):
            connection.cursor().execute(statement)

        assert where() == home_of(acme)


def test_rows_cannot_be_copied_in_or_out(committed, acme):
    with enter(acme), pytest.raises(StatementRefused):
        connection.cursor().copy("COPY people_person TO STDOUT").__enter__()


def test_nobody_enters_a_tenant_by_the_ways_of_django_tenants(committed, acme):
    from tenants.models import Tenant

    with pytest.raises(NotImplementedError):
        connection.set_tenant(Tenant.objects.get(pk=acme.id))
    connection.schema_name = acme.schema
    connection.tenant = acme

    assert where() == PLATFORM


def test_prepared_statements_stay_off(committed):
    connection.ensure_connection()

    assert connection.connection.prepare_threshold is None


OUTBOX = (
    "INSERT INTO public.events_outbox (occurred_at, name, version, tenant_id, actor_kind, request_id, payload)"
    " VALUES (now(), $1, 1, $2, 'system', '', '{}')"
)


def publish(name, ref, wrapper=connection, statement=OUTBOX):
    wrapper.execute_plainly(statement, [name, str(ref.id)])


def published(name):
    with enter_platform(), connection.cursor() as cursor:
        cursor.execute("SELECT tenant_id FROM events_outbox WHERE name = %s ORDER BY id", [name])
        return [tenant_id for (tenant_id,) in cursor.fetchall()]


@pytest.fixture
def name():
    return f"test.{uuid4()}"


def test_a_plain_statement_is_prepared_once_and_follows_the_tenant(at_globex, acme, globex, name):
    for ref in (acme, globex, acme):
        with enter(ref), transaction.atomic():
            publish(name, ref)

    assert published(name) == [acme.id, globex.id, acme.id]
    assert list(_prepared[connection.connection]).count(OUTBOX) == 1


def test_a_plain_statement_that_was_prepared_for_one_tenant_writes_nothing_for_it_from_another(
    at_globex, acme, globex, name
):
    with enter(acme), transaction.atomic():
        publish(name, acme)

    with enter(globex), pytest.raises(ProgrammingError, match="row-level security"):
        publish(name, acme)

    assert published(name) == [acme.id]


def lose_server(wrapper=connection):
    """End the connection as a server that died does: without a word."""
    with socket.socket(fileno=os.dup(wrapper.connection.pgconn.socket)) as line:
        line.shutdown(socket.SHUT_RDWR)


def test_a_server_that_died_is_no_fault_of_a_plain_statement(at_globex, acme, name):
    with enter(acme), pytest.raises(OperationalError), transaction.atomic():
        publish(name, acme)
        lose_server()
        publish(name, acme)
    connection.close()

    assert published(name) == []


def test_a_server_that_died_is_noticed_at_the_change_of_the_tenant(at_globex, acme):
    where()
    lose_server()
    with enter(acme), pytest.raises(OperationalError):
        where()
    connection.close()

    with enter(acme):
        assert where() == home_of(acme)


def test_a_plain_statement_is_undone_with_its_transaction(at_globex, acme, name):
    with enter(acme), pytest.raises(DataError), transaction.atomic():
        publish(name, acme)
        fail()

    with enter(acme), pytest.raises(InternalError), transaction.atomic():
        with pytest.raises(DataError, match="too long"):
            publish("x" * 200, acme)
        with pytest.raises(InternalError, match="aborted"):
            publish(name, acme)
        fail()

    assert published(name) == []


ROWS = "SELECT n, NULL, current_schema() FROM generate_series(1, $1::int) n"


@pytest.mark.parametrize("prepared", [True, False])
def test_a_plain_statement_brings_its_rows_as_text(at_globex, acme, prepared):
    with enter(acme):
        plainly = connection.execute_plainly(ROWS, ["2"], prepared=prepared)
        with CaptureQueriesContext(connection):
            through_the_layers = connection.execute_plainly(ROWS, ["2"], prepared=prepared)

    assert plainly == through_the_layers == [("1", None, acme.schema), ("2", None, acme.schema)]
    assert (ROWS in _prepared.get(connection.connection, {})) == prepared


def test_a_plain_statement_begins_the_transaction_that_it_belongs_to(at_globex, acme, name):
    with enter(acme), pytest.raises(DataError), transaction.atomic():
        publish(name, acme)
        fail()
    with enter(acme):
        where()
        with pytest.raises(DataError), transaction.atomic():  # role and path are there: no SET begins it
            publish(name, acme)
            fail()

    assert published(name) == []


def test_a_plain_statement_is_seen_where_somebody_looks_on(at_globex, acme, name):
    with enter(acme), CaptureQueriesContext(connection) as seen:
        publish(name, acme)

    assert name in seen.captured_queries[-1]["sql"]
    assert published(name) == [acme.id]


def test_a_plain_statement_is_refused_like_any_other(at_globex, acme):
    with enter(acme), pytest.raises(StatementRefused):
        connection.execute_plainly("RESET ROLE", [])


def test_plain_statements_that_somebody_deallocated_are_prepared_anew(at_globex, acme, name):
    another = OUTBOX.replace("'{}'", "'[]'")
    with enter(acme):
        publish(name, acme)
        publish(name, acme, statement=another)
        connection.connection.pgconn.exec_(b"DEALLOCATE ALL")
        with pytest.raises(DatabaseError, match="does not exist"):
            publish(name, acme)

        publish(name, acme)
        publish(name, acme, statement=another)

    assert published(name) == [acme.id] * 4


# Behind PgBouncer in transaction mode every statement may meet another server connection.


@pytest.fixture
def pooled(committed):
    """A connection that believes in a pooler."""
    settings = deepcopy(connections["default"].settings_dict)
    settings["TENANCY"] = {"transaction_pooling": True}
    settings["OPTIONS"] = {name: value for name, value in settings["OPTIONS"].items() if name != "pool"}
    wrapper = DatabaseWrapper(settings, alias="pooled")
    yield wrapper
    wrapper.close()


@contextmanager
def transaction_of(wrapper):
    wrapper.set_autocommit(False)
    try:
        yield
    except BaseException:
        wrapper.rollback()
        raise
    else:
        wrapper.commit()
    finally:
        wrapper.set_autocommit(True)


def test_behind_a_pooler_a_tenants_statement_outside_a_transaction_is_refused(pooled, acme):
    with enter(acme), pytest.raises(StatementOutsideTransaction):
        where(pooled)


def test_behind_a_pooler_the_platform_needs_no_transaction(pooled):
    assert where(pooled) == PLATFORM


def test_behind_a_pooler_role_and_path_end_with_the_transaction(pooled, acme, globex):
    with enter(acme), transaction_of(pooled):
        assert where(pooled) == home_of(acme)
    assert pooled.connection.execute("SELECT current_user, current_schema()").fetchone() == PLATFORM

    with enter(globex), transaction_of(pooled):
        assert where(pooled) == home_of(globex)


def test_behind_a_pooler_each_transaction_says_again_who_it_is(pooled, acme):
    with enter(acme):
        for _ in range(2):
            with transaction_of(pooled):
                assert where(pooled) == home_of(acme)
        with pytest.raises(DataError), transaction_of(pooled):
            fail(pooled)
        with transaction_of(pooled):
            assert where(pooled) == home_of(acme)


def test_behind_a_pooler_a_plain_statement_is_not_prepared(pooled, acme, name):
    with enter(acme), transaction_of(pooled):
        publish(name, acme, pooled)

    assert published(name) == [acme.id]
    assert pooled.connection not in _prepared
