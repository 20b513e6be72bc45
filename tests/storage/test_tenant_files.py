"""Django's default storage is the current tenant's, by construction."""

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage, storages
from django.core.signing import BadSignature
from django.db import connections

from core.tenancy import TenantContextRequired, enter
from storage.adapters import store
from storage.tenant_files import OpenBuckets, TenantFiles, read_link
from storage.urls import urlpatterns
from tests.storage.test_names import ESCAPES
from tests.support.browser import Visitor
from tests.support.threads import run_together


@pytest.fixture
def stocked(adapter, committed, acme, globex):
    """Both tenants have a file of the same name, on each adapter in turn; they are taken away again."""
    for ref in (acme, globex):
        adapter.ensure_bucket(ref.bucket)
        with enter(ref):
            default_storage.delete("same.txt")
            assert default_storage.save("same.txt", ContentFile(ref.slug.encode())) == "same.txt"
    yield
    for ref in (acme, globex):
        with enter(ref):
            default_storage.delete("same.txt")


CALLS = {
    "open": default_storage.open,
    "save": lambda name: default_storage.save(name, ContentFile(b"x")),
    "delete": default_storage.delete,
    "exists": default_storage.exists,
    "size": default_storage.size,
    "url": default_storage.url,
    "listdir": lambda name: default_storage.listdir(f"{name}/x" if name in ("", ".", "a/") else name),
    "get_modified_time": default_storage.get_modified_time,
    "content_type": default_storage.content_type,  # type: ignore[attr-defined]
}


@pytest.mark.parametrize("call", [name for name in CALLS if name != "content_type"])
def test_outside_of_a_tenant_there_are_no_files(adapter, call):
    with pytest.raises(TenantContextRequired):
        CALLS[call]("a.txt")


@pytest.mark.parametrize("call", CALLS)
def test_names_that_escape_are_refused_by_every_call(db, acme, call):
    taken = []
    with enter(acme):
        for name in ESCAPES:
            try:
                CALLS[call](name)
            except SuspiciousFileOperation:
                continue
            taken.append(name)

    assert taken == []


def test_each_tenant_reads_its_own_file_of_the_same_name(stocked, acme, globex):
    for ref in (acme, globex):
        with enter(ref):
            assert default_storage.open("same.txt").read() == ref.slug.encode()
            assert default_storage.size("same.txt") == len(ref.slug)


def test_what_one_tenant_deletes_the_other_keeps(stocked, acme, globex):
    with enter(acme):
        default_storage.delete("same.txt")
        assert not default_storage.exists("same.txt")

    with enter(globex):
        assert default_storage.exists("same.txt")


def test_an_opened_file_stays_in_the_bucket_that_it_was_opened_in(stocked, acme, globex):
    with enter(acme):
        opened = default_storage.open("same.txt")
    with enter(globex):
        assert opened.read() == acme.slug.encode()


def test_threads_of_two_tenants_never_meet(stocked, acme, globex):
    def read(ref):
        try:
            with enter(ref):
                return {default_storage.open("same.txt").read() for _ in range(20)}
        finally:
            connections.close_all()

    found = run_together(*(lambda ref=ref: read(ref) for ref in (acme, globex, acme, globex)))

    assert found == [{ref.slug.encode()} for ref in (acme, globex, acme, globex)]


def test_djangos_default_storage_is_ours_and_takes_no_bucket():
    assert isinstance(storages["default"], TenantFiles)
    with pytest.raises(TypeError):
        TenantFiles(bucket_name="px-other")


def test_few_buckets_stay_open(adapter, new_bucket):
    from tests.storage.conftest import key_to

    kept = OpenBuckets(limit=2)
    names = [new_bucket() for _ in range(3)]
    keys = {name: key_to(adapter, name) for name in names}

    opened = [kept.get(adapter, name, keys[name]) for name in names]

    assert len(kept) == 2
    assert kept.get(adapter, names[2], keys[names[2]]) is opened[2]
    assert kept.get(adapter, names[0], keys[names[0]]) is not opened[0]
    assert len(kept) == 2


# Links


def at(ref, link):
    return Visitor(ref).get(link)


def test_a_link_gives_the_file_at_the_tenants_own_address(stocked, acme):
    with enter(acme):
        link = default_storage.url("same.txt")

    answer = at(acme, link)

    assert answer.status_code == 200
    assert b"".join(answer.streaming_content) == acme.slug.encode()
    assert answer["Content-Type"] == "text/plain"
    assert answer["Content-Disposition"] == 'attachment; filename="same.txt"'
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Cache-Control"] == "private, no-store"


def test_a_link_is_worth_nothing_at_another_tenant(stocked, acme, globex):
    with enter(acme):
        link = default_storage.url("same.txt")

    assert at(globex, link).status_code == 404
    with enter(globex), pytest.raises(BadSignature):
        read_link(link.split("/")[-2])


def test_a_link_ends(stocked, acme, monkeypatch):
    monkeypatch.setattr("storage.tenant_files.LINK_LASTS_S", -1)
    with enter(acme):
        link = default_storage.url("same.txt")

    assert at(acme, link).status_code == 404


def test_a_link_to_a_file_that_is_gone_leads_nowhere(stocked, acme):
    with enter(acme):
        link = default_storage.url("same.txt")
        default_storage.delete("same.txt")

    assert at(acme, link).status_code == 404


def test_files_have_one_address():
    assert [pattern.name for pattern in urlpatterns] == ["file_read"]
    assert store().has_keys
