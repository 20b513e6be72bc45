"""PostgreSQL, Valkey and S3 die in the middle of provisioning and of deletion, and come back: nothing is left half done."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.apart import Apart
from tests.support.platform import wait_until

# in front of which step of each the server dies: the next thing that it is needed for
MIDDLES = {
    "postgres": ("schema", "schema"),
    "valkey": ("first_admin", "traces"),
    "s3": ("bucket", "bucket"),
}


@pytest.fixture(scope="module")
def apart(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    with Apart.on_own_servers(tmp_path_factory.mktemp("faults")) as apart:
        made = [apart.ask("provision", f"old-{server}", False) for server in MIDDLES]
        for operation in made:
            assert apart.wait_ended(operation)["status"] == "succeeded"
        yield apart


@pytest.mark.parametrize("server", MIDDLES)
def test_when_a_server_dies_in_the_middle_everything_is_finished_or_undone(apart: Apart, server: str) -> None:
    begin = time.monotonic()
    making, removing = apart.ask("provision", f"new-{server}", True), apart.ask("delete", f"old-{server}")
    at = dict(zip((making, removing), MIDDLES[server], strict=True))

    with apart.held_up_at(at):
        apart.kill_server(server)
    if server != "postgres":  # let the workers run into it
        for operation, key in at.items():
            assert _retried(apart, operation, key)["error"]
    started_s = apart.start_server(server)
    apart.sql("UPDATE tenants_operation SET lease_until = now() WHERE lease_until IS NOT NULL")
    apart.let_begin([making, removing])  # as the scheduler would, within 5 s
    made, removed = apart.wait_ended(making), apart.wait_ended(removing)

    assert removed["status"] == "succeeded"
    assert set(removed["facts"]["left"].values()) == {0}
    assert not any(apart.ask("left", removing).values())
    assert made["status"] in ("succeeded", "failed")
    assert set(apart.ask("left", making).values()) == {1 if made["status"] == "succeeded" else 0}
    for slug in [f"old-{server}"] + [f"new-{server}"] * (made["status"] == "failed"):
        assert apart.wait_ended(apart.ask("provision", slug, False))["status"] == "succeeded"
    print(
        f"{server} was back {started_s:.1f} s after its end; all in all {time.monotonic() - begin:.1f} s: {made['status']}"
    )


def _retried(apart: Apart, operation: str, key: str) -> dict[str, Any]:
    """Wait until a step has failed and is due again, and return it."""

    def found() -> dict[str, Any] | None:
        step = apart.step(operation, key)
        return step if step["status"] == "retrying" else None

    return wait_until(found, timeout_s=15, what=lambda: apart.log_of("operations"))
