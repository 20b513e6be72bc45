"""What operators do to tenants, by hand: dialogs, the typed slug, undo, and many at once."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.e2e.viewer import Viewer

pytestmark = pytest.mark.browser


def test_a_suspension_asks_for_a_reason_and_gives_the_focus_back(
    look: Callable[..., Viewer], at: Callable[..., str], single_use: dict[str, str]
) -> None:
    viewer = look("operator")
    page = viewer.page
    page.goto(at("/console/tenants/hooli/"))
    opener = page.get_by_role("link", name="Reactivate…").first

    opener.click()
    dialog = page.get_by_role("dialog", name="Reactivate Hooli?")
    expect(dialog.get_by_label("Why? Kept in the audit log.")).to_be_focused()
    findings = viewer.axe()
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()
    opener.click()
    dialog.get_by_label("Why? Kept in the audit log.").fill("They paid")
    dialog.get_by_role("button", name="Reactivate hooli").click()
    expect(page.get_by_text("Hooli works again.").first).to_be_visible()
    page.get_by_role("link", name="Suspend…").first.click()
    dialog = page.get_by_role("dialog", name="Suspend Hooli?")
    dialog.get_by_label("Why? Kept in the audit log.").fill("They did not")
    dialog.get_by_role("button", name="Suspend hooli").click()

    expect(page.get_by_text("Hooli is suspended.").first).to_be_visible()
    assert findings == []
    assert viewer.complaints + viewer.violations() == []


def test_the_typed_slug_enables_a_deletion_which_one_click_undoes(
    look: Callable[..., Viewer], at: Callable[..., str], single_use: dict[str, str]
) -> None:
    viewer = look("operator")
    page = viewer.page
    page.goto(at("/console/tenants/hooli/"))

    page.get_by_role("link", name="Delete…").click()
    dialog = page.get_by_role("dialog", name="Delete hooli for good?")
    expect(dialog.get_by_text("Rows")).to_be_visible()
    deed = dialog.get_by_role("button", name="Delete hooli")
    expect(deed).to_be_disabled()
    findings = viewer.axe()
    dialog.get_by_label("Why? Kept in the audit log.").fill("The contract has ended")
    dialog.get_by_label("Type hooli to confirm").press_sequentially("hoolix")
    expect(deed).to_be_disabled()
    page.keyboard.press("Backspace")
    expect(deed).to_be_enabled()
    deed.click()
    expect(page.get_by_role("heading", name="Will be deleted on")).to_be_visible()
    page.get_by_role("button", name="Undo the deletion").click()

    expect(page.get_by_text("The deletion is called off.").first).to_be_visible()
    expect(page.get_by_role("heading", name="Will be deleted on")).to_have_count(0)
    assert findings == []
    assert viewer.complaints + viewer.violations() == []


def test_ticked_rows_show_a_bar_that_asks_for_all_of_them(
    look: Callable[..., Viewer], at: Callable[..., str], single_use: dict[str, str]
) -> None:
    viewer = look("operator")
    page = viewer.page
    page.goto(at("/console/tenants/"))
    bar = page.get_by_role("region", name="Selection")
    expect(bar).to_be_hidden()

    page.get_by_label("Select hooli").check()
    page.get_by_label("Select umbrella").check()
    expect(bar).to_contain_text(re.compile(r"2\s+selected"))
    findings = viewer.axe()
    bar.get_by_role("button", name="Suspend…").click()
    dialog = page.get_by_role("dialog", name="Suspend 0 tenants?")
    expect(dialog).to_contain_text("2 are in another state and stay as they are: hooli, umbrella")
    dialog.get_by_label("Why? Kept in the audit log.").fill("All at once")
    dialog.get_by_role("button", name="Suspend 0 tenants").click()

    expect(page.get_by_text("2 were not changed.")).to_be_visible()
    expect(page.get_by_role("row", name="Hooli")).to_contain_text("hooli is Suspended")
    assert findings == []
    assert viewer.complaints + viewer.violations() == []
