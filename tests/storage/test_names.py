"""No name leads out of the bucket, and none reads as another."""

import pytest
from django.core.exceptions import SuspiciousFileOperation

from storage.names import checked_name, content_type_of

ESCAPES = [
    "../globex/secret.txt",
    "a/../../secret.txt",
    "a/..",
    "..",
    ".",
    "./a.txt",
    "a/./b",
    "/etc/passwd",
    "//a",
    "a//b",
    "a/",
    "",
    " ",
    "a/ /b",
    " ../a",
    "a/.. /b",
    "a\x00.txt",
    "a\n.txt",
    "a\x7f",
    "..\\secret",
    "a\\b",
    "C:\\x",
    "\uff0e\uff0e/secret",  # full-width stops
    "\u2024\u2024/secret",  # one-dot leaders
    "\u2025/secret",  # a two-dot leader
    "a\uff0fb",  # a full-width solidus
    "a\uff3cb",  # a full-width backslash
    "a\u202etxt.exe",  # turns the direction of reading
    "a\u200b.txt",  # of no width
    "a\ufeff.txt",
    "a\u00a0.txt",
    "\udcff.txt",  # half of a character
    "cafe\u0301.txt",  # é written in two
    "x" * 256,
    "/".join(["x" * 200] * 5),
]


@pytest.mark.parametrize("name", ESCAPES)
def test_a_name_that_could_escape_is_refused(name):
    with pytest.raises(SuspiciousFileOperation):
        checked_name(name)


@pytest.mark.parametrize(
    "name", ["a", "a.txt", "a/b/c.txt", ".hidden", "...", "a..b", "café.txt", "x" * 255, "%2e%2e/a"]
)
def test_an_honest_name_is_taken_as_it_is(name):
    assert checked_name(name) == name


def test_a_folder_may_be_the_bucket_itself_and_no_more():
    assert [checked_name(name, is_folder=True) for name in ("", "/", ".", "a/", "a/b")] == ["", "", "", "a", "a/b"]
    for name in ("..", "../", "a/..", "//"):
        with pytest.raises(SuspiciousFileOperation):
            checked_name(name, is_folder=True)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.pdf", "application/pdf"),
        ("a.PNG", "image/png"),
        ("a.tar.gz", "application/octet-stream"),
        ("a", "application/octet-stream"),
    ],
)
def test_the_media_type_follows_from_the_name(name, kind):
    assert content_type_of(name) == kind
