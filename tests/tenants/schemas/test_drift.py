"""Whatever somebody changes in a tenant's schema by hand is found, named, and taken away by the SQL of `--repair`."""

import pytest
from django.utils import timezone
from psycopg.errors import StringDataRightTruncation

from core.tenancy.names import APP_ROLE
from tenants.models import Tenant
from tenants.schemas import making
from tenants.schemas.drift import find_drift, find_role_faults
from tenants.schemas.repair import repair_script
from tenants.schemas.template import current_template
from tests.support.raw import superuser

CHANGES = {
    "an extra column": "ALTER TABLE people_person ADD COLUMN extra int",
    "a missing column": "ALTER TABLE people_person DROP COLUMN language CASCADE",
    "another type": "ALTER TABLE people_person ALTER COLUMN name TYPE varchar(7)",
    "another collation": 'ALTER TABLE people_person ALTER COLUMN name TYPE varchar(200) COLLATE "C"',
    "a default": "ALTER TABLE people_person ALTER COLUMN name SET DEFAULT 'x; y'",
    "null allowed": "ALTER TABLE people_person ALTER COLUMN name DROP NOT NULL",
    "no identity": "ALTER TABLE django_migrations ALTER COLUMN id DROP IDENTITY",
    "another identity": "ALTER TABLE django_migrations ALTER COLUMN id SET GENERATED ALWAYS",
    "a generated column": "ALTER TABLE people_person DROP COLUMN language; ALTER TABLE people_person ADD COLUMN language text GENERATED ALWAYS AS (name) STORED",
    "an extra table": "CREATE TABLE extra (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a text UNIQUE); CREATE INDEX ON extra (a)",
    "a missing table": "DROP TABLE people_roleassignment CASCADE",
    "a missing partitioned table": "DROP TABLE audit_entry",
    "a missing default partition": "DROP TABLE audit_entry_default",
    "an unlogged table": "ALTER TABLE django_session SET UNLOGGED",
    "options": "ALTER TABLE people_person SET (fillfactor = 50)",
    "row level security": "ALTER TABLE people_person ENABLE ROW LEVEL SECURITY",
    "row level security for the owner": "ALTER TABLE people_person FORCE ROW LEVEL SECURITY",
    "a missing index": "DROP INDEX {index}",
    "an extra index": "CREATE INDEX extra ON people_person (name)",
    "another index": "DROP INDEX {index}; CREATE INDEX {index} ON people_person (name)",
    "an invalid index": "UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{index}'::regclass",
    "a missing constraint": "ALTER TABLE people_roleassignment DROP CONSTRAINT {foreign_key}",
    "a constraint not validated": "ALTER TABLE people_roleassignment DROP CONSTRAINT {foreign_key}; ALTER TABLE people_roleassignment ADD CONSTRAINT {foreign_key} {definition} NOT VALID",
    "an extra constraint": "ALTER TABLE people_person ADD CONSTRAINT extra CHECK (name <> 'x')",
    "another primary key": "ALTER TABLE django_session DROP CONSTRAINT django_session_pkey, ADD CONSTRAINT django_session_pkey PRIMARY KEY (session_key, expire_date)",
    "another sequence": "ALTER SEQUENCE django_migrations_id_seq INCREMENT 7 CACHE 3 CYCLE",
    "an extra sequence": "CREATE SEQUENCE extra",
    "another owner": "ALTER TABLE people_person OWNER TO postgres",
    "another owner of the schema": "ALTER SCHEMA {schema} OWNER TO postgres",
    "a right too few": "REVOKE DELETE ON people_person FROM {role}",
    "a right too many": "GRANT UPDATE ON audit_entry TO {role}",
    "a right of another": f"GRANT SELECT ON people_person TO {APP_ROLE}",
    "a right of everybody": "GRANT SELECT ON people_person TO PUBLIC",
    "a right on a column": "GRANT UPDATE (app) ON django_migrations TO {role}",
    "a right on a partition": "GRANT SELECT ON audit_entry_default TO {role}",
    "no right on a sequence": "REVOKE ALL ON SEQUENCE audit_entry_id_seq FROM {role}",
    "no right on the schema": "REVOKE ALL ON SCHEMA {schema} FROM {role}",
    "creating in the schema": "GRANT CREATE ON SCHEMA {schema} TO {role}",
    "no default rights": "ALTER DEFAULT PRIVILEGES FOR ROLE px_owner IN SCHEMA {schema} REVOKE ALL ON TABLES FROM {role}",
    "a view": "CREATE VIEW extra AS SELECT name FROM people_person",
    "a function": "CREATE FUNCTION extra(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "a type": "CREATE TYPE extra AS ENUM ('a')",
    "a trigger": "CREATE TRIGGER extra BEFORE UPDATE ON people_person EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "a policy": "CREATE POLICY extra ON people_person USING (true)",
    "a rule": "CREATE RULE extra AS ON DELETE TO people_person DO INSTEAD NOTHING",
}


@pytest.fixture
def admin(own_database):
    with superuser() as connection:
        yield connection


def run_in(admin, tenant, text):
    names = {"schema": tenant.schema_name, "role": f'"{tenant.role_name}"'}
    names["index"] = admin.execute(
        "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace = %s::regnamespace"
        " AND i.indrelid = %s::regclass AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid"
        " AND contype IN ('p', 'u')) ORDER BY 1",
        [tenant.schema_name, f"{tenant.schema_name}.people_person"],
    ).fetchone()[0]
    names["foreign_key"], names["definition"] = admin.execute(
        "SELECT conname, replace(pg_get_constraintdef(oid), %s || '.', '') FROM pg_constraint WHERE contype = 'f'"
        " AND conrelid = %s::regclass ORDER BY 1",
        [tenant.schema_name, f"{tenant.schema_name}.people_roleassignment"],
    ).fetchone()
    text = text.replace("{role}", names["role"])
    for name, value in names.items():
        text = text.replace(f"{{{name}}}", value)
    admin.execute(f"SET search_path = {tenant.schema_name}; {text}")
    admin.execute("RESET search_path")


@pytest.fixture
def tenant(admin):
    """One of the prepared tenants without its people; made anew if a test left it drifted."""
    tenant = Tenant.objects.get(slug="globex-inc")
    admin.execute(f"TRUNCATE {tenant.schema_name}.people_person CASCADE")
    yield tenant
    if find_drift([tenant.ref]):
        admin.execute(f"DROP SCHEMA {tenant.schema_name} CASCADE")
        making.drop_schema(tenant.ref)
        making.make_schema(tenant.ref, current_template())
    with making.owner_cursor(tenant.ref) as cursor:  # a table made anew by a repair has none of the coming months
        making.make_partitions(cursor, tenant.ref, now=timezone.now())


def refs():
    return [tenant.ref for tenant in Tenant.objects.filter(status="active")]


@pytest.mark.parametrize("change", CHANGES)
def test_every_drift_is_found_and_its_repair_takes_it_away(admin, tenant, change):
    run_in(admin, tenant, CHANGES[change])

    found = find_drift(refs())
    script = repair_script(found)
    admin.execute(script)

    assert found
    assert {one.tenant.slug for one in found} == {tenant.slug}
    assert [str(one) for one in find_drift(refs())] == [], script


@pytest.mark.parametrize("fault", ["missing", "LOGIN", "CREATEROLE", "inherits", "nobody's", "an owner", "shared"])
def test_faults_of_roles_are_found_and_repaired(admin, make_tenant, fault):
    tenant = make_tenant()
    role = f'"{tenant.role_name}"'
    change = {
        "missing": f"DROP OWNED BY {role}; DROP ROLE {role}",
        "inherits": f"GRANT {role} TO {APP_ROLE} WITH INHERIT TRUE GRANTED BY px_ops",
        "nobody's": f"REVOKE {role} FROM {APP_ROLE} GRANTED BY px_ops",
        "an owner": f"GRANT px_owner TO {role}",
        "shared": f"GRANT {role} TO pg_monitor",
    }.get(fault, f"ALTER ROLE {role} {fault}")
    admin.execute(change)

    found = [*find_role_faults(refs()), *find_drift(refs())]
    admin.execute(repair_script(found))

    assert {one.kind for one in found} & {"role", "member"}
    assert [*find_role_faults(refs()), *find_drift(refs())] == []


@pytest.mark.parametrize(
    "given",
    [
        "GRANT SELECT ON public.tenants_tenant TO {role}",
        "GRANT UPDATE (name) ON public.tenants_tenant TO {role}",
        "GRANT USAGE ON SCHEMA {other} TO {role}",
        "GRANT SELECT ON {other}.people_person TO {role}",
        "GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_waldir() TO {role}",
    ],
)
def test_a_right_outside_of_the_own_schema_is_found_and_taken_back(admin, make_tenant, tenant, given):
    abroad = make_tenant()
    admin.execute(given.format(role=f'"{abroad.role_name}"', other=f'"{tenant.schema_name}"'))

    found = find_role_faults(refs())
    admin.execute(repair_script(one for one in found if one.kind == "abroad"))

    assert [(one.kind, one.tenant.slug) for one in found] == [("abroad", abroad.slug)]
    assert find_role_faults(refs()) == []


def test_a_repair_cuts_nothing_off(admin, tenant):
    """A longer column is made short again only if every value fits."""
    role = f"{tenant.schema_name}.people_role"
    admin.execute(f"ALTER TABLE {role} ALTER COLUMN label TYPE varchar(200)")
    admin.execute(f"UPDATE {role} SET label = repeat('x', 100) WHERE name = 'guest'")
    script = repair_script(find_drift(refs()))

    with pytest.raises(StringDataRightTruncation):
        admin.execute(script)

    admin.execute("ROLLBACK")
    label = admin.execute(f"SELECT length(label) FROM {role} WHERE name = 'guest'").fetchone()
    admin.execute(f"UPDATE {role} SET label = 'Guest' WHERE name = 'guest'")
    admin.execute(script)
    assert label == (100,)
    assert find_drift(refs()) == []


def test_a_repaired_identity_begins_behind_the_rows_that_are_there(admin, tenant):
    run_in(admin, tenant, "ALTER TABLE django_migrations ALTER COLUMN id DROP IDENTITY")

    admin.execute(repair_script(find_drift(refs())))

    run_in(admin, tenant, "INSERT INTO django_migrations (app, name, applied) VALUES ('x', 'y', now())")
    run_in(admin, tenant, "DELETE FROM django_migrations WHERE app = 'x'")


def test_a_cast_that_may_lose_data_says_so(admin, tenant):
    run_in(admin, tenant, "ALTER TABLE people_person ALTER COLUMN email TYPE text")

    script = repair_script(find_drift(refs()))
    admin.execute(script)

    assert "-- may lose data" in script
