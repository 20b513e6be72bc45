"""The lists of tables and columns say something of every table and column that there is."""

import pytest

from archives.rows import carried_rules
from archives.rules import LeftOut, Mask
from core.tenancy.names import TEMPLATE_SCHEMA
from tenants.kinds import kind_of
from tenants.models import Operation
from tenants.steps import tenant_steps
from tests.support.raw import superuser

TEXTS = ("character", "text", "json", "bytea", "inet", "xml", "USER-DEFINED", "ARRAY")


@pytest.fixture(scope="module")
def columns(django_db_setup):
    """The columns of a tenant's tables, by table: name to type."""
    found = {}
    with superuser() as db:
        query = """
            SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns c
            JOIN pg_class t ON t.relname = c.table_name AND t.relnamespace = c.table_schema::regnamespace
            WHERE c.table_schema = %s AND NOT t.relispartition
        """
        for table, column, kind in db.execute(query, [TEMPLATE_SCHEMA]):
            found.setdefault(table, {})[column] = kind
    return found


def test_every_table_of_a_tenant_is_carried_or_left_out_for_a_reason(columns, settings):
    assert set(settings.ARCHIVE_TABLES) == set(columns)
    assert all(rule.why for rule in settings.ARCHIVE_TABLES.values() if isinstance(rule, LeftOut))


def test_every_column_that_holds_texts_is_masked_or_said_to_be_plain(columns):
    for table, rule in carried_rules().items():
        texts = {name for name, kind in columns[table].items() if kind.startswith(TEXTS)} - set(rule.anew)

        assert set(rule.columns) == texts, table


def test_no_secret_travels(columns):
    carried = carried_rules()
    secrets = {
        (table, column)
        for table in carried
        for column in columns[table]
        if any(word in column for word in ("secret", "token", "private", "key", "password"))
    }

    kept = {(table, column) for table, column in secrets if column not in carried[table].anew}
    assert kept == {("identity_account", "password")}  # hashes, so that people can sign in
    assert carried["identity_account"].columns["password"] is Mask.PASSWORD


def test_tables_follow_those_that_they_point_to(columns, settings):
    order = list(settings.ARCHIVE_TABLES)
    with superuser() as db:
        query = """
            SELECT DISTINCT a.relname, b.relname FROM pg_constraint k JOIN pg_class a ON a.oid = k.conrelid
            JOIN pg_class b ON b.oid = k.confrelid WHERE k.contype = 'f' AND k.connamespace = %s::regnamespace
        """
        pairs = db.execute(query, [TEMPLATE_SCHEMA]).fetchall()

    carried = [(source, target) for source, target in pairs if source in carried_rules()]
    assert carried
    assert all(target in carried_rules() for _, target in carried)
    assert all(order.index(target) < order.index(source) for source, target in carried)


def test_a_restored_tenant_gets_every_step_but_those_that_its_rows_replace(settings):
    every = {step.key for step in tenant_steps()}
    assert set(settings.RESTORED_BY_ROWS) < every

    for kind in (Operation.Kind.IMPORT, Operation.Kind.CLONE):
        keys = [step.key for step in kind_of(Operation(kind=kind)).steps({})]
        assert every - set(settings.RESTORED_BY_ROWS) <= set(keys)
        assert len(keys) == len(set(keys))
        assert "first_admin" in [step.key for step in kind_of(Operation(kind=kind)).steps({"anew": ["first_admin"]})]
