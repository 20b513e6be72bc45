"""What exists already under a tenant's names: named, not touched, adopted or removed only when an operator says so."""

import pytest
from django.db import connections
from psycopg import sql

from core.audit.models import AuditEntry
from core.errors import Invalid, Rejected
from core.tenancy import enter
from events.outbox.models import OutboxMessage
from storage.adapters import store
from storage.buckets import bucket_exists, ensure_bucket
from tenants.errors import CannotGiveUp, OperationChanged, OperationNotStuck, SlugTaken
from tenants.models import Domain, Operation, Tenant
from tenants.preferences.models import Preferences
from tenants.schemas import making, template
from tenants.selectors import get_operation
from tenants.services.answers import give_up_operation, retry_operation
from tenants.services.deletion import request_deletion
from tests.support.people import step_named
from tests.support.raw import inside

KINDS = ["schema", "role", "bucket", "key", "address", "whole schema"]


def plant(kind, tenant):
    """Make what an earlier life may have left."""
    ops = connections["ops"]
    match kind:
        case "role":
            with ops.cursor() as cursor, ops.as_login():
                cursor.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(tenant.role_name)))
        case "schema":
            with ops.cursor() as cursor:
                cursor.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(tenant.schema_name)))
        case "whole schema":
            making.make_schema(tenant.ref, template.current_template())
            step_named("realm").run(tenant, {})
            with enter(tenant.ref):
                Preferences.objects.create(pk=1, name="An earlier life", language="", time_zone="Asia/Tokyo")
        case "bucket":
            ensure_bucket(tenant.bucket_name)
        case "key":
            store().make_key(tenant.bucket_name)


@pytest.fixture
def planted(asked):
    """Asks for a tenant under whose names something exists already."""

    def plant_and_ask(kind, **inputs):
        if kind == "address":
            gone = asked().tenant
            Operation.objects.filter(tenant=gone).update(status=Operation.Status.FAILED)
            Tenant.objects.filter(pk=gone.pk).update(status=Tenant.Status.DELETED)
            return asked(gone.slug, **inputs)
        operation = asked(**inputs)
        plant(kind, operation.tenant)
        return operation

    return plant_and_ask


def what_exists(tenant):
    return (
        sorted(making.existing_objects(tenant.ref)),
        bucket_exists(tenant.bucket_name),
        store().has_keyholder(tenant.bucket_name),
        set(Domain.objects.filter(domain=tenant.slug).values_list("tenant_id", flat=True)),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_leftovers_are_named_and_nothing_is_touched_until_somebody_answers(planted, go, kind):
    operation = planted(kind)
    before = what_exists(operation.tenant)

    stopped = go(operation)

    assert (stopped.status, stopped.error_code) == (Operation.Status.STUCK, "leftovers_found")
    assert f"{kind.removeprefix('whole ')} " in stopped.error
    assert what_exists(stopped.tenant) == before
    assert all(step.status == "waiting" for step in stopped.steps.all())
    assert AuditEntry.objects.filter(action="operation.stuck", target_id=stopped.tenant_id).count() == 1
    assert OutboxMessage.objects.filter(name="plexica.operation.stuck", tenant_id=stopped.tenant_id).count() == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_stopped_operation_cleans_when_it_is_told_to(planted, go, operator, kind):
    operation = go(planted(kind))

    retry_operation(operation_id=operation.pk, actor=operator, leftovers="clean", reason="nobody needs it")
    ended = go(operation)

    assert (ended.status, ended.tenant.status) == (Operation.Status.SUCCEEDED, Tenant.Status.ACTIVE)
    with enter(ended.tenant.ref):
        assert Preferences.objects.get().name == "Op"
    entry = AuditEntry.objects.get(action="operation.retried", target_id=ended.tenant_id)
    assert (entry.actor_id, entry.reason, entry.facts["leftovers"]) == (operator.id, "nobody needs it", "clean")
    cleaned = AuditEntry.objects.get(action="operation.leftovers_cleaned", target_id=ended.tenant_id)
    assert any(name.startswith(kind.removeprefix("whole ")) for name in cleaned.facts["leftovers"])


@pytest.mark.parametrize("kind", ["role", "bucket", "key", "address", "whole schema"])
def test_a_stopped_operation_adopts_when_it_is_told_to(planted, go, operator, kind):
    operation = go(planted(kind))

    retry_operation(operation_id=operation.pk, actor=operator, leftovers="adopt")
    ended = go(operation)

    assert (ended.status, ended.error, ended.tenant.status) == (Operation.Status.SUCCEEDED, "", Tenant.Status.ACTIVE)
    assert list(ended.tenant.domains.values_list("domain", flat=True)) == [ended.tenant.slug]
    assert AuditEntry.objects.filter(action="operation.leftovers_adopted", target_id=ended.tenant_id).count() == 1
    with enter(ended.tenant.ref):
        assert Preferences.objects.get().name == ("An earlier life" if kind == "whole schema" else "Op")


@pytest.mark.parametrize("answer", ["adopt", "clean"])
def test_who_asks_may_say_beforehand_what_to_do(planted, go, answer):
    ended = go(planted("whole schema", leftovers=answer))

    assert ended.status == Operation.Status.SUCCEEDED
    with enter(ended.tenant.ref):
        assert Preferences.objects.get().name == {"adopt": "An earlier life", "clean": "Op"}[answer]


def test_an_adopted_schema_has_a_fresh_role_with_the_rights_of_any_other(planted, go, new_tenant):
    operation = planted("whole schema", leftovers="adopt")
    role = operation.tenant.role_name
    ops = connections["ops"]
    with ops.cursor() as cursor, ops.as_login():
        cursor.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD 'known'").format(sql.Identifier(role)))
    with making.owner_cursor(operation.tenant.ref) as cursor:
        cursor.execute(sql.SQL("GRANT DELETE ON audit_entry TO {}").format(sql.Identifier(role)))

    adopted = go(operation).tenant

    other = new_tenant()
    assert rights_in(adopted) == rights_in(other)
    with ops.cursor() as cursor:
        cursor.execute("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", [role])
        assert cursor.fetchone() == (False,)


def rights_in(tenant):
    query = """
        SELECT c.relname, array_agg(a.privilege_type ORDER BY a.privilege_type) FROM pg_class c, aclexplode(c.relacl) a
        WHERE c.relnamespace = %s::regnamespace AND a.grantee = %s::regrole GROUP BY 1
        UNION ALL SELECT '', array_agg(a.privilege_type ORDER BY a.privilege_type) FROM pg_namespace n, aclexplode(n.nspacl) a
        WHERE n.nspname = %s AND a.grantee = %s::regrole
        UNION ALL SELECT 'later ' || d.defaclobjtype::text, array_agg(a.privilege_type ORDER BY a.privilege_type)
        FROM pg_default_acl d, aclexplode(d.defaclacl) a
        WHERE d.defaclnamespace = %s::regnamespace AND a.grantee = %s::regrole GROUP BY 1
    """
    with connections["ops"].cursor() as cursor:
        cursor.execute(query, [tenant.schema_name, tenant.role_name] * 3)
        return dict(cursor.fetchall())


SPOILED = {
    "an empty schema": "",
    "a table is missing": 'DROP TABLE "tenants_preferences" CASCADE',
    "a column is missing": "ALTER TABLE audit_entry DROP COLUMN reason",
    "a later migration": "INSERT INTO django_migrations (app, name, applied) VALUES ('people', '9999_later', now())",
    "a function": "CREATE FUNCTION spy() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "a view": "CREATE VIEW spy AS SELECT 1",
    "open to all": "GRANT SELECT ON audit_entry TO PUBLIC",
    "another tenant's": "COMMENT ON SCHEMA {} IS 'tenant somebody'",
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED.keys())
def test_what_is_not_whole_or_not_ours_is_not_adopted(planted, go, spoil):
    operation = planted("whole schema" if spoil else "schema", leftovers="adopt")
    tenant = operation.tenant
    with making.owner_cursor(tenant.ref) as cursor:
        table = Preferences._meta.db_table
        if spoil:
            statement = spoil.replace("tenants_preferences", table)
            cursor.execute(sql.SQL(statement).format(sql.Identifier(tenant.schema_name)))

    stopped = go(operation)

    assert (stopped.status, stopped.error_code) == (Operation.Status.STUCK, "cannot_adopt")
    assert tenant.schema_name in stopped.error
    assert ("schema", tenant.schema_name) in making.existing_objects(tenant.ref)


def test_what_cannot_be_adopted_can_be_cleaned(planted, go, operator):
    operation = go(planted("schema", leftovers="adopt"))

    retry_operation(operation_id=operation.pk, actor=operator, leftovers="clean")

    assert go(operation).status == Operation.Status.SUCCEEDED


def test_what_was_cleaned_because_it_cannot_be_adopted_is_undone_like_the_rest(planted, go, operator, monkeypatch):
    operation = go(planted("schema", leftovers="adopt"))
    kind = type(step_named("first_admin"))
    monkeypatch.setattr(kind, "run", lambda self, tenant, inputs: _raise(Rejected(part="mail")))

    retry_operation(operation_id=operation.pk, actor=operator, leftovers="clean")
    ended = go(operation)

    assert (ended.status, ended.tenant.status) == (Operation.Status.FAILED, Tenant.Status.FAILED)
    assert list(making.existing_objects(ended.tenant.ref)) == []


def test_what_was_adopted_is_never_undone(planted, go, operator, monkeypatch):
    operation = planted("whole schema", leftovers="adopt")
    kind = type(step_named("first_admin"))
    real = kind.run
    monkeypatch.setattr(kind, "run", lambda self, tenant, inputs: _raise(Rejected(part="mail")))

    stopped = go(operation)

    assert (stopped.status, stopped.error_code) == (Operation.Status.STUCK, "rejected")
    give_up_operation(operation_id=operation.pk, actor=operator, reason="enough")
    ended = go(operation)
    assert (ended.status, ended.tenant.status) == (Operation.Status.FAILED, Tenant.Status.FAILED)
    assert len(making.existing_objects(ended.tenant.ref)) == 2
    assert not bucket_exists(ended.tenant.bucket_name)  # was made, and is undone
    monkeypatch.setattr(kind, "run", real)


def _raise(error):
    raise error


def test_after_somebody_removed_it_by_hand_a_plain_retry_goes_on(planted, go, operator):
    operation = go(planted("schema"))
    making.drop_schema(operation.tenant.ref)

    retry_operation(operation_id=operation.pk, actor=operator)

    assert go(operation).status == Operation.Status.SUCCEEDED


@pytest.mark.parametrize("kind", KINDS)
def test_who_gives_up_leaves_what_was_found_and_frees_the_slug(planted, asked, go, operator, kind):
    operation = go(planted(kind))
    before = what_exists(operation.tenant)

    give_up_operation(operation_id=operation.pk, actor=operator, reason="wrong name")
    ended = go(operation)

    assert (ended.status, ended.tenant.status) == (Operation.Status.FAILED, Tenant.Status.FAILED)
    assert what_exists(ended.tenant)[:3] == before[:3]
    assert AuditEntry.objects.get(action="operation.given_up", target_id=ended.tenant_id).reason == "wrong name"
    assert asked(ended.tenant.slug)


def test_a_worker_that_dies_while_it_adopts_is_followed_by_one_that_adopts(planted, go, monkeypatch):
    operation = planted("whole schema", leftovers="adopt")
    monkeypatch.setattr(type(step_named("schema")), "adopt", lambda self, tenant: _raise(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        go(operation)
    monkeypatch.undo()
    Operation.objects.filter(pk=operation.pk).update(lease_until=None)

    ended = go(operation)

    assert ended.status == Operation.Status.SUCCEEDED
    with enter(ended.tenant.ref):
        assert Preferences.objects.get().name == "An earlier life"


# Answers


def test_only_a_stuck_operation_takes_an_answer_and_only_once(planted, asked, go, operator):
    with pytest.raises(OperationNotStuck):
        retry_operation(operation_id=asked().pk, actor=operator)
    operation = go(planted("schema"))
    retry_operation(operation_id=operation.pk, actor=operator, leftovers="clean")

    for answer in (retry_operation, give_up_operation):
        with pytest.raises(OperationNotStuck):
            answer(operation_id=operation.pk, actor=operator)

    assert AuditEntry.objects.filter(action="operation.retried", target_id=operation.tenant_id).count() == 1


def test_whoever_looked_at_an_older_version_of_the_operation_is_told(planted, go, operator):
    operation = go(planted("schema"))

    with pytest.raises(OperationChanged):
        retry_operation(operation_id=operation.pk, actor=operator, expected_version=operation.version - 1)

    assert get_operation(operation.pk).status == Operation.Status.STUCK
    assert retry_operation(operation_id=operation.pk, actor=operator, expected_version=operation.version)


@pytest.mark.parametrize("answer", ["burn", "adopt"])
def test_an_answer_that_nobody_asked_for_is_refused(asked, go, operator, monkeypatch, quick, answer):
    operation = asked()
    monkeypatch.setattr(type(step_named("bucket")), "run", lambda self, tenant, inputs: _raise(Rejected(part="x")))
    monkeypatch.setattr(type(step_named("bucket")), "undo", lambda self, tenant: _raise(OSError("x")))
    operation = go(operation)

    with pytest.raises(Invalid):
        retry_operation(operation_id=operation.pk, actor=operator, leftovers=answer)

    assert get_operation(operation.pk).status == Operation.Status.STUCK
    with pytest.raises(Invalid):
        asked(leftovers="burn")


def test_an_address_of_a_living_tenant_is_no_leftover(asked, go):
    living = go(asked()).tenant
    Domain.objects.create(domain=f"{living.slug}-two", tenant=living, is_primary=False)

    with pytest.raises(SlugTaken):
        asked(f"{living.slug}-two")


def test_nobody_gives_up_a_deletion(new_tenant, go, operator):
    tenant = new_tenant()
    operation = request_deletion(tenant_id=tenant.pk, typed_slug=tenant.slug, actor=operator, reason="x")
    Operation.objects.filter(pk=operation.pk).update(status=Operation.Status.STUCK, resumes_as="running")

    with pytest.raises(CannotGiveUp):
        give_up_operation(operation_id=operation.pk, actor=operator)

    Operation.objects.filter(pk=operation.pk).update(status=Operation.Status.FAILED)


def test_the_planted_schema_is_one_that_a_tenant_could_work_in(planted):
    tenant = planted("whole schema").tenant

    with inside(tenant.ref) as connection:
        assert connection.execute("SELECT count(*) FROM audit_entry").fetchone() == (0,)
