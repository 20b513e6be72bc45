"""Our processes run natively with exactly the commands and environment that docker-compose.yml gives them."""

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cached_property, partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deploy.embedded.supervisor import Program
from tests.deploy.compose_file import read_env_file, read_services
from tests.support import people
from tests.support.http import HttpVisitor
from tests.support.platform import START_S, Platform, static_files, wait_until

STAYING = ("web", "worker", "operations", "scheduler", "relay", "consumer", "sender")
OF_THE_MACHINE = ("PATH", "HOME", "LANG", "TMPDIR")


class ComposedPlatform(Platform):
    """The services of docker-compose.yml, with the embedded servers where the containers would be."""

    @cached_property
    def programs(self) -> dict[str, Program]:
        services = read_services(read_env_file() | self._passwords())
        return {
            name: Program(
                name,
                [self._moved(word) for word in services[name]["command"]],
                self.folder / "logs" / f"{name}.log",
                self._container() | {key: self._moved(value) for key, value in services[name]["environment"].items()},
            )
            for name in STAYING
        }

    def _passwords(self) -> dict[str, str]:
        """What an operator would write into the file for --env-file."""
        app, ops, valkey = (
            urlsplit(self.env[name]).password or ""
            for name in ("PLEXICA_DATABASE_URL", "PLEXICA_DATABASE_OPS_URL", "PLEXICA_REDIS_URL")
        )
        return {
            "PX_APP_PASSWORD": app,
            "PX_OPS_PASSWORD": ops,
            "VALKEY_PASSWORD": valkey,
            "S3_ACCESS_KEY": self.env["PLEXICA_S3_ACCESS_KEY"],
            "S3_SECRET_KEY": self.env["PLEXICA_S3_SECRET_KEY"],
            "PLEXICA_ENCRYPTION_KEYS": self.env["PLEXICA_ENCRYPTION_KEYS"],  # the database was filled with them
            "PLEXICA_PUBLIC_URL": self.url,
        }

    def health_of(self, name: str) -> int:
        """Ask a service as its health check does, and return the exit status."""
        _cmd, *words = read_services(read_env_file())[name]["healthcheck"]["test"]
        done = subprocess.run([self._moved(word) for word in words], env=self._container(), check=False)
        return done.returncode

    def _moved(self, text: str) -> str:
        """The same text with the addresses, ports and folders of this machine in place of the containers'."""
        postgres, valkey = urlsplit(self.env["PLEXICA_DATABASE_URL"]), urlsplit(self.env["PLEXICA_REDIS_URL"])
        number = int(valkey.path.strip("/"))
        places = {
            "@postgres:5432/plexica": f"@{postgres.hostname}:{postgres.port}/{self.database}",
            "@valkey:6379/0": f"@{valkey.hostname}:{valkey.port}/{number}",
            "@valkey:6379/1": f"@{valkey.hostname}:{valkey.port}/{number + 1}",
            "http://seaweedfs:8333": self.env["PLEXICA_S3_ENDPOINT_URL"],
            "/app/var": str(self.work_folder / "var"),
            "smtp://mailpit:1025": "smtp://127.0.0.1:9",  # nobody takes mail here; the worker tries again later
        }
        for container, place in places.items():
            text = text.replace(container, place)
        return str(self.port) if text == "8000" else text

    def _container(self) -> dict[str, str]:
        """What the image gives its processes, and what the machine needs."""
        kept = {name: value for name, value in os.environ.items() if name in OF_THE_MACHINE}
        commands = self.tree.root / ".venv" / "bin"
        return kept | {
            "PATH": f"{commands}{os.pathsep}{kept['PATH']}",
            "PYTHONPATH": str(self.tree.root),
            "PYTHONUNBUFFERED": "1",
            "PLEXICA_STATIC_ROOT": self.env["PLEXICA_STATIC_ROOT"],
        }


@pytest.fixture
def platform(django_db_setup: None, tmp_path: Path) -> Iterator[ComposedPlatform]:
    platform = ComposedPlatform("compose", static_root=static_files())
    platform.work_folder = tmp_path  # the container's /app: the scheduler writes below var/ there
    (tmp_path / "var").mkdir()
    (tmp_path / "manage.py").symlink_to(platform.tree.root / "manage.py")
    with platform.life(*STAYING):
        yield platform


def test_somebody_signs_in_and_every_process_ends_on_sigterm(platform: ComposedPlatform) -> None:
    owner = HttpVisitor(platform.port, "acme-corp.localhost")
    dashboard = owner.sign_in(people.email_of("owner"), people.PASSWORD)
    assert "Mara Ellsworth" in dashboard.text
    console = HttpVisitor(platform.port)
    console.sign_in(people.email_of("operator"), people.PASSWORD, start="/console/")
    console.get("/console/tenants/create/")
    form = {"name": "Composed", "slug": "composed", "admin_name": "Ada", "admin_email": "ada@composed.example"}
    assert console.send("/console/tenants/create/", {**form, "time_zone": "UTC"}).status_code == 200
    platform.wait_active("composed")
    for name in ("relay", "consumer", "sender"):
        wait_until(partial(_is_healthy, platform, name), timeout_s=START_S, what=partial(platform.log_of, name))
    wait_until(
        lambda: not platform.sql("SELECT 1 FROM events_outbox WHERE sent_at IS NULL"),
        timeout_s=START_S,
        what=lambda: platform.log_of("relay"),
    )

    form = {"name": "Held", "slug": "held-at-the-end", "admin_name": "Ada", "admin_email": "ada@held.example"}
    platform.terminate("operations")
    console.get("/console/tenants/create/")
    assert console.send("/console/tenants/create/", {**form, "time_zone": "UTC"}).status_code == 200
    held = ExitStack()
    held.enter_context(platform.step_held_up("held-at-the-end", 3))
    platform.start("operations")
    wait_until(
        lambda: platform.steps_of("held-at-the-end")[:2] == ["done", "done"],
        timeout_s=START_S,
        what=lambda: platform.log_of("operations"),
    )
    threading.Timer(1.0, held.close).start()  # the step goes on a second after the signal
    ended = platform.terminate(*STAYING)

    print({name: f"{end.took_s:.1f} s" for name, end in ended.items()})
    assert {name: end.status for name, end in ended.items()} == dict.fromkeys(STAYING, 0)
    platform.start("operations")
    platform.wait_active("held-at-the-end")
    assert any((platform.work_folder / "var").glob("celerybeat-schedule*"))


def _is_healthy(platform: ComposedPlatform, name: str) -> bool:
    return platform.health_of(name) == 0
