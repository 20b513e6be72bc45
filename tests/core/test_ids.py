from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import RFC_4122

import time_machine

from core import ids
from core.ids import uuid7


def test_an_id_is_a_uuid_of_version_seven():
    made = uuid7()

    assert made.version == 7
    assert made.variant == RFC_4122


def test_an_id_begins_with_its_millisecond(monkeypatch):
    monkeypatch.setattr(ids, "_last_ms", 0)

    with time_machine.travel(datetime(2031, 5, 6, 7, 8, 9, 123_000, tzinfo=UTC), tick=False):
        made = uuid7()

    assert datetime.fromtimestamp((made.int >> 80) / 1000, tz=UTC) == datetime(2031, 5, 6, 7, 8, 9, 123_000, tzinfo=UTC)


def test_ids_grow_also_within_a_millisecond():
    made = [uuid7() for _ in range(10_000)]

    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_ids_grow_when_the_clock_goes_back():
    before = uuid7()

    with time_machine.travel("2001-01-01T00:00:00Z", tick=False):
        after = uuid7()

    assert after > before


def test_ids_of_many_threads_never_meet_and_grow_in_each():
    with ThreadPoolExecutor(max_workers=8) as threads:
        batches = list(threads.map(lambda _: [uuid7() for _ in range(2_000)], range(8)))

    assert all(batch == sorted(batch) for batch in batches)
    assert len({made for batch in batches for made in batch}) == 16_000
