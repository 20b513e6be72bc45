"""What bin/stack, bin/demo and bin/test do around the servers: commands, environments, steps, the environment itself."""

import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded import bootstrap, cli, frontend, node, platform, testing
from deploy.embedded.errors import StackError, Stopped, one_sentence
from deploy.embedded.paths import Tree
from deploy.embedded.stack import Stack
from deploy.embedded.stamps import sources
from deploy.embedded.steps import Steps
from deploy.embedded.table import show

PYTHON = sys.executable
USUAL = ["postgres", "valkey", "s3"]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    root = tmp_path / "checkout"
    root.mkdir()
    return Tree(root)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The usual three servers of a checkout of their own."""
    stack = Stack(Tree(tmp_path_factory.mktemp("usual")))
    stack.up(USUAL)
    yield stack
    stack.down()


def arguments(words: str) -> Any:
    return cli.parse(words.split())


# --- bin/stack -------------------------------------------------------------------------------------------


def test_the_usual_servers_answer_with_the_passwords_of_their_checkout(running: Stack) -> None:
    import boto3
    import psycopg
    import redis

    settings = running.settings(USUAL)

    with psycopg.connect(settings["PLEXICA_DATABASE_ADMIN_URL"]) as connection:
        row = connection.execute("select current_database(), current_setting('max_locks_per_transaction')").fetchone()
    assert row == ("plexica", "1024")
    assert redis.Redis.from_url(settings["PLEXICA_BROKER_URL"]).ping()
    s3 = boto3.client(
        "s3",
        endpoint_url=settings["PLEXICA_S3_ENDPOINT_URL"],
        aws_access_key_id=settings["PLEXICA_S3_ACCESS_KEY"],
        aws_secret_access_key=settings["PLEXICA_S3_SECRET_KEY"],
        region_name="us-east-1",
    )
    s3.create_bucket(Bucket="first")
    s3.put_object(Bucket="first", Key="a", Body=b"b")
    assert s3.get_object(Bucket="first", Key="a")["Body"].read() == b"b"


def test_postgresql_refuses_a_wrong_password_in_one_sentence(running: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    server = running.server("postgres")
    monkeypatch.setattr(server.secrets, "get", lambda name: "wrong")

    with pytest.raises(StackError, match=r"refuses the password in var/stack/secrets\.json"):
        server.why_not_ready()


def test_list_shows_state_address_version_and_folder(running: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    cli.list_servers(running, arguments("list"))

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["NAME", "STATE", "PID", "ADDRESS", "VERSION", "DATA"]
    assert [line.split()[:2] for line in lines[1:]] == [[name, "running"] for name in USUAL]
    assert lines[1].split()[-1] == "var/stack/postgres"


def test_env_prints_exports_that_a_shell_takes(running: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    cli.env(running, arguments("env"))

    script = capsys.readouterr().out + 'printf %s "$PLEXICA_REDIS_URL"'
    read = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert read == running.settings(["valkey"])["PLEXICA_REDIS_URL"]


def test_up_of_running_servers_says_so(running: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    cli.up(running, arguments("up"))

    assert "Running already: postgres, valkey, s3." in capsys.readouterr().err


def test_down_and_env_of_nothing_say_so(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    cli.down(Stack(tree), arguments("down"))
    assert "Nothing was running." in capsys.readouterr().err
    with pytest.raises(StackError, match="start them with: bin/stack up"):
        cli.env(Stack(tree), arguments("env"))
    with pytest.raises(StackError, match="the server was never started"):
        cli.logs(Stack(tree), arguments("logs s3"))


def test_an_error_becomes_a_sentence_and_a_status(capsys: pytest.CaptureFixture[str]) -> None:
    for error, status, words in [
        (StackError("no."), 1, "bin/x: no."),
        (Stopped(), 130, "bin/x: stopped."),
        (OSError(28, "", "f"), 1, "No space left on device (f)"),
    ]:
        with pytest.raises(SystemExit) as end, one_sentence("bin/x"):
            raise error
        assert end.value.code == status
        assert words in capsys.readouterr().err


# --- bin/demo --------------------------------------------------------------------------------------------


def test_only_the_operations_worker_gets_the_operations_login(tree: Tree) -> None:
    env = {"PLEXICA_DATABASE_URL": "a", "PLEXICA_DATABASE_OPS_URL": "b", "PLEXICA_DATABASE_ADMIN_URL": "c"}

    programs = platform.programs(tree, env, bind="127.0.0.1", port=8000)

    assert {name: sorted(program.env.values()) for name, program in programs.items()} == {
        "web": ["a"],
        "operations": ["a", "b"],
        "worker": ["a"],
        "scheduler": ["a"],
        "relay": ["a", "b"],
        "consumer": ["a"],
        "sender": ["a"],
    }


def test_the_platforms_address_follows_name_and_port(tree: Tree) -> None:
    settings = platform.platform_settings(tree, bind="::", name="demo.localhost", port=8123)

    assert settings["PLEXICA_PUBLIC_URL"] == "http://demo.localhost:8123"
    assert settings["PLEXICA_BIND"] == "[::]:8123"
    assert (
        platform.platform_settings(tree, bind="::", name="localhost", port=80)["PLEXICA_PUBLIC_URL"]
        == "http://localhost"
    )


def test_django_gets_the_same_keys_at_every_start(tmp_path: Path) -> None:
    from cryptography.fernet import Fernet

    first = platform.django_secrets(tmp_path / "secrets.json")

    assert platform.django_secrets(tmp_path / "secrets.json") == first
    Fernet(first["PLEXICA_ENCRYPTION_KEYS"])


def test_the_settings_file_is_private_and_a_shell_reads_it(tmp_path: Path) -> None:
    platform.write_shell_file(tmp_path / "env", {"A": "it's", "B": "two words"})

    read = subprocess.run(
        ["sh", "-c", f'. {tmp_path}/env; printf %s "$A $B"'], capture_output=True, text=True, check=True
    )
    assert read.stdout == "it's two words"
    assert stat.S_IMODE((tmp_path / "env").stat().st_mode) == 0o600


def test_the_table_names_every_person_once(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    people = [{"role": "admin", "login": "mara@acme.example", "password": "opens every morning"}]

    show(
        tree,
        [{"name": "Acme", "url": "http://a.localhost", "people": people}],
        "http://localhost:8000",
        everywhere=True,
    )

    printed = capsys.readouterr().out
    assert printed.count("mara@acme.example") == 1
    assert "ssh -L 8000:127.0.0.1:8000" in printed


# --- steps and front end ---------------------------------------------------------------------------------


@pytest.fixture
def steps(tree: Tree) -> Steps:
    return Steps(tree, {**os.environ}, tree.root / "logs", lambda text: None)


def test_a_step_returns_what_it_printed_and_a_failed_one_shows_its_end(steps: Steps) -> None:
    assert steps.run("printing", "print", [PYTHON, "-c", "print('hello')"]) == "hello\n"

    with pytest.raises(StackError, match=r"(?s)failing: failed; the end of logs/fail.log:.*because"):
        steps.run("failing", "fail", [PYTHON, "-c", "import sys; print('because'); sys.exit(1)"])


def test_cancelling_ends_a_step_and_lets_no_other_begin(steps: Steps) -> None:
    threading.Timer(0.2, steps.cancel).start()
    began = time.monotonic()

    with pytest.raises(Stopped):
        steps.run("sleeping", "sleep", ["sleep", "30"])
    with pytest.raises(Stopped):
        steps.run("another", "another", ["true"])

    assert time.monotonic() - began < 10


def test_the_front_end_is_built_once_until_its_sources_change(
    tree: Tree, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.embedded.frontend.bin_folder", lambda root: root / "node")
    (tree.root / "node").mkdir()
    for name, made in [("npm", "node_modules"), ("node", " ".join(frontend.BUILT))]:
        program = tree.root / "node" / name
        program.write_text(f"#!/bin/sh\nmkdir -p {made}; echo {name} >> runs\n")
        program.chmod(0o755)
    (tree.root / "static").mkdir()
    for name in ("package.json", "package-lock.json", "static/build.mjs", "static/icons.txt"):
        (tree.root / name).write_text("1")

    for _ in range(2):
        frontend.build(tree, steps, Path(PYTHON))
    assert (tree.root / "runs").read_text().split() == ["npm", "node"]

    (tree.root / "static" / "icons.txt").write_text("2")
    frontend.build(tree, steps, Path(PYTHON))
    assert (tree.root / "runs").read_text().split() == ["npm", "node", "node"]


def test_sources_leave_out_what_is_not_ours(tree: Tree) -> None:
    for name in ("core/a.py", "node_modules/b.py", ".venv/c.py", "var/d.py"):
        (tree.root / name).parent.mkdir(exist_ok=True)
        (tree.root / name).touch()

    assert sources(tree, lambda file: file.suffix == ".py") == [tree.root / "core" / "a.py"]


def test_a_node_that_is_too_old_is_passed_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("node", "npm"):
        (tmp_path / name).write_text("#!/bin/sh\necho v18.19.0\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert node.bin_folder(tmp_path) == tmp_path / ".venv" / "bin"

    (tmp_path / "node").write_text("#!/bin/sh\necho v22.1.0\n")
    assert node.bin_folder(tmp_path) == tmp_path


# --- bin/test and the environment ------------------------------------------------------------------------


@pytest.mark.parametrize("variable", testing.PROGRAMS)
def test_a_program_that_was_named_must_be_one(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "/nonexistent")
    with pytest.raises(StackError, match=f"{variable} is /nonexistent, which is no program"):
        testing.find(variable, [])

    monkeypatch.setenv(variable, PYTHON)
    assert testing.find(variable, []) == PYTHON


@pytest.mark.parametrize(
    ("variable", "package"), [("PLEXICA_CHROMIUM", "chromium-headless-shell"), ("PLEXICA_PGBOUNCER", "pgbouncer")]
)
def test_with_ci_a_missing_program_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str, package: str
) -> None:
    for other in testing.PROGRAMS:
        monkeypatch.setenv(other, PYTHON)
    monkeypatch.delenv(variable)
    names, mark, debian = testing.PROGRAMS[variable]
    monkeypatch.setitem(testing.PROGRAMS, variable, (["no-such-program"], mark, debian))
    monkeypatch.setenv("CI", "true")

    with pytest.raises(SystemExit) as end:
        testing.main([])

    assert end.value.code == 1
    assert names
    assert f"Run: apt-get install {package}" in capsys.readouterr().err


def test_an_environment_that_fits_is_left_alone_and_another_is_made_anew(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tree.root / "requirements-dev.txt").write_text("one==1\n")
    made = []

    def make(tree: Tree, venv: Path) -> None:
        (venv / "bin").mkdir(parents=True, exist_ok=True)
        (venv / "bin" / "python").touch()
        made.append(venv)

    monkeypatch.setattr(bootstrap, "_make", make)
    bootstrap.ensure(tree)
    bootstrap.ensure(tree)
    assert len(made) == 1

    (tree.root / "requirements-dev.txt").write_text("one==2\n")
    bootstrap.ensure(tree)
    assert len(made) == 2


def test_a_python_without_venv_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(StackError, match=r"lacks the venv module.*apt-get install python3\.\d+-venv"):
        bootstrap._check_venv_module()


def test_a_broken_download_ends_with_its_reason(tmp_path: Path) -> None:
    failing = [PYTHON, "-c", "import sys; print('error: connection refused'); sys.exit(2)"]

    with pytest.raises(StackError, match=r"could not be downloaded: error: connection refused \(all of it: .*log\)"):
        bootstrap._run(failing, tmp_path / "log", "uv could not be downloaded")
