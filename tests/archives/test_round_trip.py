"""What an archive carries comes back exactly, and of one moment."""

import csv
import gzip
import io
import json
import tarfile

import pytest
from django.core.files.storage import default_storage
from django.db import transaction

from accounts.identity import provider
from accounts.identity.realms import current_realm
from accounts.people.services import add_person, remove_person
from archives import content, rows
from archives.rows import carried_rules
from core import audit
from core.actors import SYSTEM
from core.audit.models import AuditEntry
from core.tenancy import enter
from tenants.models import Operation, SchemaTemplate, Tenant
from tenants.preferences.models import Preferences
from tenants.schemas import making, template
from tests.archives.conftest import FILES, PASSWORD, export, files_of, rows_of, status_of
from tests.support import people
from tests.support.raw import inside, superuser


def entries_of(data):
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as tar:
        return {member.name: tar.extractfile(member).read() for member in tar.getmembers()}


def compare(left, right):
    for table, rule in carried_rules().items():
        assert rows_of(left, table, rule.anew) == rows_of(right, table, rule.anew), table
        assert rows_of(left, table), table
    assert files_of(left) == files_of(right) == FILES


def test_rows_and_files_compare_equal_after_export_and_import(filled, restore):
    archive, data = export(filled)

    ended = restore(data)

    assert (ended.status, ended.error) == (Operation.Status.SUCCEEDED, "")
    copy = ended.tenant
    assert copy.pk != filled.pk
    assert status_of(copy) == Tenant.Status.ACTIVE
    compare(filled, copy)
    assert (copy.name, copy.admin_name, copy.admin_email) == (filled.name, filled.admin_name, filled.admin_email)
    assert archive.size_bytes == len(data)
    assert archive.file_count == len(FILES)
    left_out = rows.left_out()
    assert not set(left_out) & set(carried_rules())
    assert not any(name.startswith(tuple(f"rows/{table}/" for table in left_out)) for name in entries_of(data))


def test_an_import_under_the_same_slug_brings_a_deleted_tenant_back(filled, restore):
    _archive, data = export(filled)
    before = {table: rows_of(filled, table, rule.anew) for table, rule in carried_rules().items()}
    people.remove(filled)

    back = restore(data, slug="").tenant

    assert (back.slug, status_of(back)) == (filled.slug, Tenant.Status.ACTIVE)
    assert {table: rows_of(back, table, rule.anew) for table, rule in carried_rules().items()} == before
    assert files_of(back) == FILES


def test_people_sign_in_afterwards_with_the_password_they_had(filled, restore, visitor):
    copy = restore(export(filled)[1]).tenant

    page = visitor(copy.ref).sign_in("benedetta@people.example", PASSWORD).get("/")

    assert page.status_code == 200
    assert "Benedetta Quarantotto" in page.text


def test_people_who_were_removed_stay_removed_and_get_no_account(filled, restore):
    with enter(filled.ref):
        for number in range(2):
            email = f"gone{number}@people.example"
            account = provider().make_account(filled.ref, email=email, name="Gone")
            person = add_person(realm=current_realm(), subject=account.subject, email=email, name="Gone", role="user")
            provider().delete_account(filled.ref, account.subject)
            remove_person(person_id=person.pk, actor=SYSTEM)

    ended = restore(export(filled)[1])

    assert (ended.status, ended.error) == (Operation.Status.SUCCEEDED, "")
    compare(filled, ended.tenant)
    with enter(ended.tenant.ref):
        assert {account.email for account in provider().list_accounts(ended.tenant.ref)} == {
            filled.admin_email,
            "benedetta@people.example",
        }


def test_keys_and_secrets_are_made_anew(filled, restore):
    copy = restore(export(filled)[1]).tenant

    for table, column in {
        "identity_signingkey": "private_pem",
        "identity_application": "client_secret",
        "identity_realm": "client_secret",
        "storage_keys_bucketkey": "key_id",
    }.items():
        with superuser() as db:
            values = [
                {row[0] for row in db.execute(f"SELECT {column} FROM {tenant.schema_name}.{table}")} - {""}
                for tenant in (filled, copy)
            ]
        assert values[0], table
        assert values[1], table
        assert not values[0] & values[1], table


def test_what_is_written_afterwards_follows_what_was_loaded(filled, restore):
    copy = restore(export(filled)[1]).tenant
    with enter(copy.ref), transaction.atomic():
        highest = AuditEntry.objects.order_by("-id").values_list("id", flat=True)[0]

        audit.record(actor=SYSTEM, action="member.added")

        assert AuditEntry.objects.get(id=highest + 1).action == "member.added"
    assert rights(copy) == rights(filled)


def rights(tenant):
    query = """
        SELECT c.relname, array_agg(a.privilege_type ORDER BY a.privilege_type) FROM pg_class c, aclexplode(c.relacl) a
        WHERE c.relnamespace = %s::regnamespace AND a.grantee = %s::regrole GROUP BY 1
    """
    with superuser() as db:
        return dict(db.execute(query, [tenant.schema_name, tenant.role_name]).fetchall())


def test_all_rows_are_of_one_moment(filled, monkeypatch):
    """Somebody is added while the first table is being read: no table that follows knows them."""
    real, table = rows.read_rows, next(iter(carried_rules()))

    def read(cursor, of, *, salt=""):
        yield from real(cursor, of, salt=salt)
        if of.name == table:
            with inside(filled.ref) as other:
                other.execute("UPDATE people_person SET name = 'Written meanwhile'")
                other.execute(
                    "INSERT INTO audit_entry (occurred_at, actor_kind, actor_name, action, target_label, target_name,"
                    " reason, facts, request_id) VALUES (now(), '', 'Written meanwhile', '', '', '', '', '{}', '')"
                )

    monkeypatch.setattr(rows, "read_rows", read)

    _archive, data = export(filled)

    assert len(rows_of(filled, "people_person")) == 2
    assert "Written meanwhile" in str(rows_of(filled, "people_person"))
    assert b"Written meanwhile" not in gzip.decompress(data)


def test_the_archive_is_an_ordinary_one_that_people_can_read(filled):
    archive, data = export(filled)

    entries = entries_of(data)

    manifest = json.loads(entries["manifest.json"])
    assert manifest["tenant"]["slug"] == filled.slug
    assert manifest["tenant"]["time_zone"] == "Europe/Rome"
    assert manifest["migrations_hash"] == template.migrations_hash()
    assert sum(table["rows"] for table in manifest["tables"].values()) == archive.row_count
    members = list(csv.DictReader(io.StringIO(entries["members.csv"].decode())))
    assert [(row["name"], row["roles"]) for row in members] == [
        ("Benedetta Quarantotto", "user"),
        ("Wilhelmina Ångström", "admin"),
    ]
    log = list(csv.DictReader(io.StringIO(entries["audit.csv"].decode())))
    assert len(log) == len(rows_of(filled, "audit_entry"))
    assert "'=HYPERLINK(1)" in [row["reason"] for row in log]
    listed = [json.loads(line)["name"] for line in entries["contents.jsonl"].decode().splitlines()]
    assert [*listed, "contents.jsonl"] == list(entries)


def test_a_new_name_is_also_the_one_on_pages(filled, restore):
    copy = restore(export(filled)[1], name="Under another name").tenant

    with enter(copy.ref):
        assert (copy.name, Preferences.objects.get().name) == ("Under another name", "Under another name")


def test_files_that_go_while_they_are_read_are_left_out(filled, monkeypatch):
    gone = "photo.bin"
    monkeypatch.setattr(content, "list_files", lambda: iter([*FILES, "never there"]))
    with enter(filled.ref):
        default_storage.delete(gone)

    archive, data = export(filled)

    assert archive.file_count == len(FILES) - 1
    assert f"files/{gone}" not in entries_of(data)


# Other versions


@pytest.fixture
def older(committed):
    """A template of one migration less, as an installation that was updated has it."""
    missing = ("storage_keys", "0001_initial")
    with making.owner_cursor(template.TEMPLATE) as cursor:
        cursor.execute("SELECT app, name FROM django_migrations")
        applied = {(app, name) for app, name in cursor.fetchall()}
    now = template.current_template()
    lines = [line for line in now.ddl.split(";\n") if "storage_keys" not in line]
    made = SchemaTemplate.objects.using("ops").create(
        migrations_hash=template.hash_of(list(applied - {missing})),
        ddl=";\n".join(lines),
        rows=now.rows + "DELETE FROM django_migrations WHERE app = 'storage_keys';",
        table_count=now.table_count - 1,
    )
    yield made
    made.delete()


def without_last_migration(tenant):
    with making.owner_cursor(tenant.ref) as cursor:
        cursor.execute("DROP TABLE storage_keys_bucketkey")
        cursor.execute("DELETE FROM django_migrations WHERE app = 'storage_keys'")


def export_at_older_state(tenant, monkeypatch):
    monkeypatch.setattr(content, "_add_files", lambda writer: 0)  # at that state there was no key to files
    without_last_migration(tenant)
    data = export(tenant)[1]
    monkeypatch.undo()
    return data


def test_an_archive_of_an_older_version_is_brought_up_to_date(filled, restore, older, monkeypatch):
    data = export_at_older_state(filled, monkeypatch)
    assert json.loads(entries_of(data)["manifest.json"])["migrations_hash"] == older.migrations_hash

    ended = restore(data)

    assert (ended.status, ended.error) == (Operation.Status.SUCCEEDED, "")
    assert ended.steps.get(key="migrations").detail.startswith("1 ")
    with making.owner_cursor(ended.tenant.ref) as cursor:
        cursor.execute("SELECT app, name FROM django_migrations")
        assert template.hash_of(cursor.fetchall()) == template.migrations_hash()
    for table, rule in carried_rules().items():
        assert rows_of(filled, table, rule.anew) == rows_of(ended.tenant, table, rule.anew), table


def test_an_archive_of_a_version_that_was_never_here_names_both(filled, restore, monkeypatch):
    from archives.errors import ArchiveVersionUnknown

    count = Tenant.objects.count()
    without_last_migration(filled)
    monkeypatch.setattr(content, "_add_files", lambda writer: 0)
    monkeypatch.setattr(content, "refuse_unknown_version", lambda manifest: None)
    data = export(filled)[1]
    monkeypatch.undo()

    with pytest.raises(ArchiveVersionUnknown) as refusal:
        restore(data)

    assert json.loads(entries_of(data)["manifest.json"])["migrations_hash"][:12] in str(refusal.value)
    assert template.migrations_hash()[:12] in str(refusal.value)
    assert Tenant.objects.count() == count


def test_webhooks_of_a_copy_call_nobody(filled, restore):
    """Under the same ids as the original's, which wait in the platform's line."""
    from core.tenancy import enter
    from events.webhooks.models import Delivery, Webhook
    from events.webhooks.queue.models import QueuedWebhook

    copy = restore(export(filled)[1]).tenant

    with enter(filled.ref):
        original = Webhook.objects.get()
    with enter(copy.ref):
        webhook = Webhook.objects.get()
        assert not Delivery.objects.exists()
    assert (webhook.pk, webhook.url, webhook.events) == (original.pk, original.url, original.events)
    assert (webhook.status, webhook.disabled_because) == ("disabled", "copied")
    assert webhook.secrets == [""]
    assert [row.tenant_id for row in QueuedWebhook.objects.filter(webhook_id=webhook.pk)] == [filled.pk]
