"""The committed table of rights in public says what the catalogue says, of every object and every role."""

import pytest

from tenants.schemas.grants import (
    APP_GRANTS,
    OUTBOX_COLUMNS,
    PUBLIC_GRANTS,
    QUEUE_COLUMNS,
    QUEUE_MOVED,
    apply_public_grants,
)
from tests.support.raw import superuser

OURS = "px_owner"


@pytest.fixture
def admin(world):
    with superuser() as connection:
        yield connection


RELATIONS = """
    SELECT c.relname, CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, array_agg(a.privilege_type)
    FROM pg_class c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = ANY(%s) AND a.grantee <> c.relowner
    GROUP BY 1, 2
"""


def rights(admin, kinds):
    return {(name, role): set(privileges) for name, role, privileges in admin.execute(RELATIONS, [kinds])}


def test_every_table_gives_the_app_what_is_listed_and_nobody_else_anything(admin):
    wanted = {(name, "px_app"): set(words.split(", ")) for name, words in APP_GRANTS.items()}

    assert rights(admin, ["r", "p", "v", "m", "f"]) == wanted


def test_columns_are_granted_only_where_the_list_names_them(admin):
    columns = admin.execute(
        "SELECT c.relname, x.privilege_type, x.grantee, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid,"
        " aclexplode(a.attacl) x WHERE c.relnamespace = 'public'::regnamespace"
    ).fetchall()

    queue = {(right, name) for right in ("SELECT", "INSERT") for name in QUEUE_COLUMNS.split(", ")}
    queue |= {("UPDATE", name) for name in QUEUE_MOVED.split(", ")}
    assert set(PUBLIC_GRANTS) == {"events_outbox", "webhook_queue"}
    assert set(columns) == {("events_outbox", "INSERT", 0, name) for name in OUTBOX_COLUMNS.split(", ")} | {
        ("webhook_queue", right, 0, name) for right, name in queue
    }


def test_sequences_may_be_used_by_the_app_alone(admin):
    sequences = {name for (name,) in admin.execute("SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'")}

    assert rights(admin, ["S"]) == {(name, "px_app"): {"USAGE"} for name in sequences}


def test_everything_in_public_is_the_owners(admin):
    owners = admin.execute(
        "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " UNION SELECT proowner::regrole::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        " UNION SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'public' OR nspname ~ '^(t_|core_)'"
    ).fetchall()

    assert owners == [(OURS,)]


def test_no_function_of_ours_runs_with_its_owners_rights(admin):
    functions = dict(
        admin.execute("SELECT proname, prosecdef FROM pg_proc WHERE pronamespace = 'public'::regnamespace").fetchall()
    )

    assert functions == dict.fromkeys(
        ("notify_relay", "tenant_code", "tenants_stamp_change", "tenants_stamp_domain"), False
    )


def test_no_default_grants_anything_in_public(admin):
    defaults = admin.execute(
        "SELECT n.nspname, a.grantee::regrole::text, d.defaclobjtype, array_agg(a.privilege_type ORDER BY a.privilege_type)"
        " FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace, aclexplode(d.defaclacl) a"
        " GROUP BY 1, 2, 3"
    ).fetchall()

    assert all(schema.startswith("t_") for schema, *_ in defaults)
    assert {(kind, tuple(words)) for _, _, kind, words in defaults} == {
        ("r", ("DELETE", "INSERT", "SELECT", "UPDATE")),
        ("S", ("USAGE",)),
    }
    assert all(role.endswith(schema[2:]) for schema, role, *_ in defaults)


def test_a_right_that_somebody_gave_by_hand_goes_with_the_next_migrate(committed, admin):
    admin.execute("GRANT DELETE ON tenants_tenant TO px_app")
    admin.execute("GRANT SELECT ON operators_operator TO PUBLIC")
    admin.execute("GRANT SELECT (id) ON tenants_operation TO PUBLIC")

    apply_public_grants()

    found = rights(admin, ["r", "p"])
    assert found["tenants_tenant", "px_app"] == {"SELECT", "INSERT", "UPDATE"}
    assert ("operators_operator", "PUBLIC") not in found
    assert not admin.execute("SELECT has_column_privilege('public', 'tenants_operation', 'id', 'SELECT')").fetchone()[0]


def test_in_its_schema_a_tenants_role_has_its_rights_and_no_other_role_has_any(admin, acme):
    rows = admin.execute(
        RELATIONS.replace("'public'::regnamespace", "%s::regnamespace"), [acme.schema, ["r", "p", "v", "m", "f", "S"]]
    ).fetchall()

    everything = {"SELECT", "INSERT", "UPDATE", "DELETE"}
    special = {"audit_entry": {"SELECT", "INSERT"}, "django_migrations": {"SELECT"}}
    sequences = {
        name for (name,) in admin.execute("SELECT sequencename FROM pg_sequences WHERE schemaname = %s", [acme.schema])
    }
    assert {role for _, role, _ in rows} == {acme.role}
    assert not [name for name, *_ in rows if name.startswith("audit_entry_") and name not in sequences]
    for name, _, words in rows:
        assert set(words) == ({"USAGE"} if name in sequences else special.get(name, everything)), name


def test_nobody_has_rights_on_the_template(admin):
    rows = admin.execute(
        RELATIONS.replace("'public'::regnamespace", "%s::regnamespace"), ["core_template", ["r", "p", "S"]]
    ).fetchall()

    assert rows == []
