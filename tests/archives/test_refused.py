"""Archives that are damaged, or made to do harm: refused, with nothing left."""

import gzip
import hashlib
import io
import json
import tarfile

import pytest

from archives import content, place
from archives.errors import ArchiveRefused
from archives.models import Archive
from archives.services.imports import import_archive
from core.actors import SYSTEM
from core.errors import Invalid
from storage.adapters import store
from tenants.errors import SlugTaken
from tenants.models import Operation, Tenant
from tenants.removal import what_is_left
from tenants.steps import tenant_steps
from tests.archives.conftest import fill

FIRST_ROWS = "rows/preferences_preferences/000001.jsonl"


@pytest.fixture(scope="module")
def good(django_db_setup, django_db_blocker):
    """The bytes of a sound archive."""
    from tests.support import people

    with django_db_blocker.unblock():
        tenant = people.provision()
        fill(tenant)
        target = io.BytesIO()
        content.write_archive(target, tenant)
        people.remove(tenant)
    return target.getvalue()


def pack(entries, *, listing=True, end=b"\0" * 1024):
    """An archive of entries, each bytes or (TarInfo, bytes), with a list of contents that fits."""
    target, lines = io.BytesIO(), []
    for name, given in entries:
        info, data = given if isinstance(given, tuple) else (tarfile.TarInfo(name), given)
        info.size = len(data)
        target.write(info.tobuf(tarfile.PAX_FORMAT) + data + bytes(-len(data) % 512))
        line = {"name": info.name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        lines.append(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
    if listing:
        info, data = tarfile.TarInfo("contents.jsonl"), "".join(lines).encode()
        info.size = len(data)
        target.write(info.tobuf(tarfile.PAX_FORMAT) + data + bytes(-len(data) % 512))
    return gzip.compress(target.getvalue() + end, 1)


def unpack(data):
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as tar:
        return [(m.name, tar.extractfile(m).read()) for m in tar.getmembers() if m.name != "contents.jsonl"]


def refuse(data, **wanted):
    """Import what must be refused at once, and see that there is nothing of it."""
    tenants = Tenant.objects.count()
    with pytest.raises((ArchiveRefused, Invalid)) as refusal:
        import_archive(source=io.BytesIO(data), slug="never-there", actor=SYSTEM, **wanted)
    assert Tenant.objects.count() == tenants
    archive = Archive.objects.latest("created_at")
    assert archive.removed_at
    with pytest.raises(FileNotFoundError), store().read(*place.address_of(archive)):
        pass
    return str(refusal.value)


def test_the_packer_of_these_tests_makes_sound_archives(committed, good):
    summary = content.read_archive(io.BytesIO(pack(unpack(good))))

    assert summary == content.read_archive(io.BytesIO(good))
    assert summary.file_count == 4


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9, 0.999])
def test_what_breaks_off_is_refused(committed, good, share):
    refuse(good[: int(len(good) * share)])


@pytest.mark.parametrize("share", [0.001, 0.3, 0.6, 0.99])
def test_a_changed_byte_is_refused(committed, good, share):
    damaged = bytearray(good)
    damaged[int(len(good) * share)] ^= 0x40

    refuse(bytes(damaged))


def test_a_changed_entry_is_refused_even_when_it_is_zipped_anew(committed, good):
    plain = gzip.decompress(good)
    assert plain.count(b"Benedetta Quarantotto") > 1

    assert "checksum" in refuse(gzip.compress(plain.replace(b"Benedetta Quarantotto", b"Benedetta Quarantunos", 1)))


def test_something_that_is_no_archive_is_refused(committed):
    refuse(b"not at all\n" * 100)
    refuse(b"")
    refuse(gzip.compress(b"\0" * 2048))


def _special(kind, name="files/x", link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return name, (info, b"")


SPOILED = {
    "symbolic link": lambda e: [*e, _special(tarfile.SYMTYPE, link="/etc/passwd")],
    "hard link": lambda e: [*e, _special(tarfile.LNKTYPE, link=FIRST_ROWS)],
    "device": lambda e: [*e, _special(tarfile.CHRTYPE)],
    "folder": lambda e: [*e, _special(tarfile.DIRTYPE, "files/x/")],
    "sparse file": lambda e: [*e, _special(tarfile.GNUTYPE_SPARSE)],
    "long name of GNU": lambda e: [*e, _special(tarfile.GNUTYPE_LONGNAME)],
    "options for all": lambda e: [*e, _special(tarfile.XGLTYPE)],
    "absolute name": lambda e: [*e, ("/etc/passwd", b"x")],
    "name that leads out": lambda e: [*e, ("files/../../x", b"x")],
    "name with a backslash": lambda e: [*e, ("files/..\\x", b"x")],
    "invisible name": lambda e: [*e, ("files/a\u202eb", b"x")],
    "empty name": lambda e: [*e, ("files/", b"x")],
    "unknown entry": lambda e: [*e, ("surprise.txt", b"x")],
    "table of its own": lambda e: [*e, ("rows/pg_authid/000001.jsonl", b"{}\n")],
    "table that is left out": lambda e: [*e, ("rows/django_session/000001.jsonl", b"{}\n")],
    "table name that leads out": lambda e: [*e, ("rows/../x/000001.jsonl", b"{}\n")],
    "part that is missing": lambda e: [(n.replace(FIRST_ROWS, FIRST_ROWS.replace("01", "02")), d) for n, d in e],
    "rows that are missing": lambda e: [(n, d) for n, d in e if n != FIRST_ROWS],
    "more rows": lambda e: [(n, d * 2 if n == FIRST_ROWS else d) for n, d in e],
    "half a row": lambda e: [(n, d[:-1] if n == FIRST_ROWS else d) for n, d in e],
    "no manifest": lambda e: e[1:],
    "manifest in another place": lambda e: [e[1], e[0], *e[2:]],
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED.keys())
def test_what_no_export_writes_is_refused(committed, good, spoil):
    refuse(pack(spoil(unpack(good))))


def test_something_behind_the_end_is_refused(committed, good):
    entries = unpack(good)

    refuse(pack(entries, end=b"\0" * 1024 + b"more"))
    refuse(pack(entries, listing=False))
    refuse(good + gzip.compress(b"more"))


def _with_manifest(good, change):
    entries = unpack(good)
    manifest = json.loads(entries[0][1])
    change(manifest)
    return pack([("manifest.json", json.dumps(manifest).encode()), *entries[1:]])


MANIFESTS = {
    "another form": lambda m: m.update(form=2),
    "a word of its own": lambda m: m.update(run="rm"),
    "no tenant": lambda m: m.pop("tenant"),
    "fewer rows than none": lambda m: m["tables"]["people_person"].update(rows=-1),
    "a name too long": lambda m: m["tenant"].update(name="x" * 121),
    "another hash": lambda m: m.update(migrations_hash="../../etc/passwd"),
    "a wrong address": lambda m: m["tenant"].update(admin_email="nobody"),
    "a name that cannot be seen": lambda m: m["tenant"].update(name="a\u0000b"),
}


@pytest.mark.parametrize("change", MANIFESTS.values(), ids=MANIFESTS.keys())
def test_a_manifest_with_anything_else_in_it_is_refused(committed, good, change):
    refuse(_with_manifest(good, change))


def test_what_unpacks_to_too_much_is_refused_before_the_disk_is_full(committed, good, settings):
    settings.ARCHIVE_MAX_BYTES = 5_000_000

    assert "PLEXICA_ARCHIVE_MAX_GB" in refuse(pack([*unpack(good), ("files/bomb", bytes(8_000_000))]))


def test_long_options_are_not_read_into_memory(committed, good):
    info = tarfile.TarInfo("files/x")
    info.type = tarfile.XHDTYPE

    refuse(pack([*unpack(good), ("files/x", (info, b"9000 path=" + b"x" * 8989 + b"\n"))]))


# What can only be seen when it is loaded


def _with_rows(good, table, change):
    return pack(
        [(n, change(d) if n.startswith(f"rows/{table}/") else d) for n, d in unpack(good)],
    )


LOADED = {
    "a value of another type": (
        "identity_account",
        lambda d: d.replace(b'"is_active":true', b'"is_active":"maybe"', 1),
    ),
    "no JSON": ("identity_account", lambda d: b"surprise" + d),
    "two rows in a line": ("identity_account", lambda d: d.replace(b"\n", b",{}\n", 1)),
    "SQL": ("identity_account", lambda d: d.replace(b"\n", b"]'); DROP SCHEMA public CASCADE --\n", 1)),
    "a zero byte": ("audit_entry", lambda d: d.replace(b"=HYPERLINK", rb"\u0000", 1)),
    "the same row twice": ("identity_account", lambda d: d.splitlines(True)[0] * d.count(b"\n")),
    "somebody of no realm": (
        "people_person",
        lambda d: d.replace(b'"realm_id":"', b'"realm_id":"0', 1).replace(b"-", b"", 1),
    ),
    "no UTF-8": ("identity_account", lambda d: d.replace(b"Benedetta", b"Benedett\xff", 1)),
}


@pytest.mark.parametrize(("table", "change"), LOADED.values(), ids=LOADED.keys())
def test_rows_that_cannot_be_loaded_are_undone(good, restore, table, change):
    spoiled = _with_rows(good, table, change)
    assert spoiled != good

    ended = restore(spoiled)

    assert (ended.status, ended.error_code) == (Operation.Status.FAILED, "archive_refused")
    left = what_is_left(ended.tenant)
    assert not any(left[kind] for step in tenant_steps() for kind in step.makes)
    assert Archive.objects.get(operation=ended).removed_at


def test_columns_of_another_version_are_refused(good, restore):
    def rename(manifest):
        columns = manifest["tables"]["people_person"]["columns"]
        columns["nickname"] = columns.pop("name")

    ended = restore(_with_manifest(good, rename))

    assert (ended.status, ended.error_code) == (Operation.Status.FAILED, "archive_refused")
    assert "people_person" in ended.error


def test_a_file_that_is_in_it_twice_is_refused(good, restore):
    ended = restore(pack([*unpack(good), ("files/photo.bin", b"another")]))

    assert (ended.status, ended.error_code) == (Operation.Status.FAILED, "archive_refused")
    assert "photo.bin" in ended.error


def test_a_taken_slug_is_refused_and_the_archive_removed(committed, world, good):
    with pytest.raises(SlugTaken):
        import_archive(source=io.BytesIO(good), slug="acme-corp", actor=SYSTEM)

    assert Archive.objects.latest("created_at").removed_at
