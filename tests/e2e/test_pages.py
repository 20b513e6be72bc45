"""Every page, at desk and phone width, light and dark, in English and Italian: nothing to complain about.

It is drawn twice: English, light, at a desk, and Italian, dark, on a phone.
"""

import functools
from collections.abc import Callable

import httpx
import pytest

from tests.e2e.pages import DEVICE_CODE, DEVICE_DONE, PAGES, SET_PASSWORD, Example, examples, routes
from tests.e2e.viewer import DESK, PHONE, Viewer
from tests.support.platform import Platform

pytestmark = pytest.mark.browser
COLOURS = ["color-contrast", "link-in-text-block"]  # all that a theme alone can spoil
SIGNED_IN = {"platform": "operator", "workspace": "owner"}


@pytest.mark.parametrize("portal", PAGES)
def test_every_route_is_looked_at_or_has_a_reason_not_to_be(portal: str) -> None:
    named = set(routes(portal))

    assert named - PAGES[portal].keys() == set(), "routes without an example: add them to tests/e2e/pages.py"
    assert PAGES[portal].keys() - named == set(), "examples without a route"


@pytest.fixture(scope="package")
def codes(platform: Platform, viewers: Callable[..., Viewer]) -> dict[str, dict[str, str]]:
    """Codes of the device flow for each portal: one that was typed and waits for approval, one that was allowed."""
    return {
        portal: {
            DEVICE_CODE: _code(platform, viewers, portal),
            DEVICE_DONE: _code(platform, viewers, portal, allow=True),
        }
        for portal in PAGES
    }


def _code(platform: Platform, viewers: Callable[..., Viewer], portal: str, *, allow: bool = False) -> str:
    host = ("acme-corp." if portal == "workspace" else "") + platform.netloc
    form = {"client_id": "plexica-cli", "scope": "openid"}
    address = f"http://127.0.0.1:{platform.port}/op/device-authorization/"
    code: str = httpx.post(address, data=form, headers={"Host": host}, timeout=60).json()["user_code"]
    page = viewers(SIGNED_IN[portal]).page
    page.goto(f"http://{host}/op/device/?user_code={code}")
    page.locator("form button[type=submit]").first.click()
    page.wait_for_url("**/op/device/plexica-cli/**")
    if allow:
        page.locator("button[value=allow]").click()
        page.wait_for_url("**/done/")
    return code


@pytest.mark.parametrize(
    ("portal", "example"), [pytest.param(portal, page, id=f"{portal}: {name}") for portal, name, page in examples()]
)
def test_a_page_has_no_fault(
    portal: str,
    example: Example,
    viewers: Callable[..., Viewer],
    at: Callable[..., str],
    single_use: dict[str, str],
    codes: dict[str, dict[str, str]],
) -> None:
    slug = example.slug or ("acme-corp" if portal == "workspace" else "")
    known = {**codes[portal], **single_use}
    path = functools.reduce(lambda path, place: path.replace(*place), known.items(), example.path)
    url = single_use[portal] if example.path == SET_PASSWORD else at(path, slug)
    who = SIGNED_IN[portal] if example.who == "signed_in" else example.who
    english, italian = viewers(who), viewers(who, "it-IT")

    faults = [
        *_faults(english, url, example.status, size=DESK, theme="light"),
        *_faults(italian, url, example.status, size=PHONE, theme="dark"),
    ]
    faults += [] if italian.page.locator("html").get_attribute("lang") == "it" else ["not in Italian"]

    assert not faults, "\n".join(faults)


def _faults(viewer: Viewer, url: str, status: int, *, size: dict[str, int], theme: str) -> list[str]:
    """Look at a page as it is drawn for this size and theme; from a desk also at its colours in the other theme, and on a phone."""
    viewer.page.set_viewport_size(size)  # type: ignore[arg-type]
    viewer.set_theme(theme, url)
    viewer.complaints.clear()
    answer = viewer.open(url)
    found = [] if answer.status == status else [f"answered {answer.status}"]
    found += [] if viewer.theme == theme else [f"drawn {viewer.theme}"]
    found += [f"too wide: {part}" for part in viewer.too_wide()]
    found += [f"axe: {finding}" for finding in viewer.axe()]
    if size == DESK:  # the same parts have the same colours on a phone
        other = "light" if theme == "dark" else "dark"
        viewer.turn(other)
        found += [f"axe, turned {other}: {finding}" for finding in viewer.axe(COLOURS)]
        viewer.page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        found += [f"too wide on a phone: {part}" for part in viewer.too_wide()]
    found += [f"policy: {violation}" for violation in viewer.violations()]
    found += viewer.complaints
    return [f"{size['width']} px, {theme}, {viewer.language}: {fault}" for fault in found]
