"""How Plexica's own processes are started: their environment and command lines, as docker-compose.yml has them too."""

import base64
import os
import secrets
import shlex
from collections.abc import Mapping
from pathlib import Path

from deploy.embedded.files import Secrets, write_private
from deploy.embedded.frontend import path_with_node
from deploy.embedded.paths import Tree
from deploy.embedded.supervisor import Program

FOR_SETTING_UP = ("PLEXICA_DATABASE_ADMIN_URL", "PLEXICA_KEYCLOAK_ADMIN_USER", "PLEXICA_KEYCLOAK_ADMIN_PASSWORD")
FOR_OPERATIONS = ("PLEXICA_DATABASE_OPS_URL", *FOR_SETTING_UP)  # web and ordinary workers never see them
WITH_OPERATIONS_LOGIN = ("operations", "relay")
FOR_RECEIVERS_HERE = {  # of webhooks
    "PLEXICA_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8,::1/128",
    "PLEXICA_WEBHOOK_ALLOW_HTTP": "true",
}
Environment = dict[str, str]


def clean_environment(tree: Tree) -> Environment:
    """This process's environment with our .venv first on PATH and none of our variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PLEXICA_", "DJANGO_"))}
    return {**kept, "PATH": path_with_node(tree, kept), "PYTHONUNBUFFERED": "1"}


def django_secrets(path: Path) -> Environment:
    """Keys of one installation, made once. Passwords of database roles belong to the server: `var/stack`."""
    kept = Secrets(path)
    fernet = kept.get("encryption_key", lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
    return {"PLEXICA_SECRET_KEY": kept.get("secret_key"), "PLEXICA_ENCRYPTION_KEYS": fernet}


def platform_settings(tree: Tree, *, bind: str, name: str, port: int) -> Environment:
    """What the platform is told about itself."""
    return {
        "PLEXICA_ENV": "development",
        "PLEXICA_PUBLIC_URL": f"http://{name}:{port}" if port != 80 else f"http://{name}",
        "PLEXICA_BIND": f"[{bind}]:{port}" if ":" in bind else f"{bind}:{port}",
        "PLEXICA_MAIL_DIR": str(tree.demo / "mail"),
        "PLEXICA_LOG_FORMAT": "console",
    }


def write_shell_file(path: Path, settings: Mapping[str, str]) -> None:
    """A file for `. FILE` in a shell."""
    write_private(path, "".join(f"export {name}={shlex.quote(value)}\n" for name, value in sorted(settings.items())))


def programs(tree: Tree, env: Mapping[str, str], *, bind: str, port: int) -> dict[str, Program]:
    """Web, workers, scheduler, and what carries events and webhooks, by name."""
    commands = tree.root / ".venv" / "bin"
    celery: list[str | Path] = [commands / "celery", "-A", "plexica"]
    web: list[str | Path] = [commands / "granian", "--interface", "wsgi", "plexica.wsgi:application"]
    argvs: dict[str, list[str | Path]] = {
        "web": [*web, "--host", bind, "--port", str(port), "--workers", "1", "--blocking-threads", "4"],
        "operations": [*celery, "worker", "-Q", "operations", "--hostname", "operations@%h"],
        "worker": [*celery, "worker", "-Q", "default", "--hostname", "worker@%h"],
        "scheduler": [*celery, "beat", "--schedule", tree.demo / "celerybeat-schedule"],
        "relay": [commands / "python", "manage.py", "relay_events"],
        "consumer": [commands / "python", "manage.py", "consume_events"],
        "sender": [commands / "python", "manage.py", "send_webhooks"],
    }
    narrow = {key: value for key, value in env.items() if key not in FOR_OPERATIONS}
    wide = {key: value for key, value in env.items() if key not in FOR_SETTING_UP}
    return {
        name: Program(name, argv, tree.demo / "logs" / f"{name}.log", wide if name in WITH_OPERATIONS_LOGIN else narrow)
        for name, argv in argvs.items()
    }
