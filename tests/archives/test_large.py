"""Files and rows of any size pass in bounded memory."""

import os
import threading
from pathlib import Path

import pytest
from django.core.files.base import File
from django.core.files.storage import default_storage

from archives.models import Archive
from core.tenancy import enter
from tenants.models import Operation
from tests.archives.conftest import go
from tests.support.raw import superuser

MB = 1024 * 1024
PAGE = os.sysconf("SC_PAGE_SIZE")


class Growth:
    """How many MB this process grew at most while the block ran."""

    def __enter__(self):
        self._stop, self._begin, self._most = threading.Event(), self._now(), 0
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self._stop.set()
        self._thread.join()
        self.mb = (self._most - self._begin) / MB

    def _watch(self):
        while not self._stop.wait(0.01):
            self._most = max(self._most, self._now())

    def _now(self):
        return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


@pytest.fixture
def large(new_tenant, tmp_path):
    """A tenant with a file of 60 MB that does not zip, and 60 MB of rows, one of them of 6 MB."""
    tenant = new_tenant()
    path = tmp_path / "large"
    with path.open("wb") as file:
        for _ in range(60):
            file.write(os.urandom(MB))
    with enter(tenant.ref), path.open("rb") as file:
        default_storage.save("large.bin", File(file))
    with superuser() as db:
        insert = f"""
            INSERT INTO {tenant.schema_name}.audit_entry (occurred_at, actor_kind, actor_name, action, target_label,
            target_name, reason, facts, request_id)
            SELECT now(), 'x', '', 'y', '', '', repeat(md5(n::text), CASE WHEN n = 7 THEN 200000 ELSE 28 END), '{{}}', ''
            FROM generate_series(1, 50000) n
        """
        db.execute(insert)
    return tenant


def test_a_large_tenant_is_copied_in_bounded_memory(large, clone):
    operation = clone(large)

    with Growth() as growth:
        ended = go(operation)

    assert (ended.status, ended.error) == (Operation.Status.SUCCEEDED, "")
    archive = Archive.objects.get(operation=ended)
    assert archive.size_bytes > 60 * MB
    assert archive.row_count > 50_000
    with superuser() as db:
        query = "SELECT count(*), md5(string_agg(t::text, '' ORDER BY id)) FROM {}.audit_entry t"
        assert (
            db.execute(query.format(large.schema_name)).fetchone()
            == db.execute(query.format(ended.tenant.schema_name)).fetchone()
        )
    with enter(large.ref), default_storage.open("large.bin") as before:
        whole = before.read()
    with enter(ended.tenant.ref), default_storage.open("large.bin") as after:
        assert after.read() == whole
    assert growth.mb < 60, f"grew by {growth.mb:.0f} MB"
