"""manage.py export_tenant, import_tenant, clone_tenant."""

import hashlib
import io
import json
import secrets
import sys

import pytest
from django.core.management import CommandError, call_command

from archives.models import Archive
from archives.selectors import list_exports
from archives.steps import ArchiveStep
from core.errors import Rejected
from tenants.models import Operation, Tenant
from tests.archives.conftest import FILES, files_of, rows_of
from tests.support import people

WHY = ("--reason", "a test", "--here")


def run(*words):
    out = io.StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


@pytest.fixture
def slug(committed):
    slug = f"cmd-{secrets.token_hex(4)}"
    yield slug
    for tenant in Tenant.objects.filter(slug=slug):
        people.remove(tenant)


def test_a_tenant_goes_out_to_a_file_and_comes_back(filled, slug, tmp_path):
    file = tmp_path / "acme.tar.gz"

    said = json.loads(run("export_tenant", filled.slug, *WHY, "--output", str(file), "--json"))

    assert said["status"] == "succeeded"
    assert said["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (said["bytes"], said["files"]) == (file.stat().st_size, len(FILES))
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [file.name]

    said = run("import_tenant", str(file), "--slug", slug, "--here")

    assert f"{slug} is imported and ready at http://{slug}.localhost:8000" in said
    copy = Tenant.objects.get(slug=slug)
    assert rows_of(copy, "people_person") == rows_of(filled, "people_person")
    assert files_of(copy) == FILES


def test_an_archive_goes_through_a_pipe(filled, slug, monkeypatch):
    pipe = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "stdout", pipe)
    run("export_tenant", filled.slug, *WHY, "--output", "-")
    data = pipe.buffer.getvalue()
    monkeypatch.undo()
    assert hashlib.sha256(data).hexdigest() == list_exports(filled.pk).get().sha256

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    said = json.loads(run("import_tenant", "-", "--slug", slug, "--here", "--json"))

    assert (said["slug"], said["status"]) == (slug, "succeeded")
    assert said["tenant"] == str(Tenant.objects.get(slug=slug).pk)


def test_a_masked_copy_is_made_for_somebody_else(filled, slug):
    said = run("clone_tenant", filled.slug, slug, *WHY, "--mask", "--admin-email", "me@plexica.example")

    assert f"{slug} is copied and ready" in said
    assert "Benedetta" not in str(rows_of(Tenant.objects.get(slug=slug), "people_person"))


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["export_tenant", "nobody-here", *WHY], "no such tenant|nothing at this address|moved or removed"),
        (["export_tenant", "acme-corp", "--here"], "reason: "),
        (["export_tenant", "acme-corp", *WHY, "--output", "-", "--json"], "not both"),
        (["export_tenant", "acme-corp", *WHY, "--output", __file__], "exists already"),
        (["import_tenant", "/never/there.tar.gz", "--here"], "cannot be read"),
        (["import_tenant", __file__, "--here"], "no archive"),
        (["clone_tenant", "acme-corp", "globex-inc", *WHY], "globex-inc"),
        (["clone_tenant", "acme-corp", "x-y-z", *WHY, "--mask"], "admin_email: "),
    ],
)
def test_a_refusal_is_one_sentence_and_writes_nothing(committed, world, words, reason):
    before = Tenant.objects.count(), Operation.objects.count()

    with pytest.raises(CommandError, match=reason) as refusal:
        run(*words)

    assert "\n" not in str(refusal.value)
    assert (Tenant.objects.count(), Operation.objects.count()) == before


def test_what_fails_says_why_and_exits_with_one(filled, tmp_path, monkeypatch):
    def fail(self, tenant, inputs):
        raise Rejected(part="object storage")

    monkeypatch.setattr(ArchiveStep, "run", fail)

    with pytest.raises(CommandError, match="was not exported") as refusal:
        run("export_tenant", filled.slug, *WHY, "--output", str(tmp_path / "x"))

    assert refusal.value.returncode == 1
    assert list(tmp_path.iterdir()) == []


def test_a_copy_that_differs_is_not_left_lying_about(filled, tmp_path, monkeypatch):
    run("export_tenant", filled.slug, *WHY)
    real = ArchiveStep.run

    def forge(self, tenant, inputs):
        outcome = real(self, tenant, inputs)
        Archive.objects.filter(operation__tenant=tenant).update(sha256="0" * 64)
        return outcome

    monkeypatch.setattr(ArchiveStep, "run", forge)

    with pytest.raises(CommandError, match="differs"):
        run("export_tenant", filled.slug, *WHY, "--output", str(tmp_path / "x"))

    assert list(tmp_path.iterdir()) == []
