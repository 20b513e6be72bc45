"""Attacks by SQL from inside a tenant: as somebody who can send SQL of his own through Django's cursor, and with psycopg alone.

What stays open is written down in docs/adr/0002-database-roles.md, and tested at the end.
"""

import psycopg
import pytest
from django.db import DatabaseError, connection
from psycopg import errors, sql

from core.tenancy import enter
from core.tenancy.statements import StatementRefused
from tests.support.raw import app_login, inside, superuser

pytestmark = pytest.mark.usefixtures("road")


@pytest.fixture(scope="module")
def attacker(world, road):
    """A raw connection in acme's role."""
    with inside(world.acme) as raw:
        yield raw


def statement_of(text, world):
    return text.format(acme=world.acme, globex=world.globex)


FOREIGN = [
    "SELECT * FROM {globex.schema}.people_person",
    "SELECT count(*) FROM {globex.schema}.people_person",
    "TABLE {globex.schema}.audit_entry",
    "SELECT EXISTS (SELECT FROM {globex.schema}.people_person)",
    "WITH x AS (SELECT * FROM {globex.schema}.identity_account) SELECT * FROM x",
    "INSERT INTO {globex.schema}.people_role (id, name) VALUES (gen_random_uuid(), 'x')",
    "UPDATE {globex.schema}.people_person SET name = 'x'",
    "DELETE FROM {globex.schema}.people_person",
    "MERGE INTO {globex.schema}.people_person p USING people_person q ON false WHEN NOT MATCHED THEN DO NOTHING",
    "SELECT * FROM people_person UNION ALL SELECT * FROM {globex.schema}.people_person",
    "SELECT * FROM {globex.schema}.audit_entry_default",
    "SELECT * FROM core_template.people_person",
    "SELECT * FROM public.tenants_tenant",
    "SELECT * FROM public.operators_operator",
    "SELECT * FROM public.django_session",
    "SELECT * FROM public.events_outbox",
    "SELECT * FROM public.audit_entry",
    "INSERT INTO public.audit_entry SELECT * FROM audit_entry",
    "UPDATE public.tenants_tenant SET status = 'active'",
    "DELETE FROM public.tenants_domain",
    "SELECT passwd FROM pg_shadow",
    "SELECT rolpassword FROM pg_authid",
    "SELECT * FROM pg_statistic",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_ls_dir('.')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT set_config('role', '{globex.role}', false)",
    "SELECT set_config('search_path', '{globex.schema}', false)",
    "SELECT set_config('role', '{globex.role}', true) FROM people_person",
    "UPDATE pg_settings SET setting = '{globex.role}' WHERE name = 'role'",
    "SELECT * INTO loot FROM people_person",
    "SELECT lo_create(0)",
    "SELECT lo_creat(-1)",
    "SELECT lo_from_bytea(0, 'x')",
]
ONLY_RAW = [
    "COPY {globex.schema}.people_person TO STDOUT",
    "COPY people_person TO '/tmp/loot'",
    "COPY people_person TO PROGRAM 'cat'",
    "TRUNCATE {globex.schema}.people_person",
    "TRUNCATE people_person",
    "DROP TABLE {globex.schema}.people_person",
    "DROP TABLE people_person",
    "ALTER TABLE people_person ADD COLUMN x int",
    "ALTER TABLE public.events_outbox DISABLE ROW LEVEL SECURITY",
    "CREATE TABLE {globex.schema}.x (y int)",
    "CREATE TABLE x (y int)",
    "CREATE TABLE public.x (y int)",
    "CREATE TEMP TABLE x (y int)",
    "CREATE VIEW x AS SELECT 1",
    "CREATE VIEW public.x AS SELECT 1",
    "CREATE SEQUENCE x",
    "CREATE INDEX ON people_person (email)",
    "CREATE SCHEMA x",
    "CREATE FUNCTION x() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE FUNCTION public.x() RETURNS int LANGUAGE sql SET role = '{globex.role}' AS 'SELECT 1'",
    "CREATE TRIGGER x BEFORE INSERT ON people_person EXECUTE FUNCTION public.tenants_stamp_change()",
    "CREATE POLICY x ON public.events_outbox FOR SELECT USING (true)",
    "CREATE ROLE x",
    "CREATE DATABASE x",
    "CREATE PUBLICATION x FOR TABLE people_person",
    "CREATE SERVER x FOREIGN DATA WRAPPER y",
    "ALTER ROLE px_app SUPERUSER",
    "ALTER ROLE px_app SET role = '{globex.role}'",
    "ALTER ROLE {globex.role} LOGIN",
    "ALTER DEFAULT PRIVILEGES FOR ROLE px_owner GRANT ALL ON TABLES TO PUBLIC",
    "ALTER SYSTEM SET log_statement = 'all'",
    "GRANT {globex.role} TO {acme.role}",
    "GRANT px_owner TO {acme.role}",
    "SET SESSION AUTHORIZATION px_owner",
    "SET ROLE px_owner",
    "SET ROLE px_ops",
    "SET session_replication_role = replica",
    "DO $$ BEGIN PERFORM 1; END $$",
    "DO LANGUAGE plpgsql $$ BEGIN SET ROLE {globex.role}; END $$",
    "CREATE FUNCTION pg_temp.x() RETURNS text LANGUAGE sql AS $$ SELECT set_config('role', '{globex.role}', false) $$",
    "CREATE FUNCTION x() RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN RETURN 1; END $$",
    "CREATE PROCEDURE x() LANGUAGE sql AS 'SELECT 1'",
    "CREATE AGGREGATE x (int) (sfunc = int4pl, stype = int)",
    "CREATE OPERATOR public.=== (function = int4eq, leftarg = int, rightarg = int)",
    "CREATE RULE x AS ON SELECT TO people_person DO INSTEAD SELECT 1",
    "CREATE CAST (int AS text) WITHOUT FUNCTION",
    "CREATE EXTENSION vector",
    "CREATE LANGUAGE x HANDLER y",
    "COPY (SELECT * FROM {globex.schema}.people_person) TO STDOUT",
    "COPY people_person FROM PROGRAM 'cat /etc/passwd'",
    "ALTER TABLE public.tenants_tenant DISABLE ROW LEVEL SECURITY",
]
DENIED = (
    errors.InsufficientPrivilege,
    errors.UndefinedObject,  # no such foreign data wrapper
    errors.ActiveSqlTransaction,  # behind a pooler some do not even get that far
)


@pytest.mark.parametrize("attack", FOREIGN + ONLY_RAW)
def test_a_tenants_role_is_denied_what_is_not_its_own(attacker, world, attack):
    with pytest.raises(DENIED):
        attacker.execute(statement_of(attack, world))

    assert attacker.execute("SELECT current_user, current_schema()").fetchone() == (world.acme.role, world.acme.schema)


@pytest.mark.parametrize("attack", FOREIGN)
def test_the_same_through_djangos_cursor_is_denied(db, world, attack):
    with enter(world.acme), pytest.raises(DatabaseError, match="permission denied"):
        connection.cursor().execute(statement_of(attack, world))


@pytest.mark.parametrize(
    "attack", [*ONLY_RAW, "SET ROLE {globex.role}", "RESET ROLE", "SELECT 1; SET ROLE {globex.role}"]
)
def test_statements_of_other_kinds_do_not_even_leave(db, world, attack):
    with enter(world.acme), pytest.raises(StatementRefused):
        connection.cursor().execute(statement_of(attack, world))


@pytest.mark.parametrize(
    "attack",
    [
        "SELECT query_to_xml('SET ROLE {globex.role}', true, true, '')",
        "SELECT query_to_xml('SELECT * FROM {globex.schema}.people_person', true, true, '')",
        "SELECT schema_to_xml('{globex.schema}', true, true, '')",
        "SELECT table_to_xml('{globex.schema}.people_person', true, true, '')",
        "SELECT * FROM ts_stat('SELECT to_tsvector(email) FROM {globex.schema}.people_person')",
        "SELECT * FROM ts_stat('SET ROLE {globex.role}')",
        "SELECT ts_rewrite('a'::tsquery, 'SET ROLE {globex.role}')",
        "SELECT public.tenants_stamp_change()",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'px_ops'",
        "SELECT pg_reload_conf()",
        "SELECT nextval('{globex.schema}.audit_entry_id_seq')",
        "SELECT setval('{globex.schema}.audit_entry_id_seq', 1)",
        "SELECT pg_get_viewdef(1), has_table_privilege('{globex.schema}.people_person', 'SELECT') AND 1 / 0 > 0",
    ],
)
def test_functions_that_run_sql_open_nothing(attacker, world, attack):
    try:
        rows = attacker.execute(statement_of(attack, world)).fetchall()
    except psycopg.Error:
        rows = []

    text = repr(rows)
    assert "outsider@people.example" not in text
    assert attacker.execute("SELECT current_user").fetchone() == (world.acme.role,)


def test_a_tenant_sees_of_other_sessions_neither_statements_nor_addresses(world):
    with app_login() as other:
        ((pid, _),) = other.execute("SELECT pg_backend_pid(), 'secret of the platform'").fetchall()
        with inside(world.acme) as attacker:
            seen = attacker.execute("SELECT query, client_addr FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone()

    assert seen == ("<insufficient privilege>", None)


def test_a_tenant_cannot_end_the_sessions_of_others(attacker):
    with app_login() as other:
        with pytest.raises(errors.InsufficientPrivilege):
            attacker.execute("SELECT pg_terminate_backend(%s)", other.execute("SELECT pg_backend_pid()").fetchone())

        assert other.execute("SELECT 1").fetchone() == (1,)


def test_a_tenants_own_migrations_and_partitions_are_out_of_its_reach(attacker):
    for attack in (
        "DELETE FROM django_migrations",
        "INSERT INTO django_migrations (app, name, applied) VALUES ('x', 'y', now())",
        "SELECT * FROM audit_entry_default",
        "INSERT INTO audit_entry_default SELECT * FROM audit_entry",
        "UPDATE audit_entry SET action = 'x'",
        "DELETE FROM audit_entry",
    ):
        with pytest.raises(errors.InsufficientPrivilege):
            attacker.execute(attack)


def test_the_apps_login_itself_sees_no_tenant(world):
    with app_login() as raw:
        for attack in (
            f"SELECT set_config('role', '{world.globex.role}', false)",
            f"SELECT set_config('search_path', '{world.globex.schema}', true)",
            f"SELECT query_to_xml('SELECT * FROM {world.globex.schema}.people_person', true, true, '')",
            f"SELECT * FROM {world.acme.schema}.people_person",
            f"CREATE TABLE {world.acme.schema}.x (y int)",
            "CREATE TABLE public.x (y int)",
            "CREATE TEMP TABLE x (y int)",
            "CREATE SCHEMA x",
            "CREATE ROLE x",
            "SET ROLE px_owner",
            "SET ROLE px_ops",
            "DO $$ BEGIN END $$",
            "UPDATE audit_entry SET action = 'x'",
            "DELETE FROM events_outbox",
            "DELETE FROM tenants_tenant",
            "UPDATE tenants_schematemplate SET ddl = ''",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                raw.execute(attack)


def test_the_apps_login_has_no_attribute_that_opens_the_wall(world):
    with superuser() as admin:
        app = admin.execute(
            "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication FROM pg_roles"
            " WHERE rolname = 'px_app'"
        ).fetchone()
        owned = admin.execute("SELECT count(*) FROM pg_class WHERE relowner = 'px_app'::regrole").fetchone()
        owner = admin.execute("SELECT rolcanlogin, rolsuper FROM pg_roles WHERE rolname = 'px_owner'").fetchone()
        ops = admin.execute("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = 'px_ops'").fetchone()

    assert app == (False, False, False, False, False)
    assert owned == (0,)
    assert owner == (False, False)
    assert ops == (False, False)


def test_the_app_may_take_on_tenants_roles_and_inherits_none(world):
    with superuser() as admin:
        memberships = admin.execute(
            "SELECT r.rolname, m.inherit_option, m.set_option, m.admin_option FROM pg_auth_members m"
            " JOIN pg_roles r ON r.oid = m.roleid WHERE m.member = 'px_app'::regrole"
        ).fetchall()
        tenants = admin.execute(
            "SELECT rolcanlogin, rolinherit, rolsuper, rolcreaterole, rolbypassrls FROM pg_roles WHERE rolname = ANY(%s)",
            [[world.acme.role, world.globex.role]],
        ).fetchall()
        of_tenants = admin.execute(
            "SELECT count(*) FROM pg_auth_members WHERE member = ANY(%s::regrole[])",
            [[world.acme.role, world.globex.role]],
        ).fetchone()

    assert {(world.acme.role, False, True, False), (world.globex.role, False, True, False)} <= set(memberships)
    assert all(tuple(options) == (False, True, False) for _, *options in memberships)
    assert all(name.startswith("px_") for name, *_ in memberships)
    assert set(tenants) == {(False, True, False, False, False)}
    assert of_tenants == (0,)


SEVERAL = [
    "SELECT 1; SET ROLE {globex.role}",
    "SELECT 1; RESET ROLE",
    "SELECT 1;SELECT set_config('role', '{globex.role}', false)",
    "SELECT 1 /* ; */ ; SET search_path = {globex.schema}",
    "SELECT $$;$$; RESET ROLE",
    "SELECT E'\\';' ; RESET ROLE --'",
    "(SELECT 1); COMMIT; SET ROLE {globex.role}",
    "SET LOCAL ROLE {globex.role}",
    "SET SESSION AUTHORIZATION DEFAULT",
    "RESET SESSION AUTHORIZATION",
    "RESET ALL",
    "DISCARD ALL",
    "SET search_path = {globex.schema}",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
    "SET TRANSACTION SNAPSHOT '1'",
    "COMMIT",
    "ROLLBACK",
    "PREPARE x AS SELECT 1",
    "EXECUTE x",
    "CALL x()",
    "/* */ SET ROLE {globex.role}",
    "-- \nSET ROLE {globex.role}",
]


@pytest.mark.parametrize("attack", SEVERAL)
def test_what_would_change_the_role_is_never_sent_by_djangos_cursor(db, world, attack):
    with enter(world.acme), connection.cursor() as cursor:
        with pytest.raises(StatementRefused):
            cursor.execute(statement_of(attack, world))
        cursor.execute("SELECT current_user, current_schema()")

        assert cursor.fetchone() == (world.acme.role, world.acme.schema)


@pytest.mark.parametrize("attack", [text for text in FOREIGN if "globex" in text or "set_config" in text])
def test_on_the_platforms_own_address_no_tenant_is_within_reach(db, world, attack):
    """What runs as px_app itself: front page, console, the platform's tasks."""
    with pytest.raises(DatabaseError, match=r"permission denied|does not exist"):
        connection.cursor().execute(statement_of(attack, world))


def test_a_path_into_another_schema_leads_to_nothing(db, world):
    """The path may name any schema; it opens none."""
    with inside(world.acme) as raw:
        raw.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(world.globex.schema)))

        with pytest.raises((errors.UndefinedTable, errors.InsufficientPrivilege)):
            raw.execute("SELECT * FROM people_person")
        raw.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(world.acme.schema)))


# Rows in `public` that belong to tenants


def test_every_table_of_public_shows_its_rows_to_the_platform_alone(world):
    with superuser() as admin:
        tables = admin.execute(
            "SELECT relname, relrowsecurity FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p') AND NOT relispartition"
        ).fetchall()

    assert {"tenants_tenant", "tenants_domain", "tenants_operation", "events_outbox"} <= {name for name, _ in tables}
    assert [name for name, guarded in tables if not guarded] == []


def test_a_grant_by_mistake_shows_a_tenant_no_row(world):
    with superuser() as admin, admin.transaction(force_rollback=True):
        for table in ("tenants_tenant", "tenants_domain", "tenants_operation", "audit_entry", "events_outbox"):
            admin.execute(f"GRANT ALL ON public.{table} TO {world.acme.role}")
        admin.execute(f"SET LOCAL ROLE {world.acme.role}")

        rows = {
            table: admin.execute(f"SELECT count(*) FROM public.{table}").fetchone()
            for table in ("tenants_tenant", "tenants_domain", "tenants_operation", "audit_entry", "events_outbox")
        }
        changed = admin.execute("UPDATE public.tenants_tenant SET status = 'active'").rowcount

    assert set(rows.values()) == {(0,)}
    assert changed == 0


def test_the_platform_sees_its_rows(db, world):
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM tenants_tenant")

        assert cursor.fetchone()[0] >= 2


# What stays open: docs/adr/0002-database-roles.md, "What it stops, and what not".


def test_whoever_sends_whole_statements_without_django_can_change_the_role(world):
    with inside(world.acme) as raw:
        raw.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(world.globex.role)))

        assert raw.execute("SELECT current_user").fetchone() == (world.globex.role,)


def test_names_and_sizes_of_what_others_have_can_be_read_from_the_catalogue(world, attacker):
    found = attacker.execute("SELECT nspname FROM pg_namespace WHERE nspname = %s", [world.globex.schema]).fetchone()

    assert found == (world.globex.schema,)


def test_advisory_locks_and_channels_are_shared_by_all_tenants(world, attacker):
    with inside(world.globex) as other:
        assert attacker.execute("SELECT pg_try_advisory_lock(4711)").fetchone() == (True,)
        assert other.execute("SELECT pg_try_advisory_lock(4711)").fetchone() == (False,)
        attacker.execute("SELECT pg_advisory_unlock_all()")
