"""What every adapter of object storage does alike: the real S3 server with tenants' keys, and folders."""

import hashlib
import secrets
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile, File

from core.errors import Rejected
from storage.adapters.s3.clients import own_client
from tests.support.threads import run_together

MB = 1024 * 1024


def test_a_bucket_is_made_found_and_deleted_and_each_may_be_repeated(adapter, new_bucket):
    name = new_bucket()
    adapter.ensure_bucket(name)
    assert adapter.bucket_exists(name)

    for _ in range(2):
        adapter.delete_bucket_with_contents(name)

        assert not adapter.bucket_exists(name)


def test_a_bucket_goes_with_everything_in_it(adapter, new_bucket, opened):
    name = new_bucket()
    files = opened(name)
    for path in ("a.txt", "deep/er/b.txt"):
        files.save(path, ContentFile(b"x"))

    adapter.delete_keyholder(name)
    adapter.delete_bucket_with_contents(name)
    adapter.ensure_bucket(name)

    files = opened(name)
    assert not files.exists("a.txt")
    assert files.listdir("") == ([], [])


def test_what_is_in_a_bucket_is_measured_and_a_large_one_only_in_part(adapter, new_bucket, opened):
    name = new_bucket()
    files = opened(name)
    empty = adapter.measure_bucket(name, most=1000)
    for path in ("a.txt", "deep/er/b.txt"):
        files.save(path, ContentFile(b"xyz"))

    whole, part = adapter.measure_bucket(name, most=1000), adapter.measure_bucket(name, most=1)

    assert (empty.objects, empty.size_bytes, empty.is_complete) == (0, 0, True)
    assert (whole.objects, whole.size_bytes, whole.is_complete) == (2, 6, True)
    assert part.objects >= 1


def test_what_is_saved_into_a_deleted_bucket_does_not_bring_it_back(adapter, new_bucket, opened):
    """A request that was under way when its tenant was deleted."""
    name = new_bucket()
    files = opened(name)
    adapter.delete_bucket_with_contents(name)

    for path in ("a.txt", "deep/er/b.txt"):
        with pytest.raises((FileNotFoundError, Rejected)):
            files.save(path, ContentFile(b"x"))

    assert not adapter.bucket_exists(name)


@pytest.mark.parametrize("adapter", ["s3"], indirect=True)
def test_a_file_that_may_not_be_deleted_ends_the_attempt(adapter, settings):
    """S3 answers success for the whole, and the file is listed again and again."""
    name = f"px-testing-{secrets.token_hex(6)}"
    client = own_client("s3", settings.S3_ENDPOINT_URL, settings.S3_ACCESS_KEY, settings.S3_SECRET_KEY)
    client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    until = datetime.now(UTC) + timedelta(seconds=3)
    client.put_object(Bucket=name, Key="a", Body=b"x", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=until)

    with pytest.raises(Rejected) as refusal:
        adapter.delete_bucket_with_contents(name)

    assert refusal.value.facts["code"] == "AccessDenied"
    time.sleep(max(0.0, (until - datetime.now(UTC)).total_seconds()) + 1)
    adapter.delete_bucket_with_contents(name)
    assert not adapter.bucket_exists(name)


@pytest.mark.parametrize("name", ["../up", "a/b", "a..b/../c", "UPPER", "x", ""])
def test_a_bucket_of_a_wrong_name_is_refused(adapter, name):
    with pytest.raises(Rejected):
        adapter.ensure_bucket(name)


def test_what_is_saved_can_be_read(opened):
    files = opened()

    name = files.save("notes/today.txt", ContentFile("Grüße\n".encode()))

    assert name == "notes/today.txt"
    assert files.exists(name)
    assert files.size(name) == len("Grüße\n".encode())
    with files.open(name) as file:
        assert file.read() == "Grüße\n".encode()


def test_a_text_file_is_read_line_by_line(opened):
    files = opened()
    files.save("list.csv", ContentFile(b"a,1\nb,2\n"))

    with files.open("list.csv") as file:
        assert [line.strip() for line in file] == [b"a,1", b"b,2"]


def test_a_file_that_is_opened_for_writing_is_there_when_it_is_closed(opened):
    files = opened()

    with files.open("new/report.bin", "wb") as file:
        file.write(b"first ")
        file.write(b"second")

    with files.open("new/report.bin") as file:
        assert file.read() == b"first second"


def test_an_empty_file_is_a_file(opened):
    files = opened()

    files.save("empty", ContentFile(b""))

    assert files.exists("empty")
    assert files.size("empty") == 0


def test_a_missing_file_is_pythons_own_error(opened):
    files = opened()

    assert not files.exists("nothing.txt")
    for ask in (files.open, files.size, files.get_modified_time):
        with pytest.raises(FileNotFoundError):
            ask("nothing.txt")


def test_deleting_may_be_repeated(opened):
    files = opened()
    files.save("a.txt", ContentFile(b"x"))

    for _ in range(2):
        files.delete("a.txt")

        assert not files.exists("a.txt")


def test_a_folder_lists_its_folders_and_files(opened):
    files = opened()
    for path in ("a.txt", "b.txt", "sub/c.txt", "sub/deeper/d.txt"):
        files.save(path, ContentFile(b"x"))

    folders, names = files.listdir("")
    inner = files.listdir("sub")

    assert (sorted(folders), sorted(names)) == (["sub"], ["a.txt", "b.txt"])
    assert (list(inner[0]), list(inner[1])) == (["deeper"], ["c.txt"])
    assert files.listdir("nowhere") == ([], [])


def test_a_taken_name_is_never_written_over(opened):
    files = opened()
    first = files.save("report.pdf", ContentFile(b"first"))

    second = files.save("report.pdf", ContentFile(b"second"))

    assert first != second
    assert second.endswith(".pdf")
    with files.open(first) as one, files.open(second) as two:
        assert (one.read(), two.read()) == (b"first", b"second")


def test_of_two_that_save_one_name_at_once_both_keep_their_file(opened):
    files = opened()
    together = threading.Barrier(4)

    def save(number):
        together.wait(timeout=10)
        return files._save("same.txt", ContentFile(b"%d" % number))  # past the look whether the name is free

    names = run_together(*(lambda n=n: save(n) for n in range(4)))

    assert len(set(names)) == 4
    assert sorted(files.open(name).read() for name in names) == [b"0", b"1", b"2", b"3"]


def test_a_big_file_goes_through_in_pieces(opened, tmp_path):
    files, path = opened(), tmp_path / "big.bin"
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for number in range(20):
            block = bytes([number]) * MB
            digest.update(block)
            file.write(block)

    with path.open("rb") as file:
        name = files.save("big.bin", File(file))

    read = hashlib.sha256()
    with files.open(name) as file:
        for chunk in file.chunks(256 * 1024):
            assert len(chunk) <= 256 * 1024
            read.update(chunk)
    assert files.size(name) == 20 * MB
    assert read.digest() == digest.digest()


def test_a_name_may_have_letters_of_any_language_and_spaces(opened):
    files = opened()
    name = "Verträge 2026/Città & più (1).pdf"

    assert files.save(name, ContentFile(b"x")) == name
    assert files.exists(name)
    assert files.listdir("Verträge 2026")[1] == ["Città & più (1).pdf"]


def test_threads_share_one_storage(opened):
    files = opened()

    def work(number):
        name = files.save(f"{number}.txt", ContentFile(b"%d" % number))
        return files.open(name).read()

    assert run_together(*(lambda n=n: work(n) for n in range(8))) == [b"%d" % n for n in range(8)]


# Files of the platform's own


def test_a_file_is_written_without_knowing_its_length_and_read_from_the_beginning(adapter, new_bucket):
    bucket, data = new_bucket(), bytes(range(256)) * 80_000  # two parts and a half

    with adapter.write(bucket, "some/archive") as target:
        for at in range(0, len(data), 300_000):
            target.write(data[at : at + 300_000])

    with adapter.read(bucket, "some/archive") as source:
        assert source.read(1000) == data[:1000]
        assert source.read() == data[1000:]


def test_a_file_without_bytes_is_written_too(adapter, new_bucket):
    bucket = new_bucket()

    with adapter.write(bucket, "empty"):
        pass

    with adapter.read(bucket, "empty") as source:
        assert source.read() == b""


def test_a_file_that_the_writer_itself_misses_is_not_taken_for_a_bucket_that_is_gone(adapter, new_bucket):
    bucket = new_bucket()
    with pytest.raises(FileNotFoundError), adapter.write(bucket, "half"):
        raise FileNotFoundError

    with pytest.raises(FileNotFoundError), adapter.read(bucket, "half") as source:
        source.read()


def test_what_breaks_off_while_it_is_written_is_not_there_and_an_older_one_stays(adapter, new_bucket):
    bucket = new_bucket()
    with adapter.write(bucket, "old") as target:
        target.write(b"whole")

    for name in ("old", "new"):
        with pytest.raises(KeyboardInterrupt), adapter.write(bucket, name) as target:
            target.write(bytes(9 * MB))
            raise KeyboardInterrupt

    with adapter.read(bucket, "old") as source:
        assert source.read() == b"whole"
    with pytest.raises(FileNotFoundError), adapter.read(bucket, "new"):
        pass


def test_a_file_is_deleted_and_that_may_be_repeated(adapter, new_bucket):
    bucket = new_bucket()
    with adapter.write(bucket, "a") as target:
        target.write(b"x")

    for _ in range(2):
        adapter.delete_file(bucket, "a")

        with pytest.raises(FileNotFoundError), adapter.read(bucket, "a"):
            pass


@pytest.mark.parametrize("name", ["../up", "/etc/passwd", "a/../b", ""])
def test_a_file_of_the_platform_has_a_name_inside_the_bucket(adapter, new_bucket, name):
    bucket = new_bucket()

    for call in (adapter.write, adapter.read):
        with pytest.raises(SuspiciousFileOperation), call(bucket, name):
            pass
