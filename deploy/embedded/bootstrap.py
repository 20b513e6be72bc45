"""Makes the environment of this checkout, `.venv`, and goes on in it. Runs on any Python 3.11+ without packages.

    python3 -m deploy.embedded.bootstrap [MODULE ARGUMENTS...]

Quick when nothing changed: a stamp holds what the environment was made from. Writes inside the checkout, and to the
caches of pip and uv in the person's home.
"""

import fcntl
import hashlib
import importlib.util
import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from deploy.embedded import options, ports, progress
from deploy.embedded.errors import StackError, Stopped, one_sentence
from deploy.embedded.paths import Tree

DEMO = "deploy.embedded.demo"
PROGRAMS = {DEMO: "bin/demo", "deploy.embedded.testing": "bin/test", "deploy.embedded.cli": "bin/stack"}


def main() -> None:
    module, *arguments = sys.argv[1:] or [""]
    signal.signal(signal.SIGTERM, _stop)
    with one_sentence(PROGRAMS.get(module, "bin/_venv")):
        tree = Tree.here()
        _refuse_early(tree, module, arguments)
        ensure(tree)
        if module:
            python = str(tree.root / ".venv" / "bin" / "python")
            os.execv(python, [python, "-m", module, *arguments])  # noqa: S606


def _refuse_early(tree: Tree, module: str, arguments: list[str]) -> None:
    """Answer --help, wrong options and a taken port before anything slow."""
    if module in options.PARSERS:
        parsed = options.PARSERS[module](arguments)
        if module == DEMO and not (tree.demo / "run.json").exists() and not ports.is_free(parsed.port, parsed.bind):
            raise StackError(options.port_taken(parsed.port))


def ensure(tree: Tree) -> None:
    """Make or renew `.venv` unless its stamp fits. Two at once: the second waits."""
    venv = tree.root / ".venv"
    wanted = _stamp(tree)
    if _is_fresh(venv, wanted):
        return
    (tree.root / "var").mkdir(exist_ok=True)
    with (tree.root / "var" / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_fresh(venv, wanted):
            _make(tree, venv)
            (venv / ".stamp").write_text(wanted, encoding="utf-8")


def _stamp(tree: Tree) -> str:
    packages = (tree.root / "requirements-dev.txt").read_bytes()
    return f"{hashlib.sha256(packages).hexdigest()} {platform.python_version()} {tree.root}"


def _is_fresh(venv: Path, wanted: str) -> bool:
    stamp = venv / ".stamp"
    return stamp.exists() and stamp.read_text(encoding="utf-8") == wanted and (venv / "bin" / "python").exists()


def _make(tree: Tree, venv: Path) -> None:
    log = tree.root / "var" / "bootstrap.log"
    log.write_bytes(b"")
    (venv / ".stamp").unlink(missing_ok=True)
    if not _same_python(venv):
        _check_venv_module()
        progress.say(f"making .venv with Python {platform.python_version()}")
        shutil.rmtree(venv, ignore_errors=True)
        _run([sys.executable, "-m", "venv", venv], log, "the environment could not be made")
    python, tools = venv / "bin" / "python", venv / "tools"
    if not (tools / "bin" / "uv").exists():
        pip: list[str | Path] = [python, "-m", "pip", "--disable-pip-version-check", "--no-input"]
        _run(
            [*pip, "install", "--quiet", "--upgrade", "--target", tools, "uv"],
            log,
            "uv could not be downloaded",
        )
    progress.say("installing Python packages, servers among them")
    sync: list[str | Path] = [tools / "bin" / "uv", "pip", "sync", "--python", python]
    sync += ["--link-mode", _link_mode(), "requirements-dev.txt"]
    _run(sync, log, "the Python packages could not be installed", _uv_environment(python))
    # beside the packages, as what is installed there is exactly what the file names
    uv = venv / "bin" / "uv"
    uv.unlink(missing_ok=True)
    uv.symlink_to(tools / "bin" / "uv")
    progress.say("Python packages are installed")


def _same_python(venv: Path) -> bool:
    python = venv / "bin" / "python"
    if not python.exists():
        return False
    asked = subprocess.run(
        [python, "-c", "import platform, sys, pip; print(platform.python_version(), sys.prefix)"],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.returncode == 0 and asked.stdout.strip() == f"{platform.python_version()} {venv}"


def _check_venv_module() -> None:
    if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise StackError(
            f"{sys.executable} lacks the venv module. On Debian or Ubuntu install it with:"
            f" sudo apt-get install python{version}-venv"
        )


def _link_mode() -> str:
    """Hard links to uv's cache are quickest; copies are safe where links do not reach."""
    return os.environ.get("UV_LINK_MODE", "hardlink" if sys.platform == "linux" else "clone")


def _uv_environment(python: Path) -> dict[str, str]:
    """uv follows what pip is told about package index and certificates."""
    told = {"UV_SYSTEM_CERTS": "true", **os.environ}
    asked = subprocess.run(
        [python, "-m", "pip", "config", "get", "global.index-url"],
        capture_output=True,
        text=True,
        check=False,
    )
    index = os.environ.get("PIP_INDEX_URL") or asked.stdout.strip()
    if index:
        told.setdefault("UV_DEFAULT_INDEX", index)
    return told


def _run(argv: Sequence[str | Path], log: Path, failure: str, env: dict[str, str] | None = None) -> None:
    """Run a step with its output in the log; ends with us when we are ended."""
    with log.open("ab") as output:
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=env)
        try:
            status = child.wait()
        except BaseException:
            child.terminate()
            child.wait()
            raise
    if status:
        said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        reason = next((line.strip() for line in reversed(said) if "rror" in line), said[-1] if said else "no reason")
        raise StackError(f"{failure}: {reason} (all of it: {log})")


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped


if __name__ == "__main__":
    main()
