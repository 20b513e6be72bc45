"""Archives that operators send: checked to their end, shown, and made into a tenant or thrown away; console and API."""

import gzip
import io
import re
import secrets
import tarfile
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from archives import content, place
from archives.errors import ArchiveNotFound
from archives.models import Archive
from archives.services.exports import remove_old_archives
from archives.services.imports import discard_received, import_received, receive_archive
from core.actors import SYSTEM
from core.audit.models import AuditEntry
from core.tenancy import enter
from storage.adapters import store
from tenants.models import Operation, Tenant
from tenants.services.work import run_operation
from tests.archives.test_refused import pack, unpack
from tests.support import people
from tests.support.meeting import meanwhile

PATH = "/console/imports/"
API = "/api/v1/imports/"


@pytest.fixture(scope="module")
def good(world, django_db_blocker):
    """The bytes of an export of acme-corp, and of a masked one."""
    made = {}
    with django_db_blocker.unblock():
        for masked in (False, True):
            target = io.BytesIO()
            content.write_archive(target, Tenant.objects.get(slug="acme-corp"), masked=masked)
            made[masked] = target.getvalue()
    return made


@pytest.fixture
def nothing_stays():
    """What tests send is removed again."""
    before = set(Archive.objects.values_list("pk", flat=True))
    yield
    for archive in Archive.objects.exclude(pk__in=before):
        place.discard(archive)


@pytest.fixture
def operator(operator_at_console, nothing_stays):
    return operator_at_console


@pytest.fixture
def received(operator, good):
    return receive_archive(source=io.BytesIO(good[False]), actor=SYSTEM)


def send(visitor, data, **kwargs):
    """Send a file with the page's form; its token comes in a field, as it does without script."""
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', visitor.get(PATH).content.decode()).group(1)
    fields = {"csrfmiddlewaretoken": token, "archive": SimpleUploadedFile("acme.tar.gz", data)}
    return visitor._send("POST", PATH, {"HTTP_ORIGIN": f"http://{visitor.host}"}, data=fields | kwargs)


def call(visitor, method, path, data=None, kind="application/json", **headers):
    token = re.search(r'name="csrf-token" content="([^"]+)"', visitor.get(PATH).content.decode()).group(1)
    headers |= {"HTTP_X_CSRFTOKEN": token, "HTTP_ORIGIN": f"http://{visitor.host}"}
    if kind == "application/json":
        return visitor.api(method, path, body=data, **headers)
    return visitor._send(method, path, headers, data=data, content_type=kind)


def text_of(answer):
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def waiting():
    return Archive.objects.filter(purpose="import", removed_at=None, operation=None)


def is_stored(archive):
    bucket, name = place.address_of(archive)
    try:
        with store().read(bucket, name):
            return True
    except FileNotFoundError:
        return False


# --- the console


def test_an_archive_is_checked_and_shows_what_it_says_before_anything_is_made(operator, good):
    tenants = Tenant.objects.count()

    sent = send(operator, good[False])
    page = text_of(operator.get(sent["Location"]))

    archive = waiting().get()
    assert sent["Location"] == f"{PATH}{archive.pk}/"
    with enter(Tenant.objects.get(slug="acme-corp").ref):
        from accounts.people.models import Person

        members = Person.objects.count()
    acme = Tenant.objects.get(slug="acme-corp")
    for said in ("Acme Corp", str(acme.pk), f"Members {members}", f"Rows {archive.row_count}", archive.sha256):
        assert said in page
    assert "acme-corp belongs to another tenant" in page
    assert archive.size_bytes == len(good[False])
    assert Tenant.objects.count() == tenants
    entry = AuditEntry.objects.get(action="tenant.archive_received", target_id=archive.pk)
    assert (entry.facts["exported_from"], entry.actor_name) == (str(acme.pk), "Jonas Weil")


def test_a_tenant_is_made_of_it_under_the_name_that_was_chosen(operator, received):
    page = f"{PATH}{received.pk}/"

    taken = operator.post(page, {"slug": "acme-corp", "name": "Acme"})
    made = operator.post(page, {"slug": "acme-again", "name": "Acme again"})

    assert taken.status_code == 422
    assert "belongs to another tenant" in text_of(taken)
    operation = Operation.objects.get(tenant__slug="acme-again", kind="import")
    assert made["Location"] == "/console/tenants/acme-again/"
    assert Archive.objects.get(operation=operation).pk == received.pk
    assert "Check of the archive" in text_of(operator.get(made["Location"]))
    assert AuditEntry.objects.get(action="tenant.import_requested", target_id=operation.tenant_id).facts["operation"]
    assert operator.get(page).status_code == 404  # once
    assert operator.post(page, {"slug": "acme-third", "name": "x"}, page=operator.get(PATH)).status_code == 404


def test_a_masked_archive_asks_for_a_first_admin(operator, good):
    page = send(operator, good[True])["Location"]

    silent = operator.post(page, {"slug": "acme-masked", "name": "Acme"})
    made = operator.post(page, {"slug": "acme-masked", "name": "Acme", "admin_email": "me@plexica.example"})

    assert silent.status_code == 422
    assert made.status_code == 302
    assert Tenant.objects.get(slug="acme-masked").admin_email == "me@plexica.example"


def broken(good):
    whole = gzip.decompress(good)
    at = whole.index(b"people_person") + 40
    return {
        "nothing": b"",
        "no archive": b"PK\x03\x04 a zip, perhaps",
        "cut off": good[: len(good) // 2],
        "changed": gzip.compress(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]),
        "longer": good + gzip.compress(b"more"),
        "a link": gzip.compress(link() + whole),
        "another version": gzip.compress(another_version(whole)),
    }


def link():
    info = tarfile.TarInfo("manifest.json")
    info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return info.tobuf()


def another_version(whole):
    found = re.search(rb'"migrations_hash": ?"([0-9a-f]{64})"', whole).group(1)
    changed = whole.replace(found, b"0" * 64, 1)
    return relisted(changed)


def relisted(data):
    """The same entries with a list of contents that fits them."""
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        entries = [(m.name, tar.extractfile(m).read()) for m in tar.getmembers() if m.name != "contents.jsonl"]
    return gzip.decompress(pack(entries))


@pytest.mark.parametrize("what", ["nothing", "no archive", "cut off", "changed", "longer", "a link", "another version"])
def test_what_is_damaged_or_hostile_is_refused_beside_the_field_and_nothing_stays(what, operator, good):
    received = AuditEntry.objects.filter(action="tenant.archive_received")
    before = received.count()

    answer = send(operator, broken(good[False])[what])

    assert answer.status_code == 422
    page = text_of(answer)
    assert any(
        said in page for said in ("The archive is refused", "was made by Plexica", "The submitted file is empty")
    )
    assert not waiting().exists()
    assert received.count() == before
    for archive in Archive.objects.filter(purpose="import", operation=None):
        assert not is_stored(archive)


def test_what_is_too_large_is_refused_before_it_is_read_or_while_it_is(operator, good, settings):
    settings.IMPORT_MAX_BYTES = 1_000
    announced = send(operator, bytes(100_000))
    settings.IMPORT_MAX_BYTES = len(good[False]) - 1
    counted = send(operator, good[False])
    sent = call(operator, "POST", API, good[False], "application/gzip")

    assert (announced.status_code, counted.status_code) == (413, 413)
    assert (sent.status_code, sent.json()["code"]) == (413, "archive_too_large")
    assert not waiting().exists()


def test_what_unpacks_to_far_more_than_is_taken_is_refused(operator, good, settings):
    settings.IMPORT_MAX_BYTES = 100_000
    bomb = pack([*unpack(good[False]), ("files/bomb", bytes(5_000_000))])

    answer = send(operator, bomb)

    assert answer.status_code == 422
    assert "PLEXICA_IMPORT_MAX_MB" in text_of(answer)


def test_without_the_forms_token_nothing_is_taken(operator, good):
    fields = {"archive": SimpleUploadedFile("acme.tar.gz", good[False])}

    answer = operator._send("POST", PATH, {"HTTP_ORIGIN": f"http://{operator.host}"}, data=fields)

    assert answer.status_code == 403
    assert not waiting().exists()


def test_it_is_thrown_away_after_a_question(operator, received):
    question = operator.get(f"{PATH}{received.pk}/discard/")
    assert "Throw the archive away?" in text_of(question)
    assert is_stored(received)

    operator.post(f"{PATH}{received.pk}/discard/")

    assert not is_stored(received)
    assert operator.get(f"{PATH}{received.pk}/").status_code == 404
    assert AuditEntry.objects.filter(action="tenant.archive_removed", target_id=received.pk).exists()


def test_what_nobody_imports_is_listed_and_removed_after_two_days(operator, received):
    listed = operator.get(PATH).content.decode()
    left = timezone.now() + timedelta(days=2) - received.kept_until
    Archive.objects.filter(pk=received.pk).update(kept_until=timezone.now())

    remove_old_archives()

    assert f'href="{PATH}{received.pk}/"' in listed
    assert abs(left) < timedelta(minutes=1)
    assert not is_stored(received)
    assert f'href="{PATH}{received.pk}/"' not in operator.get(PATH).content.decode()


def test_what_broke_off_in_the_middle_of_being_sent_is_removed_too(operator, good):
    """A process that died: there is a row, and nothing finished."""
    archive = Archive.objects.create(purpose="import", kept_until=timezone.now() - timedelta(seconds=1))

    remove_old_archives()

    archive.refresh_from_db()
    assert archive.removed_at


def test_support_neither_sends_nor_sees_archives(support_at_console, received):
    pages = [PATH, f"{PATH}{received.pk}/", f"{PATH}{received.pk}/discard/"]

    assert [support_at_console.get(path).status_code for path in pages] == [403, 403, 403]
    assert support_at_console.api("GET", API).status_code == 403
    assert f'href="{PATH}"' not in support_at_console.get("/console/tenants/").content.decode()


# --- the API


def test_programs_send_read_and_import(operator, good):
    sent = call(operator, "POST", API, good[False], "application/gzip")
    item = sent["Location"].partition("localhost:8000")[2]
    body = sent.json()

    assert sent.status_code == 201
    assert body["manifest"]["slug"] == "acme-corp"
    assert body["size_bytes"] == len(good[False])
    assert call(operator, "GET", item).json() == body
    assert [one["id"] for one in call(operator, "GET", API).json()["results"]] == [body["id"]]
    taken = call(operator, "POST", f"{item}start/", {})
    first = call(operator, "POST", f"{item}start/", {"slug": "acme-api"}, HTTP_IDEMPOTENCY_KEY="once")
    again = call(operator, "POST", f"{item}start/", {"slug": "acme-api"}, HTTP_IDEMPOTENCY_KEY="once")
    assert taken.json()["code"] == "slug_taken"
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    assert (first.json()["kind"], first.json()["tenant"]) == ("import", "acme-api")
    assert call(operator, "GET", item).status_code == 404


def test_programs_are_refused_with_the_reason(operator, good):
    damaged = call(operator, "POST", API, good[False][:-100], "application/gzip")
    empty = call(operator, "POST", API, b"", "application/gzip", CONTENT_TYPE="application/gzip")
    other = call(operator, "POST", API, b"{}", "text/plain")

    assert (damaged.status_code, damaged.json()["code"]) == (422, "archive_refused")
    assert empty.json()["code"] == "archive_refused"
    assert other.status_code == 415
    assert not waiting().exists()


def test_programs_throw_away(operator, received):
    answer = call(operator, "DELETE", f"{API}{received.pk}/")

    assert answer.status_code == 204
    assert not is_stored(received)


# --- the whole way


def test_an_archive_from_the_page_becomes_a_tenant_that_works(good, committed, nothing_stays, signed_in):
    operator, slug = signed_in("operator"), f"im-{secrets.token_hex(5)}"
    page = send(operator, good[False])["Location"]
    operator.post(page, {"slug": slug, "name": "Acme, imported"})
    operation = Operation.objects.get(tenant__slug=slug)

    try:
        for _ in range(60):
            if not run_operation(operation.pk):
                break

        operation.refresh_from_db()
        assert operation.status == Operation.Status.SUCCEEDED, operation.error
        shown = text_of(operator.get(f"/console/tenants/{slug}/"))
        assert "Acme, imported" in shown
        assert "Active" in shown
        archive = Archive.objects.get(operation=operation)
        assert archive.removed_at
        assert not is_stored(archive)
    finally:
        people.remove(operation.tenant)


# --- at the same moment


def test_an_archive_of_which_a_tenant_is_made_is_not_thrown_away_in_that_moment(committed, nothing_stays, good):
    archive = receive_archive(source=io.BytesIO(good[False]), actor=SYSTEM)
    slug = f"at-once-{secrets.token_hex(4)}"

    with meanwhile(
        'INSERT INTO "tenants_tenant"', lambda: discard_received(archive_id=archive.pk, actor=SYSTEM)
    ) as other:
        operation = import_received(archive_id=archive.pk, slug=slug, actor=SYSTEM)

    there = is_stored(archive)
    Operation.objects.filter(pk=operation.pk).update(status=Operation.Status.CANCELLED)
    operation.tenant.domains.all().delete()
    Tenant.objects.filter(slug=slug).update(status=Tenant.Status.FAILED)
    assert isinstance(other[0], ArchiveNotFound), other
    assert there
