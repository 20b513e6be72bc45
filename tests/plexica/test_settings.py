"""Wrong values stop the start and name themselves."""

import base64
import os
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from plexica.settings.database import Database
from plexica.settings.environment import BASE_DIR, load
from plexica.settings.limits import Limits
from plexica.settings.logs import Logs
from plexica.settings.services import Services
from plexica.settings.site import Site

GOOD = {
    "PLEXICA_SECRET_KEY": "s" * 50,
    "PLEXICA_ENCRYPTION_KEYS": base64.urlsafe_b64encode(b"k" * 32).decode(),
    "PLEXICA_PUBLIC_URL": "https://plexica.example",
}


@pytest.fixture
def env(monkeypatch):
    """An environment without a variable of ours but good ones for Site."""
    for name in os.environ:
        if name.startswith("PLEXICA_"):
            monkeypatch.delenv(name)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def refusal(topic):
    with pytest.raises(ImproperlyConfigured) as refused:
        load(topic)
    return str(refused.value)


def test_good_values_are_taken(env):
    assert load(Site).public_url == "https://plexica.example"


def test_passwords_are_hashed_slowly_unless_told_otherwise(env):
    assert load(Site).password_iterations == 1_000_000


@pytest.mark.parametrize(
    ("topic", "name", "value"),
    [
        (Site, "SECRET_KEY", "short"),
        (Site, "SECRET_KEY", ""),
        (Site, "ENCRYPTION_KEYS", "no key"),
        pytest.param(Site, "ENCRYPTION_KEYS", f"{GOOD['PLEXICA_ENCRYPTION_KEYS']},", id="trailing-comma"),
        (Site, "ENCRYPTION_KEYS", ""),
        (Site, "ENV", "test"),
        (Site, "DEBUG", "perhaps"),
        (Site, "PASSWORD_ITERATIONS", "599999"),
        (Site, "PASSWORD_ITERATIONS", "0"),
        (Site, "PUBLIC_URL", "plexica.example"),
        (Site, "PUBLIC_URL", "ftp://plexica.example"),
        (Site, "PUBLIC_URL", "https://"),
        (Site, "PUBLIC_URL", "https://plexica.example/path"),
        (Site, "PUBLIC_URL", "https://plexica.example:port"),
        (Site, "PUBLIC_URL", "https://plexica.example:99999"),
        (Site, "PUBLIC_URL", "https://user@plexica.example"),
        (Site, "PUBLIC_URL", "http://plexica.example"),
        (Site, "PUBLIC_URL", "http://localhost.example"),
        (Site, "PUBLIC_URL", "https://192.0.2.1"),
        (Site, "PUBLIC_URL", "http://127.0.0.1:8000"),
        (Site, "PUBLIC_URL", "https://[2001:db8::1]"),
        (Database, "DATABASE_URL", ""),
        (Database, "DATABASE_URL", "mysql://px_app@db/plexica"),
        (Database, "DATABASE_URL", "postgresql://px_app@db"),
        (Database, "DATABASE_URL", "postgresql://px_app@db:port/plexica"),
        (Database, "DATABASE_POOL_MAX", "0"),
        (Database, "DATABASE_POOL_MAX", "many"),
        (Logs, "LOG_FORMAT", "xml"),
        (Logs, "LOG_LEVEL", "LOUD"),
        (Limits, "RATE_LIMIT_CLIENT", "often"),
        (Limits, "RATE_LIMIT_SIGN_IN", "-5/minute"),
        (Limits, "RATE_LIMIT_TENANT", "5/blink"),
        (Services, "REDIS_URL", ""),
    ],
)
def test_a_wrong_value_names_its_variable(env, topic, name, value):
    env.setenv(f"PLEXICA_{name}", value)

    assert f"PLEXICA_{name}" in refusal(topic)


def test_all_wrong_values_are_named_at_once(env):
    env.setenv("PLEXICA_SECRET_KEY", "short")
    env.setenv("PLEXICA_ENV", "test")

    said = refusal(Site)

    assert "PLEXICA_SECRET_KEY" in said
    assert "PLEXICA_ENV" in said


def test_a_refusal_does_not_repeat_the_secret(env):
    env.setenv("PLEXICA_SECRET_KEY", "hunter2")
    env.setenv("PLEXICA_ENCRYPTION_KEYS", "swordfish")

    said = refusal(Site)

    assert "hunter2" not in said
    assert "swordfish" not in said


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "plexica.localhost:8000"])
def test_plain_http_is_taken_at_home(env, host):
    env.setenv("PLEXICA_PUBLIC_URL", f"http://{host}/")

    assert load(Site).public_url == f"http://{host}"


def test_a_secret_may_come_from_a_file(env, tmp_path):
    (tmp_path / "secret").write_text("f" * 40 + "\n")
    env.delenv("PLEXICA_SECRET_KEY")
    env.setenv("PLEXICA_SECRET_KEY_FILE", str(tmp_path / "secret"))

    assert load(Site).secret_key == "f" * 40


def test_the_variable_itself_comes_before_the_file(env, tmp_path):
    (tmp_path / "secret").write_text("f" * 40)
    env.setenv("PLEXICA_SECRET_KEY_FILE", str(tmp_path / "secret"))

    assert load(Site).secret_key == GOOD["PLEXICA_SECRET_KEY"]


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"short"])
def test_a_file_that_holds_no_secret_names_its_variable(env, tmp_path, content):
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    env.delenv("PLEXICA_SECRET_KEY")
    env.setenv("PLEXICA_SECRET_KEY_FILE", str(tmp_path / "secret"))

    assert "PLEXICA_SECRET_KEY" in refusal(Site)


def shown(expression, **variables):
    code = f"from django.conf import settings; print({expression})"
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "plexica.settings", **variables}
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=BASE_DIR, env=env, capture_output=True, text=True, check=False
    )
    return ran.stdout.strip() or ran.stderr


def test_a_process_without_the_operations_address_has_no_operations_login():
    assert shown("sorted(settings.DATABASES)", PLEXICA_DATABASE_OPS_URL="") == "['default']"


def test_a_wrong_value_stops_the_start():
    said = shown("settings.DEBUG", PLEXICA_PUBLIC_URL="http://plexica.example")

    assert "ImproperlyConfigured" in said
    assert "PLEXICA_PUBLIC_URL must be https unless its host is localhost" in said
