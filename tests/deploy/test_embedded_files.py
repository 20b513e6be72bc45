"""Files of the embedded servers keep what several threads and processes put into them."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deploy.embedded.files import Secrets


def test_secrets_made_side_by_side_are_all_kept(tmp_path: Path) -> None:
    shared = Secrets(tmp_path / "secrets.json")
    names = [f"server_{number}" for number in range(24)]

    with ThreadPoolExecutor(8) as pool:
        made = dict(zip(names, pool.map(shared.get, names), strict=True))

    assert {name: Secrets(shared.path).get(name) for name in names} == made
    assert {name: shared.get(name) for name in names} == made


def test_a_secret_made_by_another_process_in_the_meantime_is_taken_over(tmp_path: Path) -> None:
    ours, theirs = Secrets(tmp_path / "secrets.json"), Secrets(tmp_path / "secrets.json")

    made = theirs.get("postgres")

    assert ours.get("postgres") == made
