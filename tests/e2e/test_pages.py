"""Every page, at desk and phone width, light and dark, in English and Italian: nothing to complain about."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.e2e.pages import DEVICE_CODE, PAGES, SET_PASSWORD, Example, examples, routes
from tests.e2e.viewer import DESK, PHONE, Viewer

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("platform")]
COLOURS = ["color-contrast", "link-in-text-block"]  # all that a theme alone can spoil
SIGNED_IN = {"platform": "operator", "workspace": "owner"}


@pytest.mark.parametrize("portal", PAGES)
def test_every_route_is_looked_at_or_has_a_reason_not_to_be(portal: str) -> None:
    named = set(routes(portal))

    assert named - PAGES[portal].keys() == set(), "routes without an example: add them to tests/e2e/pages.py"
    assert PAGES[portal].keys() - named == set(), "examples without a route"


@pytest.fixture(scope="package")
def device_codes(platform: Any) -> dict[str, str]:
    """A code of the device flow that waits for approval, for each portal."""
    codes = {}
    for portal, host in (("platform", platform.netloc), ("workspace", f"acme-corp.{platform.netloc}")):
        form = {"client_id": "plexica-cli", "scope": "openid"}
        address = f"http://127.0.0.1:{platform.port}/op/device-authorization/"
        codes[portal] = httpx.post(address, data=form, headers={"Host": host}, timeout=20).json()["user_code"]
    return codes


@pytest.mark.parametrize(
    ("portal", "example"), [pytest.param(portal, page, id=f"{portal}: {name}") for portal, name, page in examples()]
)
def test_a_page_has_no_fault(
    portal: str,
    example: Example,
    look: Callable[..., Viewer],
    at: Callable[..., str],
    single_use: dict[str, str],
    device_codes: dict[str, str],
) -> None:
    slug = example.slug or ("acme-corp" if portal == "workspace" else "")
    path = example.path.replace(DEVICE_CODE, device_codes[portal])
    url = single_use[portal] if path == SET_PASSWORD else at(path, slug)
    who = SIGNED_IN[portal] if example.who == "signed_in" else example.who
    faults: list[str] = []

    english, italian = look(who), look(who, size=PHONE, language="it-IT")
    for size, theme in ((DESK, "light"), (PHONE, "dark")):
        faults += _faults(english, url, example.status, size=size, theme=theme)
    faults += _faults(italian, url, example.status, size=PHONE, theme="light", thorough=False)
    faults += [] if italian.page.locator("html").get_attribute("lang") == "it" else ["not in Italian"]

    assert not faults, "\n".join(faults)


def _faults(viewer: Viewer, url: str, status: int, *, size: dict[str, int], theme: str, thorough: bool = True) -> list[str]:
    """Look at a page, and at its colours in the other theme too."""
    viewer.page.set_viewport_size(size)  # type: ignore[arg-type]
    viewer.set_theme(theme, url)
    viewer.complaints.clear()
    answer = viewer.open(url)
    found = [] if answer.status == status else [f"answered {answer.status}"]
    found += [] if viewer.theme == theme else [f"drawn {viewer.theme}"]
    found += [f"too wide: {part}" for part in viewer.too_wide()]
    if thorough:
        found += [f"axe: {finding}" for finding in viewer.axe()]
        other = "light" if theme == "dark" else "dark"
        viewer.page.evaluate("theme => (document.documentElement.dataset.bsTheme = theme)", other)
        found += [f"axe, turned {other}: {finding}" for finding in viewer.axe(COLOURS)]
    found += [f"policy: {violation}" for violation in viewer.violations()]
    found += viewer.complaints
    return [f"{size['width']} px, {theme}, {viewer.language}: {fault}" for fault in found]
