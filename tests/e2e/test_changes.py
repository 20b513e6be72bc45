"""What operators do to tenants, by hand: dialogs, the typed slug, undo, and many at once."""

import hashlib
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

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


def test_an_export_is_asked_for_in_the_menu_watched_and_downloaded(
    look: Callable[..., Viewer], at: Callable[..., str], single_use: dict[str, str], tmp_path: Path
) -> None:
    viewer = look("operator")
    page = viewer.page
    page.goto(at("/console/tenants/hooli/"))
    menu = page.get_by_role("button", name="More", exact=True)

    menu.click()
    page.get_by_role("link", name="Export…").click()
    dialog = page.get_by_role("dialog", name="Export hooli?")
    expect(dialog.get_by_text("kept for 30 days")).to_be_visible()
    findings = viewer.axe()
    page.keyboard.press("Escape")
    expect(menu).to_be_focused()
    menu.click()
    page.get_by_role("link", name="Export…").click()
    dialog.get_by_label("Why? Kept in the audit log.").fill("They ask for their data")
    dialog.get_by_role("button", name="Export hooli").click()
    page.wait_for_url(at("/console/operations/**"))
    expect(page.locator(".plx-steps li[data-state=done]")).to_have_count(2)
    sum_shown = page.locator(".plx-facts code").filter(has_text=re.compile("^[0-9a-f]{64}$")).inner_text()
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download").click()
    downloading.value.save_as(tmp_path / "hooli.tar.gz")
    page.goto(at("/console/tenants/hooli/"))

    exports = page.get_by_role("region", name="Exports")
    expect(exports.get_by_role("link", name="Download hooli-")).to_have_count(1)
    assert re.fullmatch(r"hooli-\d{8}-\d{6}\.plexica\.tar\.gz", downloading.value.suggested_filename)
    assert hashlib.sha256((tmp_path / "hooli.tar.gz").read_bytes()).hexdigest() == sum_shown
    with tarfile.open(tmp_path / "hooli.tar.gz") as archive:
        assert archive.getnames()[0] == "manifest.json"
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
