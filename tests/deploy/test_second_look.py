"""What failed in a whole run is looked at once more, alone: run on small trees of tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.embedded import second_look

# fails the first time that it runs
UNSTEADY = """
from pathlib import Path

def test_that_falls_over_once():
    mark = Path("fell")
    if not mark.exists():
        mark.touch()
        raise AssertionError("busy")

def test_that_stands():
    pass
"""
FALSE = "import pytest\n\n@pytest.mark.parametrize('n', range({count}))\ndef test_never(n):\n    assert 0\n"


def run(folder: Path, name: str, text: str, capfd: pytest.CaptureFixture[str]) -> tuple[bool, str]:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -p no:django\n")
    env = {"PATH": os.environ["PATH"]}
    subprocess.run([sys.executable, "-m", "pytest", "-q"], cwd=folder, env=env, check=False)
    capfd.readouterr()
    passed = second_look.passes(folder, Path(sys.executable), env)
    captured = capfd.readouterr()
    return passed, captured.out + captured.err


def test_what_passes_alone_is_named_and_only_that_runs_again(tmp_path, capfd):
    passed, said = run(tmp_path, "test_it.py", UNSTEADY, capfd)

    assert passed
    assert "1 passed" in said
    assert "UNSTEADY" in said
    assert "test_it.py::test_that_falls_over_once" in said
    assert "test_that_stands" not in said


def test_what_fails_alone_too_has_failed(tmp_path, capfd):
    passed, said = run(tmp_path, "test_it.py", FALSE.format(count=2), capfd)

    assert not passed
    assert "2 failed" in said
    assert "UNSTEADY" not in said


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tests/attacks/test_tokens.py", UNSTEADY),
        ("tests/isolation/test_roles.py", UNSTEADY),
        ("tests/test_at_once.py", UNSTEADY),
        ("test_it.py", FALSE.format(count=second_look.MOST + 1)),
        ("test_it.py", "def test_fine():\n    pass\n"),
    ],
    ids=["attack", "isolation", "race", "many", "nothing failed"],
)
def test_a_race_an_attack_and_many_failures_get_no_second_look(name, text, tmp_path, capfd):
    passed, said = run(tmp_path, name, text, capfd)

    assert not passed
    assert said == ""
