"""A real PgBouncer in transaction mode before the test database: few server connections, so that tenants share them."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import psycopg

from deploy.embedded import ports

NOBODY = "nobody"  # it refuses to run as root
SERVER_CONNECTIONS = 3
CONFIG = """
[databases]
* = host={host} port={port}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users.txt
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 200
max_db_connections = {size}
ignore_startup_parameters = options
logfile = {folder}/pgbouncer.log
pidfile = {folder}/pgbouncer.pid
log_connections = 0
log_disconnections = 0
"""


class Pooler:
    """A running PgBouncer."""

    def __init__(self, port: int, folder: Path) -> None:
        self.port = port
        self.folder = folder

    def url(self, direct: str) -> str:
        """Return the address of the same login and database through the pooler."""
        parts = urlsplit(direct)
        credentials = parts.netloc.rpartition("@")[0]
        return urlunsplit(parts._replace(netloc=f"{credentials}@127.0.0.1:{self.port}"))

    def servers_of(self, database: str) -> int:
        """Return how many connections to PostgreSQL it has for a database."""
        from tests.support.raw import superuser

        with superuser() as admin:
            row = admin.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND usename = 'px_app'", [database]
            ).fetchone()
        return int(row[0]) if row else 0


@contextmanager
def running(*, size: int = SERVER_CONNECTIONS) -> Iterator[Pooler]:
    """Start a PgBouncer that leads px_app to the test server; end it afterwards."""
    direct = urlsplit(os.environ["PLEXICA_DATABASE_URL"])
    folder = Path(tempfile.mkdtemp(prefix="px-pgbouncer-"))
    listen = ports.choose(("pgbouncer",))["pgbouncer"]
    (folder / "users.txt").write_text(f'"{unquote(direct.username or "")}" "{unquote(direct.password or "")}"\n')
    (folder / "pgbouncer.ini").write_text(
        CONFIG.format(host=direct.hostname, port=direct.port, listen=listen, folder=folder, size=size)
    )
    as_other: dict[str, Any] = {}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam(NOBODY)
        for path in (folder, *folder.iterdir()):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        as_other = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    process = subprocess.Popen(
        [os.environ["PLEXICA_PGBOUNCER"], "-q", str(folder / "pgbouncer.ini")], cwd=folder, **as_other
    )
    pooler = Pooler(listen, folder)
    try:
        _wait(pooler, process)
        yield pooler
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait(pooler: Pooler, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 10
    url = pooler.url(os.environ["PLEXICA_DATABASE_URL"])
    while time.monotonic() < deadline:
        assert process.poll() is None, (pooler.folder / "pgbouncer.log").read_text()
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(url, connect_timeout=2):
            return
        time.sleep(0.05)
    raise AssertionError("PgBouncer does not answer:\n" + (pooler.folder / "pgbouncer.log").read_text())


@contextmanager
def in_the_way(pooler: Pooler) -> Iterator[None]:
    """Lead this process's `default` connection, and the environment of its children, through the pooler."""
    from django.conf import settings
    from django.db import connections

    from tests.support.database import close_pools

    wanted = urlsplit(pooler.url(os.environ["PLEXICA_DATABASE_URL"]))
    shared: dict[str, Any] = settings.DATABASES["default"]
    before = {name: shared[name] for name in ("HOST", "PORT", "TENANCY", "DISABLE_SERVER_SIDE_CURSORS")}
    url = os.environ["PLEXICA_DATABASE_URL"]
    close_pools()
    connections["default"].settings_dict.update(_pooled(wanted.port))
    shared.update(_pooled(wanted.port))
    os.environ["PLEXICA_DATABASE_URL"] = urlunsplit(wanted)
    os.environ["PLEXICA_DATABASE_TRANSACTION_POOLING"] = "true"
    settings.DATABASE_TRANSACTION_POOLING = True
    try:
        yield
    finally:
        close_pools()
        connections["default"].settings_dict.update(before)
        shared.update(before)
        os.environ["PLEXICA_DATABASE_URL"] = url
        del os.environ["PLEXICA_DATABASE_TRANSACTION_POOLING"]
        settings.DATABASE_TRANSACTION_POOLING = False


def _pooled(port: int | None) -> dict[str, Any]:
    tenancy = {"transaction_pooling": True}
    return {"HOST": "127.0.0.1", "PORT": str(port), "TENANCY": tenancy, "DISABLE_SERVER_SIDE_CURSORS": True}
