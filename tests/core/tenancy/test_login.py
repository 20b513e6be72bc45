"""What a process says of its database login before it works with it."""

from uuid import uuid4

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, connections
from psycopg import sql
from structlog.testing import capture_logs

from core.tenancy import login
from tests.support.raw import app_login, superuser


@pytest.fixture(autouse=True)
def _not_looked_yet(monkeypatch):
    monkeypatch.setattr(login, "_looked", False)


@pytest.fixture
def make_login(committed):
    """Makes a login with an attribute or more than it may have, and a connection as it."""
    made, admin_of = [], superuser()
    admin = admin_of.__enter__()

    def make(options="", *more):
        name = sql.Identifier(f"test_{uuid4().hex[:12]}")
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'x' " + options).format(name))
        made.append(name)
        database = sql.Identifier(connection.settings_dict["NAME"])
        for statement in ("GRANT CONNECT ON DATABASE {database} TO {name}", *more):
            admin.execute(sql.SQL(statement).format(name=name, database=database))
        info = admin.info
        return psycopg.connect(
            host=info.host, port=info.port, dbname=info.dbname, user=name.as_string(None).strip('"'), password="x"
        )

    yield make
    for name in made:
        admin.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(name))
        admin.execute(sql.SQL("DROP ROLE {}").format(name))
    admin_of.__exit__(None, None, None)


@pytest.mark.parametrize(
    ("options", "more", "reason"),
    [
        ("SUPERUSER", [], "is a superuser"),
        ("BYPASSRLS", [], "bypasses row-level security"),
        ("", ["CREATE SCHEMA AUTHORIZATION {name}"], "owns tables or schemas"),
        ("", ["GRANT px_owner TO {name}"], "may become the owner of the tables"),
    ],
)
def test_a_login_that_no_wall_holds_back_is_refused_each_time(make_login, options, more, reason):
    with make_login(options, *more) as wrong:
        for _ in range(2):
            with pytest.raises(ImproperlyConfigured, match=reason):
                login.look_once(wrong)


def test_a_wrong_login_gets_no_connection(committed, monkeypatch):
    connection.close()
    monkeypatch.setattr(login, "_LOGIN", "SELECT 'px_app', ARRAY['is a superuser'] WHERE %s <> ''")

    for _ in range(2):
        with pytest.raises(ImproperlyConfigured), connection.cursor():
            pass

    assert connection.connection is None


def test_the_login_that_setup_makes_is_let_in_without_a_word(committed):
    with capture_logs() as lines, app_login() as ours:
        login.look_once(ours)

    assert lines == []
    assert login._looked


@pytest.mark.parametrize(
    ("grant", "revoke", "named"),
    [
        (
            "GRANT EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) TO PUBLIC",
            "REVOKE EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) FROM PUBLIC",
            "EXECUTE on set_config",
        ),
        (
            "GRANT UPDATE ON pg_catalog.pg_settings TO PUBLIC",
            "REVOKE UPDATE ON pg_catalog.pg_settings FROM PUBLIC",
            "UPDATE on pg_settings",
        ),
        (
            "GRANT USAGE ON LANGUAGE plpgsql TO PUBLIC",
            "REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC",
            "USAGE on plpgsql",
        ),
        (
            "GRANT TEMP ON DATABASE {database} TO PUBLIC",
            "REVOKE TEMP ON DATABASE {database} FROM PUBLIC",
            "TEMP on the database",
        ),
        ("GRANT CREATE ON SCHEMA public TO PUBLIC", "REVOKE CREATE ON SCHEMA public FROM PUBLIC", "CREATE in public"),
    ],
)
def test_a_hole_in_the_wall_is_warned_of_once(committed, grant, revoke, named):
    database = sql.Identifier(connection.settings_dict["NAME"])
    with superuser() as admin, app_login() as ours:
        admin.execute(sql.SQL(grant).format(database=database))
        try:
            with capture_logs() as lines:
                login.look_once(ours)
                login.look_once(ours)
        finally:
            admin.execute(sql.SQL(revoke).format(database=database))

    assert [(line["event"], line["public_has"]) for line in lines] == [("database_wall_incomplete", [named])]


def test_the_operations_login_is_not_looked_at(committed):
    connections["ops"].close()

    with connections["ops"].cursor() as cursor:
        cursor.execute("SELECT 1")

    assert not login._looked
