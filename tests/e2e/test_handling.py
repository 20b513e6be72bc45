"""What pages do under the hand: palette, theme, sidebar, drawer, forms; and what they cost."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Dialog, Page, expect

from tests.e2e.viewer import PHONE, Viewer
from tests.support.platform import Platform

pytestmark = pytest.mark.browser
FIRST_VISIT_BYTES, NEXT_VISIT_BYTES = 200_000, 20_000
SHIFTS = """
() => new Promise((done) => {
  let total = 0;
  new PerformanceObserver((list) => list.getEntries().forEach((entry) => (total += entry.value)))
    .observe({type: "layout-shift", buffered: true});
  setTimeout(() => done(total), 300);
})
"""
# window.name outlives the page
PRESS_AGAIN_WHEN_BUSY = """
(button) => new MutationObserver(() => {
  window.name = "was busy";
  button.click();
  button.form.requestSubmit();
}).observe(button, {attributeFilter: ["aria-busy"]})
"""


@pytest.mark.parametrize("key", ["Control+k", "/"])
def test_a_key_opens_the_palette_which_finds_a_tenant_and_goes_there(
    key: str, look: Callable[..., Viewer], at: Callable[..., str]
) -> None:
    page = look("operator").page
    page.goto(at("/console/tenants/"))

    page.locator("body").press(key)
    page.keyboard.type("globex")
    expect(page.get_by_role("option", name="Globex Inc")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")

    page.wait_for_url(at("/console/tenants/globex-inc/"))


def test_the_palette_of_a_workspace_finds_a_person(look: Callable[..., Viewer], at: Callable[..., str]) -> None:
    viewer = look("owner")
    page = viewer.page
    page.goto(at("/", "acme-corp"))

    page.keyboard.press("Control+k")
    expect(page.get_by_role("option", name="Dashboard")).to_be_visible()
    page.keyboard.type("kadlec")
    expect(page.get_by_role("option").first).to_contain_text("Tomas Kadlec")
    assert viewer.axe() == []
    page.keyboard.press("Enter")

    page.wait_for_url(at("/team/", "acme-corp") + "*/")
    expect(page.get_by_role("heading", name="Tomas Kadlec")).to_be_visible()


def test_escape_closes_the_palette_and_gives_the_focus_back(
    look: Callable[..., Viewer], at: Callable[..., str]
) -> None:
    page = look("owner").page
    page.goto(at("/", "acme-corp"))

    page.get_by_role("button", name="Search or jump to").click()
    expect(page.get_by_role("combobox")).to_be_focused()
    page.keyboard.press("Escape")

    expect(page.locator("#palette")).to_be_hidden()
    expect(page.get_by_role("button", name="Search or jump to")).to_be_focused()


def test_the_theme_is_kept_over_a_reload(look: Callable[..., Viewer], at: Callable[..., str]) -> None:
    viewer = look("owner")
    viewer.page.goto(at("/", "acme-corp"))
    before = viewer.theme

    viewer.page.get_by_role("button", name="Switch between light and dark").click()
    turned = viewer.theme
    viewer.page.goto(at("/team/", "acme-corp"))

    assert {before, turned} == {"light", "dark"}
    assert viewer.theme == turned


def test_a_folded_sidebar_stays_folded(look: Callable[..., Viewer], at: Callable[..., str]) -> None:
    page = look("owner").page
    page.goto(at("/", "acme-corp"))
    sidebar = page.get_by_role("complementary", name="Sidebar")
    wide = _width(page)

    page.get_by_role("button", name="Collapse sidebar").click()
    page.reload()

    assert _width(page) < wide / 2
    expect(page.locator("[data-px-collapse]")).to_have_attribute("aria-expanded", "false")
    expect(sidebar.get_by_role("link", name="Team")).to_be_visible()


def _width(page: Page) -> float:
    box = page.locator("#sidebar").bounding_box()
    assert box
    return box["width"]


def test_the_drawer_of_a_phone_keeps_the_focus_and_closes_with_escape(
    look: Callable[..., Viewer], at: Callable[..., str]
) -> None:
    viewer = look("owner", size=PHONE)
    page = viewer.page
    page.goto(at("/", "acme-corp"))
    opener = page.locator("[data-px-drawer-open]")

    opener.click()
    expect(page.get_by_role("link", name="Dashboard")).to_be_focused()
    findings = viewer.axe()
    inside = []
    for _ in range(8):
        page.keyboard.press("Tab")
        inside.append(page.evaluate("() => !document.activeElement.closest('.plx-main')"))
    page.keyboard.press("Escape")

    assert findings == []
    assert all(inside)
    expect(opener).to_be_focused()
    expect(opener).to_have_attribute("aria-expanded", "false")
    expect(page.get_by_role("link", name="Team")).to_be_hidden()


def test_leaving_a_changed_form_asks_first(look: Callable[..., Viewer], at: Callable[..., str]) -> None:
    page = look("operator").page
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    page.goto(at("/console/tenants/create/"))
    page.get_by_label("Name", exact=True).click()
    page.keyboard.type("Half a name")
    page.get_by_role("link", name="Cancel").click()
    page.wait_for_timeout(200)

    assert asked == ["beforeunload"]
    assert page.url == at("/console/tenants/create/")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Half a name")


def test_a_form_left_as_it_was_lets_go(look: Callable[..., Viewer], at: Callable[..., str]) -> None:
    page = look("operator").page
    page.on("dialog", lambda dialog: pytest.fail(f"asked: {dialog.message}"))
    page.goto(at("/console/tenants/create/"))

    page.get_by_role("link", name="Cancel").click()

    page.wait_for_url(at("/console/tenants/"))


def test_a_second_press_makes_no_second_tenant(
    platform: Platform, look: Callable[..., Viewer], at: Callable[..., str]
) -> None:
    page, slug = look("operator").page, "pressed-twice"
    page.goto(at("/console/tenants/create/"))
    page.get_by_label("Name", exact=True).fill("Pressed Twice")
    page.get_by_label("Slug").fill(slug)
    page.get_by_label("First admin’s name").fill("Due")
    page.get_by_label("First admin’s e-mail").fill("due@twice.example")
    button = page.get_by_role("button", name="Create tenant")
    posts: list[str] = []
    page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    button.evaluate(PRESS_AGAIN_WHEN_BUSY)

    button.click()
    page.wait_for_url(at(f"/console/tenants/{slug}/"))

    assert page.evaluate("() => window.name") == "was busy"
    assert posts == [at("/console/tenants/create/")]
    assert len(platform.sql("SELECT 1 FROM tenants_tenant WHERE slug LIKE 'pressed%%'")) == 1


def test_the_dashboard_is_light_and_stands_still(
    look: Callable[..., Viewer], at: Callable[..., str], record_property: Callable[[str, object], None]
) -> None:
    viewer = look("owner")

    first = _transferred(viewer, at("/", "acme-corp"))
    shift = viewer.page.evaluate(SHIFTS)
    second = _transferred(viewer, at("/", "acme-corp"))

    print(f"dashboard: {first:,} bytes on the first visit, {second:,} on the second; layout shift {shift:.4f}")
    record_property("dashboard_bytes", (first, second))
    assert first < FIRST_VISIT_BYTES
    assert second < NEXT_VISIT_BYTES
    assert shift < 0.01


def _transferred(viewer: Viewer, url: str) -> int:
    """Bytes that came over the wire for a page and all it loads."""
    sizes: list[int] = []
    wire = viewer.context.new_cdp_session(viewer.page)
    wire.send("Network.enable")

    def count(event: dict[str, Any]) -> None:
        sizes.append(int(event["encodedDataLength"]))

    wire.on("Network.loadingFinished", count)
    viewer.page.goto(url, wait_until="networkidle")
    wire.detach()
    return sum(sizes)
