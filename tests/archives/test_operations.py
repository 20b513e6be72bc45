"""Exports, imports and clones as operations: asked for, refused, suspended, failed, kept and removed."""

import io
import json
import secrets
from datetime import timedelta

import pytest
from django.conf import settings
from django.core.files.storage import default_storage
from django.utils import timezone

from archives import content, place
from archives.errors import ArchiveNotFound
from archives.models import Archive
from archives.selectors import export_of, get_export, list_exports
from archives.services.exports import open_export, remove_old_archives, request_export
from archives.services.imports import request_clone
from archives.steps import ArchiveStep, FilesStep
from core.audit.models import AuditEntry
from core.errors import Invalid, Rejected, Unavailable
from core.tenancy import enter
from events.outbox.models import OutboxMessage
from storage.adapters import store
from storage.keys.services import current_key
from tenants.errors import TenantBusy, TenantChanged, TenantNotActive
from tenants.models import Operation, Tenant
from tenants.removal import what_is_left
from tenants.services.deletion import request_deletion
from tenants.services.lifecycle import suspend_tenant
from tenants.steps import tenant_steps
from tests.archives.conftest import FILES, export, files_of, go, rows_of, status_of, text_of

WHY = "They asked for it"


def is_there(archive):
    try:
        with store().read(*place.address_of(archive)):
            return True
    except FileNotFoundError:
        return False


def _raise(error):
    raise error


def test_an_export_is_recorded_kept_for_thirty_days_and_found(filled, operator):
    operation = go(request_export(tenant_id=filled.pk, actor=operator, reason=WHY))

    archive = export_of(operation)
    assert [step.status for step in operation.steps.all()] == ["done", "done"]
    assert operation.facts["archive"] == str(archive.pk)
    assert abs(archive.kept_until - timezone.now() - timedelta(days=30)) < timedelta(minutes=1)
    assert list(list_exports(filled.pk)) == [archive]
    asked_for = AuditEntry.objects.get(action="tenant.export_requested", target_id=filled.pk)
    assert (asked_for.actor_id, asked_for.reason, asked_for.facts["masked"]) == (operator.id, WHY, False)
    ended = AuditEntry.objects.get(action="tenant.exported", target_id=filled.pk)
    assert ended.facts["sha256"] == archive.sha256
    assert OutboxMessage.objects.filter(name="plexica.tenant.exported", tenant_id=filled.pk).count() == 1


def test_who_takes_a_copy_is_recorded_and_gets_every_byte(filled, operator):
    archive, data = export(filled)

    with open_export(archive_id=archive.pk, actor=operator) as (found, source):
        assert source.read() == data

    assert found.file_name.startswith(f"{filled.slug}-")
    entry = AuditEntry.objects.get(action="tenant.export_taken", target_id=filled.pk)
    assert (entry.actor_id, entry.facts["archive"]) == (operator.id, str(archive.pk))


def test_an_export_that_cannot_be_asked_for_writes_nothing(filled, operator):
    entries = AuditEntry.objects.count()
    with pytest.raises(Invalid):
        request_export(tenant_id=filled.pk, actor=operator, reason=" ")
    with pytest.raises(TenantChanged):
        request_export(tenant_id=filled.pk, actor=operator, reason=WHY, expected_version=99)
    Tenant.objects.filter(pk=filled.pk).update(status=Tenant.Status.DELETED)
    with pytest.raises(TenantNotActive):
        request_export(tenant_id=filled.pk, actor=operator, reason=WHY)
    Tenant.objects.filter(pk=filled.pk).update(status=Tenant.Status.ACTIVE)

    assert AuditEntry.objects.count() == entries
    assert not Archive.objects.filter(tenant=filled).exists()


def test_the_second_operation_hears_of_the_first(filled, operator):
    request_export(tenant_id=filled.pk, actor=operator, reason=WHY)

    with pytest.raises(TenantBusy) as refusal:
        request_export(tenant_id=filled.pk, actor=operator, reason=WHY)

    assert refusal.value.facts["operation"] == Operation.Kind.EXPORT.label
    assert Archive.objects.filter(tenant=filled).count() == 1


def test_a_tenant_that_is_suspended_while_it_is_exported_stays_so_and_is_exported(filled, operator, monkeypatch):
    real = content.write_archive

    def write(target, tenant, **more):
        suspend_tenant(tenant_id=tenant.pk, actor=operator, reason=WHY)
        return real(target, tenant, **more)

    monkeypatch.setattr(content, "write_archive", write)

    ended = go(request_export(tenant_id=filled.pk, actor=operator, reason=WHY))

    assert (ended.status, status_of(filled)) == (Operation.Status.SUCCEEDED, Tenant.Status.SUSPENDED)


def test_a_failed_export_leaves_no_archive_and_the_tenant_as_it_was(filled, operator, monkeypatch):
    real = ArchiveStep.run
    monkeypatch.setattr(ArchiveStep, "run", lambda *a: [real(*a), _raise(Rejected(part="x"))])

    ended = go(request_export(tenant_id=filled.pk, actor=operator, reason=WHY))

    archive = Archive.objects.get(operation=ended)
    assert (ended.status, status_of(filled)) == (Operation.Status.FAILED, Tenant.Status.ACTIVE)
    assert not is_there(archive)
    assert not list_exports(filled.pk)
    assert AuditEntry.objects.filter(action="tenant.export_failed", target_id=filled.pk).count() == 1


def test_what_is_cut_off_while_it_is_written_is_nowhere(filled, operator, monkeypatch):
    monkeypatch.setattr(content, "_add_files", lambda writer: _raise(KeyboardInterrupt()))
    operation = request_export(tenant_id=filled.pk, actor=operator, reason=WHY)
    with pytest.raises(KeyboardInterrupt):
        go(operation)

    archive = Archive.objects.get(operation=operation)
    assert not is_there(archive)
    monkeypatch.undo()
    Operation.objects.filter(pk=operation.pk).update(lease_until=None)
    assert go(operation).status == Operation.Status.SUCCEEDED
    assert is_there(archive)


def test_an_archive_that_reads_back_differently_is_never_offered(filled, operator, monkeypatch):
    real = content.write_archive

    def write(target, tenant, **more):
        class Dirty:
            def write(self, data):
                return target.write(bytes(data).replace(b"\x00", b"\x01", 1) if len(data) > 200 else data)

        return real(Dirty(), tenant, **more)

    monkeypatch.setattr(content, "write_archive", write)

    ended = go(request_export(tenant_id=filled.pk, actor=operator, reason=WHY))

    assert (ended.status, ended.error_code) == (Operation.Status.FAILED, "archive_refused")
    assert not is_there(Archive.objects.get(operation=ended))


def test_old_archives_are_removed_and_younger_ones_stay(filled, operator):
    old, _data = export(filled)
    young, _data = export(filled)
    Archive.objects.filter(pk=old.pk).update(kept_until=timezone.now() - timedelta(seconds=1))
    with pytest.raises(ArchiveNotFound):
        get_export(old.pk)

    assert remove_old_archives() >= 1

    assert (is_there(old), is_there(young)) == (False, True)
    assert list(list_exports(filled.pk)) == [young]
    assert AuditEntry.objects.filter(action="tenant.archive_removed", target_id=filled.pk).count() == 1
    remove_old_archives()
    assert AuditEntry.objects.filter(action="tenant.archive_removed", target_id=filled.pk).count() == 1


def test_an_archive_in_use_is_not_removed(filled, operator):
    operation = request_export(tenant_id=filled.pk, actor=operator, reason=WHY)
    Archive.objects.filter(operation=operation).update(kept_until=timezone.now() - timedelta(days=1))

    remove_old_archives()

    assert not Archive.objects.get(operation=operation).removed_at


# Deletion


def test_a_deletion_with_an_export_brings_the_tenant_back_from_it(filled, operator, restore):
    before = {table: rows_of(filled, table) for table in ("people_person", "identity_account", "audit_entry")}
    deletion = request_deletion(
        tenant_id=filled.pk, typed_slug=filled.slug, actor=operator, reason=WHY, export=True, now=True
    )
    Operation.objects.filter(pk=deletion.pk).update(due_at=timezone.now())

    ended = go(deletion)

    assert (ended.status, ended.error) == (Operation.Status.SUCCEEDED, "")
    assert ended.facts["archive"]
    left = what_is_left(filled)
    assert not any(left[kind] for step in tenant_steps() for kind in step.makes)
    archive = list_exports(filled.pk).get()
    with open_export(archive_id=archive.pk, actor=operator) as (_archive, source):
        back = restore(source.read(), slug="").tenant
    assert (back.slug, status_of(back)) == (filled.slug, Tenant.Status.ACTIVE)
    assert {table: rows_of(back, table) for table in before} == before
    assert files_of(back) == FILES


def test_a_deletion_removes_nothing_before_its_export_is_whole(filled, operator, monkeypatch):
    monkeypatch.setattr(content, "read_archive", lambda source, **more: _raise(Rejected(part="x")))
    deletion = request_deletion(
        tenant_id=filled.pk, typed_slug=filled.slug, actor=operator, reason=WHY, export=True, now=True
    )
    Operation.objects.filter(pk=deletion.pk).update(due_at=timezone.now())

    stuck = go(deletion)

    assert stuck.status == Operation.Status.STUCK
    assert rows_of(filled, "people_person")
    monkeypatch.undo()
    assert files_of(filled) == FILES


# Clones


def test_a_clone_has_everything_and_the_tenant_stays(filled, clone, operator):
    ended = go(clone(filled, name="A copy"))

    assert (ended.status, ended.error) == (Operation.Status.SUCCEEDED, "")
    copy = ended.tenant
    assert rows_of(copy, "people_person") == rows_of(filled, "people_person")
    assert rows_of(copy, "audit_entry") == rows_of(filled, "audit_entry")
    assert files_of(copy) == FILES
    assert (copy.name, status_of(filled)) == ("A copy", Tenant.Status.ACTIVE)
    assert not is_there(Archive.objects.get(operation=ended))
    entry = AuditEntry.objects.get(action="tenant.clone_requested", target_id=filled.pk)
    assert (entry.reason, entry.facts["clone"]) == ("a test", copy.slug)


PERSONAL = [
    "benedetta",
    "quarantotto",
    "wilhelmina",
    "ngström",
    "söderström",
    "zoë",
    "people.example",
    "hyperlink",
    "🦆",
]


def test_a_masked_clone_holds_no_text_about_people(filled, clone):
    said = text_of(filled).casefold()
    assert all(word in said for word in PERSONAL)

    ended = go(clone(filled, masked=True, admin_email="tester@plexica.example"))

    assert (ended.status, ended.error) == (Operation.Status.SUCCEEDED, "")
    copy = ended.tenant
    text = text_of(copy).casefold() + str(vars(Tenant.objects.get(pk=copy.pk))).casefold()
    assert [word for word in [*PERSONAL, filled.admin_email, filled.slug] if word.casefold() in text] == []
    assert files_of(copy) == {}
    for table in ("people_role", "audit_entry"):
        assert len(rows_of(copy, table)) == len(rows_of(filled, table)) + (table == "audit_entry"), table
    assert len(rows_of(copy, "people_person")) == len(rows_of(filled, "people_person")) + 1
    assert "tester@plexica.example" in text
    assert "pbkdf2_sha256$" not in text_of(copy).replace("tester", "")


def test_equal_texts_are_masked_alike_within_a_copy_and_differently_in_another(filled):
    names = []
    for _ in range(2):
        archive, data = export(filled, masked=True)
        found = {}
        content.read_archive(io.BytesIO(data), with_rows=found.setdefault)
        people = {json.loads(line)["email"] for line in found["people_person"].splitlines()}
        accounts = {json.loads(line)["email"] for line in found["identity_account"].splitlines()}
        assert people == accounts
        names.append(people)
        assert archive.is_masked

    assert not names[0] & names[1]


def test_only_a_masked_copy_gets_a_first_administrator_and_needs_one(filled, operator):
    wanted = {"tenant_id": filled.pk, "actor": operator, "reason": WHY, "slug": f"cl-{secrets.token_hex(5)}"}
    tenants = Tenant.objects.count()

    for wrong in ({"masked": True}, {"admin_email": "a@b.example"}, {"masked": True, "admin_email": "nobody"}):
        with pytest.raises(Invalid) as refusal:
            request_clone(**wanted, **wrong)
        assert "admin_email" in refusal.value.facts["errors"]

    assert Tenant.objects.count() == tenants


def test_a_clone_whose_files_fail_is_undone_and_the_tenant_stays(filled, clone, monkeypatch):
    real = FilesStep.run
    monkeypatch.setattr(FilesStep, "run", lambda *a: [real(*a), _raise(Rejected(part="x"))])

    ended = go(clone(filled))

    assert (ended.status, status_of(ended.tenant)) == (Operation.Status.FAILED, Tenant.Status.FAILED)
    left = what_is_left(ended.tenant)
    assert not any(left[kind] for step in tenant_steps() for kind in step.makes)
    assert not is_there(Archive.objects.get(operation=ended))
    assert files_of(filled) == FILES


def test_a_clone_whose_source_is_deleted_meanwhile_is_undone(filled, clone, monkeypatch):
    real = content.write_archive

    def write(target, source, **more):
        written = real(target, source, **more)
        Tenant.objects.filter(pk=filled.pk).update(status=Tenant.Status.DELETING)
        return written

    monkeypatch.setattr(content, "write_archive", write)

    ended = go(clone(filled))

    Tenant.objects.filter(pk=filled.pk).update(status=Tenant.Status.ACTIVE)
    assert (ended.status, ended.error_code) == (Operation.Status.FAILED, "tenant_not_active")
    assert status_of(ended.tenant) == Tenant.Status.FAILED
    assert not is_there(Archive.objects.get(operation=ended))


def test_files_are_loaded_again_from_the_beginning_after_a_break(filled, clone, quick, monkeypatch):
    real, breaks = content.save_file, [Unavailable(part="object storage")]

    def save(name, entry):
        real(name, entry)
        if breaks and name == "photo.bin":
            raise breaks.pop()

    monkeypatch.setattr(content, "save_file", save)

    ended = go(clone(filled))

    assert ended.status == Operation.Status.SUCCEEDED
    assert ended.steps.get(key="files").attempt == 2
    assert files_of(ended.tenant) == FILES


def test_the_key_of_a_tenant_opens_no_archive(filled):
    archive, _data = export(filled)
    bucket, name = place.address_of(archive)
    assert bucket != filled.bucket_name

    with enter(filled.ref):
        assert not default_storage.exists(name)
        foreign = store().files(bucket, current_key())
        with pytest.raises((Rejected, FileNotFoundError)):
            foreign.open(name)


def test_thirty_days_are_the_default():
    assert timedelta(days=30) == settings.EXPORT_KEPT
