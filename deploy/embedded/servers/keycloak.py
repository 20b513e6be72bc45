"""Keycloak from the Maven registry on a wheel's Java, its data in our PostgreSQL."""

import json
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from deploy.embedded.downloads import JAVA_OPTIONS, cached, fetch, java, unpack
from deploy.embedded.errors import StackError
from deploy.embedded.servers.base import Command, Server, environment
from deploy.embedded.servers.postgres import Postgres

VERSION = "26.7.1"
DISTRIBUTION = f"org.keycloak:keycloak-quarkus-dist:{VERSION}"
BUILD_OPTIONS = ["--db=postgres", "--health-enabled=true", "--metrics-enabled=true"]
PROBE_TIMEOUT_S = 3
THEMES = "deploy/keycloak/themes"
LISTED = "PLEXICA_KEYCLOAK_SERVERS"


class Keycloak(Server):
    name = "keycloak"
    title = "Keycloak"
    port_names = ("keycloak", "management")
    database = "keycloak"
    needs = ("postgres",)
    start_timeout_s = 300

    def __init__(self, *args: object, postgres: Postgres) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.postgres = postgres

    @property
    def program(self) -> Path:
        return java()

    def version(self) -> str:
        return VERSION

    def prepare(self) -> None:
        super().prepare()
        home = self._distribution()
        parts = {part: home / part for part in ("lib", "providers", "bin", "version.txt")}
        for name, target in {**parts, "themes": self.tree.root / THEMES}.items():
            link = self.folder / name
            link.unlink(missing_ok=True)
            link.symlink_to(target)
        (self.folder / "conf").mkdir(exist_ok=True)
        shutil.copy(home / "conf" / "cache-ispn.xml", self.folder / "conf")
        self.postgres.create_database(self.database)

    def command(self) -> Command:
        options = {
            "db-url": f"jdbc:postgresql://{self.postgres.address}/{self.database}",
            "db-username": "postgres",
            "http-enabled": "true",
            "http-host": "127.0.0.1",
            "http-port": self.port,
            "http-management-host": "127.0.0.1",
            "http-management-port": self.ports["management"],
            "hostname-strict": "false",
            "cache": "local",
            "cache-embedded-realms-max-count": 100_000,  # about 50 a realm
        }
        argv = [f"--{name}={value}" for name, value in options.items()]
        hidden = environment(
            KC_DB_PASSWORD=self.secrets.get("postgres"),
            KC_BOOTSTRAP_ADMIN_USERNAME="admin",
            KC_BOOTSTRAP_ADMIN_PASSWORD=self.secrets.get("keycloak_admin"),
        )
        return Command([self.program, *_java_options(self.folder, "768m"), "start", "--optimized", *argv], hidden)

    def why_not_ready(self) -> str | None:
        address = f"{self.management_url}/health/ready"
        try:
            with urllib.request.urlopen(address, timeout=PROBE_TIMEOUT_S) as answer:  # noqa: S310 - http, and our own
                return None if json.load(answer).get("status") == "UP" else "not up yet"
        except urllib.error.HTTPError as error:
            return f"HTTP {error.code}"
        except (OSError, ValueError) as error:
            return str(error)

    def settings(self) -> dict[str, str]:
        """The administrator is for `manage.py setup_keycloak`, which makes the provisioner."""
        entry = {
            "name": self.name,
            "url": f"http://{self.address}",
            "provisioner_secret": self.secrets.get("keycloak_provisioner"),
        }
        return {
            LISTED: json.dumps([entry]),
            "PLEXICA_KEYCLOAK_ADMIN_USER": "admin",
            "PLEXICA_KEYCLOAK_ADMIN_PASSWORD": self.secrets.get("keycloak_admin"),
        }

    @property
    def management_url(self) -> str:
        """Where health and metrics are."""
        return f"http://127.0.0.1:{self.ports['management']}"

    @staticmethod
    def _distribution() -> Path:
        """The unpacked and built server, shared by all checkouts of this person."""
        return cached(f"keycloak-{VERSION}", _build)


class SecondKeycloak(Keycloak):
    """Another one with data of its own: for tests of several servers, and of one that dies."""

    name = "keycloak-2"
    title = "Keycloak (second)"
    database = "keycloak_2"


def _build(folder: Path) -> None:
    unpack(fetch(DISTRIBUTION, "zip"), folder)
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(
            [java(), *_java_options(folder, "512m"), "build", *BUILD_OPTIONS],
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
        output.seek(0)
        said = output.read().decode(errors="replace").strip()
    if done.returncode:
        raise StackError(f"Keycloak could not be built: {(said.splitlines() or ['no reason given'])[-1]}")


def _java_options(home: Path, memory: str) -> list[str]:
    """What the distribution's own start script passes, for a home of our choice."""
    return [
        f"-Xmx{memory}",
        *JAVA_OPTIONS,
        "-Dfile.encoding=UTF-8",
        "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
        "-Djava.util.concurrent.ForkJoinPool.common.threadFactory=io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory",
        "-Dquarkus-log-max-startup-records=10000",
        "--add-opens=java.base/java.util=ALL-UNNAMED",
        "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
        "--add-opens=java.base/java.security=ALL-UNNAMED",
        "--add-opens=java.base/java.lang=ALL-UNNAMED",
        "--enable-native-access=ALL-UNNAMED",
        f"-Dkc.home.dir={home}",
        f"-Djboss.server.config.dir={home}/conf",
        "-cp",
        f"{home}/lib/quarkus-run.jar",
        "io.quarkus.bootstrap.runner.QuarkusEntryPoint",
    ]
