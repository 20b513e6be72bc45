"""Real processes that die, and queues that lose their data: what was begun is finished all the same."""

import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.support import people
from tests.support.http import HttpVisitor
from tests.support.platform import START_S, Platform, wait_until

AGAIN_S = 30.0  # within which another worker takes over: a lease of 12 s, a look every 5 s
ROUNDS = 4


@pytest.fixture(scope="module")
def platform(django_db_setup: None) -> Iterator[Platform]:
    """Web, worker and scheduler; each test starts and ends operations workers as it likes."""
    with Platform("processes").life("web", "worker", "scheduler") as platform:
        yield platform


@pytest.fixture(scope="module")
def token(platform: Platform) -> str:
    """An operator's access token, through the device flow over HTTP."""
    operator = HttpVisitor(platform.port)
    operator.sign_in(people.email_of("operator"), people.PASSWORD, start="/console/")
    return operator.token()


@pytest.fixture(autouse=True)
def _no_operations_worker_left(platform: Platform) -> Iterator[None]:
    yield
    platform.terminate(*(name for name in platform.running if name.startswith("operations")))


def _ask(platform: Platform, token: str, slug: str) -> dict[str, Any]:
    body = {"slug": slug, "name": slug.title(), "admin_email": f"admin@{slug}.example"}
    visitor = HttpVisitor(platform.port)
    answer = visitor.client.post("/api/v1/tenants/", json=body, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 202, answer.text
    operation: dict[str, Any] = answer.json()
    return operation


def _wait_for_steps(platform: Platform, slug: str, states: list[str]) -> None:
    wait_until(
        lambda: platform.steps_of(slug)[: len(states)] == states,
        timeout_s=START_S,
        what=lambda: f"{platform.steps_of(slug)}\n{platform.log_of('operations')}",
    )


def test_another_worker_finishes_what_a_killed_one_began(platform: Platform, token: str) -> None:
    _ask(platform, token, "killed-once")
    with platform.step_held_up("killed-once", 3):
        platform.start("operations")
        _wait_for_steps(platform, "killed-once", ["done", "done"])
        platform.start("operations#2")
        platform.wait_working("operations#2", timeout_s=START_S)
        platform.kill("operations")
        begin = time.monotonic()

    platform.wait_active("killed-once", timeout_s=AGAIN_S)

    print(f"a killed worker's operation was finished {time.monotonic() - begin:.1f} s later")
    assert platform.steps_of("killed-once") == ["done"] * 6


def test_an_operation_whose_message_was_lost_is_found(platform: Platform, token: str) -> None:
    _ask(platform, token, "lost-message")
    platform.flush_queues()

    platform.start("operations")
    platform.wait_working("operations", timeout_s=START_S)
    begin = time.monotonic()
    platform.wait_active("lost-message", timeout_s=AGAIN_S)

    print(f"an operation without a message was active {time.monotonic() - begin:.1f} s later")


def test_a_worker_told_to_end_finishes_the_operation_that_it_holds(platform: Platform, token: str) -> None:
    _ask(platform, token, "ended-softly")
    held = ExitStack()
    held.enter_context(platform.step_held_up("ended-softly", 3))
    platform.start("operations")
    _wait_for_steps(platform, "ended-softly", ["done", "done"])

    release = threading.Timer(1.0, held.close)  # the step goes on a second after the signal
    release.start()
    ended = platform.terminate("operations")
    release.join()
    states = platform.steps_of("ended-softly")
    platform.start("operations")
    platform.wait_active("ended-softly")

    print(f"the worker ended {ended['operations'].took_s:.1f} s after SIGTERM and left the steps {states}")
    assert ended["operations"].status == 0


def test_a_tenant_asked_for_by_the_api_is_soon_active(platform: Platform, token: str) -> None:
    platform.start("operations")
    _ask(platform, token, "speed-0")
    platform.wait_active("speed-0")
    took = []

    for number in range(1, ROUNDS + 1):
        begin = time.monotonic()
        _ask(platform, token, f"speed-{number}")
        platform.wait_active(f"speed-{number}")
        took.append(time.monotonic() - begin)

    rows = platform.sql(
        "SELECT extract(epoch FROM activated_at - created_at)::float AS took FROM tenants_tenant WHERE slug ~ '^speed-[1-9]'"
    )
    recorded = [row["took"] for row in rows]
    print(
        f"POST /api/v1/tenants/ to active: median {statistics.median(took):.2f} s, slowest {max(took):.2f} s;"
        f" as the tenants' rows tell it {statistics.median(recorded):.2f} s and {max(recorded):.2f} s"
    )
