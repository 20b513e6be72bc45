"""The embedded servers and the demo's supervision, with small processes that stand in for the large ones."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deploy.embedded import cli, ports, processes
from deploy.embedded.errors import StackError
from deploy.embedded.files import Secrets, locked, read_json, write_json
from deploy.embedded.options import parse_demo, resolve_host
from deploy.embedded.paths import Tree
from deploy.embedded.processes import Mark
from deploy.embedded.stack import Stack
from deploy.embedded.stamps import Stamps, fingerprint

ROOT = Path(__file__).parents[2]
SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "checkout")


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """Starts small processes and leaves none behind."""
    started: list[subprocess.Popen[bytes]] = []

    def start(argv: list[str], **env: str) -> "subprocess.Popen[bytes]":
        process = processes.spawn(argv, log=tmp_path / "log", cwd=tmp_path, env={**os.environ, **env})
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def stack(tree: Tree) -> Iterator[Stack]:
    made = Stack(tree)
    yield made
    made.down()


def mark_of(process: "subprocess.Popen[bytes]") -> Mark:
    mark = processes.mark(process.pid)
    assert mark is not None
    return mark


def eventually(holds: Callable[[], object], timeout_s: float = 10) -> bool:
    deadline = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


# --- servers ---------------------------------------------------------------------------------------------


def test_a_server_keeps_port_and_data_over_down_and_up(stack: Stack) -> None:
    stack.up(["valkey"])
    before = stack.server("valkey").address

    stack.down()
    again = Stack(stack.tree)
    again.up(["valkey"])

    assert again.server("valkey").address == before
    assert [row.state for row in again.rows()] == ["running"]


def test_a_second_up_starts_nothing_and_a_killed_server_is_started_again(stack: Stack) -> None:
    stack.up(["valkey"])
    first = stack.running("valkey")
    assert first is not None

    assert stack.up(["valkey"]) == []
    os.kill(first.pid, signal.SIGKILL)
    assert processes.wait_gone(first, 5)
    assert [row.state for row in stack.rows()] == ["died"]

    assert Stack(stack.tree).up(["valkey"]) == ["valkey"]
    assert stack.running("valkey") not in {None, first}


def test_two_checkouts_run_side_by_side(stack: Stack, tmp_path: Path) -> None:
    other = Stack(Tree(tmp_path / "other"))
    try:
        stack.up(["valkey"])
        other.up(["valkey"])

        assert stack.server("valkey").port != other.server("valkey").port
        assert stack.secrets.get("valkey") != other.secrets.get("valkey")
        other.down()
        assert stack.running("valkey")
    finally:
        other.down()


def test_a_checkout_that_was_copied_does_not_touch_the_first_ones_processes(stack: Stack, tmp_path: Path) -> None:
    stack.up(["valkey"])
    shutil.copytree(stack.tree.root, tmp_path / "copy")
    copy = Stack(Tree(tmp_path / "copy"))

    assert copy.running("valkey") is None
    assert copy.server("valkey").port != stack.server("valkey").port
    assert stack.running("valkey")


def test_a_pid_that_another_process_has_now_is_neither_trusted_nor_killed(
    stack: Stack, spawn: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    bystander = spawn(SLEEPER)
    stack.server("valkey")
    state = read_json(stack.tree.stack / "state.json")
    state["running"] = {"valkey": {"pid": bystander.pid, "born": "an earlier process"}}
    write_json(stack.tree.stack / "state.json", state)

    assert [row.state for row in stack.rows()] == ["died"]
    assert stack.down(["valkey"]) == []
    assert bystander.poll() is None


def test_a_server_that_runs_without_a_record_is_replaced(stack: Stack) -> None:
    stack.up(["valkey"])
    lost = stack.running("valkey")
    assert lost is not None
    state = read_json(stack.tree.stack / "state.json")
    write_json(stack.tree.stack / "state.json", {**state, "running": {}})

    Stack(stack.tree).up(["valkey"])

    assert not lost.is_running()
    assert stack.running("valkey")


def test_a_taken_port_is_named_in_one_sentence(stack: Stack) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", stack.server("valkey").port))
        taken.listen()

        with pytest.raises(StackError, match=r"Port \d+, which Valkey uses .* is taken .* --new-ports valkey"):
            stack.up(["valkey"])

        stack.forget_ports(["valkey"])
        assert stack.up(["valkey"]) == ["valkey"]


def test_a_server_that_ends_at_once_shows_the_end_of_its_log(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.embedded.servers.valkey.CONFIGURATION", "no-such-directive yes\n")

    with pytest.raises(StackError, match=r"(?s)Valkey ended as soon as .*no-such-directive"):
        stack.up(["valkey"])


def test_a_full_disk_is_said_before_anything_starts(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.embedded.stack.LEAST_DISK_BYTES", 10**18)

    with pytest.raises(StackError, match="free some space"):
        stack.up(["valkey"])


def test_passwords_are_kept_for_the_owner_alone(stack: Stack) -> None:
    password = stack.secrets.get("valkey")

    assert Secrets(stack.secrets.path).get("valkey") == password
    assert stack.secrets.path.stat().st_mode & 0o777 == 0o600


def test_passwords_asked_for_at_once_are_all_kept(tmp_path: Path) -> None:
    made = Secrets(tmp_path / "secrets.json")
    names = [f"name{number % 10}" for number in range(40)]

    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(made.get, names))

    assert got == [Secrets(made.path).find(name) for name in names]


def test_the_command_line_refuses_unknown_servers(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.parse(["up", "oracle"])

    assert (
        "there is no server 'oracle'. There are: postgres, valkey, s3, keycloak, keycloak-2, kafka"
        in capsys.readouterr().err
    )


# --- processes -------------------------------------------------------------------------------------------


def test_a_process_that_nobody_collected_counts_as_gone(
    spawn: Callable[..., "subprocess.Popen[bytes]"],
) -> None:
    process = spawn([sys.executable, "-c", ""])

    assert eventually(lambda: processes.mark(process.pid) is None)


def test_a_process_that_ignores_the_friendly_signal_is_killed(
    spawn: Callable[..., "subprocess.Popen[bytes]"],
) -> None:
    stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    process = spawn([sys.executable, "-c", stubborn])
    mark = mark_of(process)

    nudges = [processes.Nudge(signal.SIGTERM, 0.3), processes.Nudge(signal.SIGKILL, 3)]

    assert processes.stop(mark, nudges)


def test_processes_are_found_by_a_variable_of_their_run(
    spawn: Callable[..., "subprocess.Popen[bytes]"],
) -> None:
    process = spawn(SLEEPER, PLEXICA_TEST_RUN="a1b2")

    def found() -> list[int]:
        return [each.pid for each in processes.find_by_variable("PLEXICA_TEST_RUN", "a1b2")]

    assert eventually(lambda: found() == [process.pid])  # its environment shows a moment after its start


def test_a_lock_is_free_again_when_its_holder_is_killed(
    tmp_path: Path, spawn: Callable[..., "subprocess.Popen[bytes]"]
) -> None:
    code = (
        "import sys, time; from pathlib import Path; from deploy.embedded.files import locked\n"
        "with locked(Path(sys.argv[1])): Path(sys.argv[2]).touch(); time.sleep(60)"
    )
    holder = spawn([sys.executable, "-c", code, str(tmp_path / "lock"), str(tmp_path / "held")], PYTHONPATH=str(ROOT))
    assert eventually((tmp_path / "held").exists)

    with locked(tmp_path / "lock", wait=False) as had:
        assert not had
    holder.kill()
    holder.wait()
    with locked(tmp_path / "lock", wait=False) as had:
        assert had


def test_chosen_ports_are_free_and_differ() -> None:
    chosen = ports.choose(("a", "b", "c"))

    assert len(set(chosen.values())) == 3
    assert all(ports.is_free(port) for port in chosen.values())


def test_a_port_promised_to_another_server_is_not_chosen() -> None:
    left = next(port for port in ports.RANGE if ports.is_free(port))

    chosen = ports.choose(("a",), besides=[port for port in ports.RANGE if port != left])

    assert chosen == {"a": left}


# --- the demo's supervision -------------------------------------------------------------------------------


def _twice(pid: int) -> None:
    os.kill(pid, signal.SIGINT)
    time.sleep(0.1)
    os.kill(pid, signal.SIGINT)


ENDINGS: dict[str, Callable[[int], None]] = {
    "Ctrl-C": lambda pid: os.killpg(pid, signal.SIGINT),
    "SIGINT to the parent": lambda pid: os.kill(pid, signal.SIGINT),
    "SIGTERM to the parent": lambda pid: os.kill(pid, signal.SIGTERM),
    "two Ctrl-C": _twice,
}


class TinyDemo:
    """The real demo with two small programs and Valkey, in a process of its own."""

    def __init__(self, root: Path, kind: str) -> None:
        self.root = root
        self.output = root.parent / "output"
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, Path(__file__).with_name("tiny_demo.py"), root, kind],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def said(self, words: str, times: int = 1) -> bool:
        return self.output.read_text().count(words) >= times

    def children(self) -> list[Mark]:
        token = read_json(self.root / "var" / "demo" / "run.json").get("token", "none")
        return processes.find_by_variable("PLEXICA_DEMO_RUN", token)


@pytest.fixture
def tiny(tree: Tree) -> Iterator[Callable[..., TinyDemo]]:
    demos: list[TinyDemo] = []

    def start(kind: str = "steady") -> TinyDemo:
        tree.root.mkdir(exist_ok=True)
        demos.append(TinyDemo(tree.root, kind))
        return demos[-1]

    yield start
    for demo in demos:
        processes.stop_all(demo.children())
        demo.process.kill()
        demo.process.wait()
    Stack(tree).down()


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_demo_ends_all_it_started(tiny: Callable[..., TinyDemo], tree: Tree, ending: str) -> None:
    demo = tiny()
    assert eventually(lambda: demo.said("tiny demo is ready"))
    children, server = demo.children(), Stack(tree).running("valkey")
    assert len(children) == 3  # two programs, one with a child
    assert server

    ENDINGS[ending](demo.process.pid)

    assert demo.process.wait(10) == 0
    assert not any(each.is_running() for each in [*children, server])


def test_the_next_start_cleans_up_after_a_demo_that_was_killed(tiny: Callable[..., TinyDemo], tree: Tree) -> None:
    first = tiny()
    assert eventually(lambda: first.said("tiny demo is ready"))
    children, server = first.children(), Stack(tree).running("valkey")
    first.process.kill()
    first.process.wait()
    assert children
    assert all(each.is_running() for each in children)

    second = tiny()

    assert eventually(lambda: second.said("tiny demo is ready", times=2))
    assert second.said("cleaned up after a run that was killed")
    assert not any(each.is_running() for each in children)
    assert Stack(tree).running("valkey") == server  # taken over
    second.process.send_signal(signal.SIGINT)
    assert second.process.wait(10) == 0
    assert Stack(tree).running("valkey") is None


def test_a_second_demo_in_one_checkout_is_refused(tiny: Callable[..., TinyDemo]) -> None:
    first = tiny()
    assert eventually(lambda: first.said("tiny demo is ready"))

    second = tiny()

    assert second.process.wait(10) == 1
    assert second.said("already runs in this checkout")
    assert first.process.poll() is None


def test_a_program_that_dies_is_named_and_started_again(tiny: Callable[..., TinyDemo]) -> None:
    demo = tiny()
    assert eventually(lambda: demo.said("tiny demo is ready"))
    before = demo.children()

    processes.stop(before[0], [processes.Nudge(signal.SIGKILL, 3)])

    assert eventually(lambda: demo.said("ended on its own (status -9), it is started again"))
    assert eventually(lambda: len(demo.children()) == 3)


def test_a_program_that_keeps_dying_ends_the_demo_with_a_sentence(tiny: Callable[..., TinyDemo]) -> None:
    demo = tiny("failing")

    assert demo.process.wait(15) == 1
    assert demo.said("worker ended on its own (status 3) 5 times within 60 s")
    assert demo.said("no such thing")
    assert not demo.children()


# --- stamps and options ----------------------------------------------------------------------------------


def test_a_step_is_left_out_until_its_sources_change_or_its_result_is_gone(tree: Tree) -> None:
    tree.root.mkdir()
    source, result = tree.root / "source", tree.root / "result"
    source.write_text("one")
    result.touch()
    stamps = Stamps(tree.root / "stamps.json")
    stamps.put("step", fingerprint(tree, [source]))

    assert stamps.is_fresh("step", fingerprint(tree, [source]), [result])
    source.write_text("two")
    assert not stamps.is_fresh("step", fingerprint(tree, [source]), [result])
    source.write_text("one")
    result.unlink()
    assert not stamps.is_fresh("step", fingerprint(tree, [source]), [result])


@pytest.mark.parametrize(
    ("host", "bind", "name"),
    [
        ("localhost", "127.0.0.1", "localhost"),
        ("demo.localhost", "127.0.0.1", "demo.localhost"),
        ("0.0.0.0", "0.0.0.0", "localhost"),  # noqa: S104
        ("127.0.0.1", "127.0.0.1", "localhost"),
        ("::1", "::1", "localhost"),
    ],
)
def test_the_platform_gets_a_name_that_tenants_can_live_below(host: str, bind: str, name: str) -> None:
    assert resolve_host(host) == (bind, name)


@pytest.mark.parametrize("words", [["--host", "192.0.2.1"], ["--host", "plexica.test"], ["--port", "0"]])
def test_options_that_cannot_work_are_refused_with_a_reason(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refusal:
        parse_demo(words)

    assert refusal.value.code == 2
    assert "bin/demo: error: " in capsys.readouterr().err
