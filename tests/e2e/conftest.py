"""A running platform and browsers that look at it. Both end with the last test of this folder."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.e2e.viewer import PATIENCE_MS, Viewer, launch
from tests.support import people
from tests.support.platform import EVERYTHING, Platform, static_files


@pytest.fixture(scope="package")
def platform(django_db_setup: None) -> Iterator[Platform]:
    """Web, worker, operations worker and scheduler, with acme-corp and globex-inc and what tests.e2e.scenery adds."""
    platform = Platform("walks", static_root=static_files())
    with platform.life():
        yield platform
        ended = platform.terminate(*EVERYTHING)
    print({name: round(end.took_s, 1) for name, end in ended.items()})
    assert {name: end.status for name, end in ended.items()} == dict.fromkeys(EVERYTHING, 0)


@pytest.fixture(scope="package")
def single_use(platform: Platform) -> dict[str, str]:
    """Addresses that only a mail has: the set-password page of a workspace and of the console."""
    addresses: dict[str, str] = json.loads(platform.manage("-m", "tests.e2e.scenery").splitlines()[-1])
    return addresses


@pytest.fixture(scope="package")
def browser(platform: Platform) -> Iterator[Browser]:
    """Chromium. Ends before the platform does: its event loop keeps Django's ORM from working in this thread."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        expect.set_options(timeout=PATIENCE_MS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def sessions(platform: Platform, browser: Browser) -> dict[str, Any]:
    """The cookies of everybody's real sign-in, by person: made once."""
    cookies: dict[str, Any] = {}
    starts = {"owner": "acme-corp.", "member": "acme-corp.", "operator": ""}
    for who, prefix in starts.items():
        viewer = Viewer(browser)
        viewer.page.goto(f"http://{prefix}{platform.netloc}/{'console/' if who == 'operator' else ''}")
        viewer.sign_in(people.email_of(who), people.PASSWORD)
        cookies[who] = viewer.context.storage_state()
        viewer.close()
    return cookies


@pytest.fixture(scope="package")
def viewers(browser: Browser, sessions: dict[str, Any]) -> Iterator[Callable[..., Viewer]]:
    """Viewers that tests share, one for each person and language: for tests that only look."""
    made: dict[tuple[str | None, str], Viewer] = {}

    def give(who: str | None = None, language: str = "en-GB") -> Viewer:
        if (who, language) not in made:
            made[who, language] = Viewer(browser, storage_state=sessions[who] if who else None, language=language)
        return made[who, language]

    yield give
    for viewer in made.values():
        viewer.close()


@pytest.fixture
def look(browser: Browser, sessions: dict[str, Any]) -> Iterator[Callable[..., Viewer]]:
    """Makes viewers: `look()` is a stranger, `look("owner")` has signed in; each is a browser profile of its own."""
    made: list[Viewer] = []

    def make(who: str | None = None, **options: Any) -> Viewer:
        viewer = Viewer(browser, storage_state=sessions[who] if who else None, **options)
        made.append(viewer)
        return viewer

    yield make
    for viewer in made:
        viewer.close()


@pytest.fixture
def at(platform: Platform) -> Callable[..., str]:
    """Addresses: `at("/console/")` on the platform's host, `at("/team/", "acme-corp")` on a tenant's."""

    def address(path: str, slug: str = "") -> str:
        return f"http://{slug + '.' if slug else ''}{platform.netloc}{path}"

    return address
