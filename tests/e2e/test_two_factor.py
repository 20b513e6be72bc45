"""A second factor in a browser: switched on, asked for, lost; every page of it looked at as `test_pages` does."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from accounts import demo
from tests.e2e.viewer import DESK, PHONE, Viewer
from tests.support.authenticator import App
from tests.support.platform import Platform

pytestmark = pytest.mark.browser
ACME = next(tenant for tenant in demo.TENANTS if tenant.slug == "acme-corp")


def faults_of(viewer: Viewer, name: str) -> list[str]:
    """Look at the page that is shown, at both widths and in both themes."""
    found = []
    for size, theme in ((DESK, "light"), (DESK, "dark"), (PHONE, "dark"), (PHONE, "light")):
        viewer.page.set_viewport_size(size)  # type: ignore[arg-type]
        viewer.turn(theme)
        found += [f"too wide: {part}" for part in viewer.too_wide()] + [f"axe: {finding}" for finding in viewer.axe()]
    viewer.page.set_viewport_size(DESK)  # type: ignore[arg-type]
    found += [f"policy: {violation}" for violation in viewer.violations()] + viewer.complaints
    return [f"{name}: {fault}" for fault in found]


def key_shown(viewer: Viewer) -> str:
    return viewer.page.get_by_label("Key for the app", exact=True).input_value()


def test_somebody_switches_their_second_factor_on_and_signs_in_with_it(
    look: Callable[..., Viewer], at: Callable[..., str], single_use: dict[str, str]
) -> None:
    viewer, email, faults = look(), ACME.people[1].email_at("acme-corp"), list[str]()
    page = viewer.page
    page.goto(at("/profile/security/", "acme-corp"))
    viewer.sign_in(email, ACME.password)

    page.get_by_role("link", name="Switch it on").click()
    expect(page.get_by_role("img", name="QR code for your authenticator app")).to_be_visible()
    app = App(key_shown(viewer))
    faults += faults_of(viewer, "switch-on")
    page.get_by_label("Code", exact=True).fill(app.wrong())
    page.get_by_label("Your password now").fill(ACME.password)
    page.get_by_role("button", name="Switch it on").click()
    expect(page.get_by_role("alert")).to_contain_text("not the code")
    assert key_shown(viewer) == app.key
    page.get_by_label("Code", exact=True).fill(app.code())
    page.get_by_label("Your password now").fill(ACME.password)
    page.get_by_role("button", name="Switch it on").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    recovery = page.locator(".plx-codes li").all_inner_texts()
    faults += faults_of(viewer, "recovery-codes")
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_text("10 recovery codes are left")).to_be_visible()
    faults += faults_of(viewer, "security-on")
    page.get_by_role("link", name="Switch it off…").click()
    expect(page.get_by_role("dialog")).to_contain_text("Your password alone is enough")
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()

    page.get_by_role("button", name="your menu").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(lambda url: "/sign-out" not in url)
    page.goto(at("/team/", "acme-corp"))
    viewer.sign_in(email, ACME.password)
    expect(page.get_by_role("heading", name="Enter your code")).to_be_visible()
    faults += faults_of(viewer, "code")
    page.get_by_label("Code", exact=True).fill(app.wrong())
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("wrong or was used before")
    faults += faults_of(viewer, "code-wrong")
    page.get_by_role("link", name="Use a recovery code instead").click()
    expect(page.get_by_text("Each counts once")).to_be_visible()
    page.get_by_label("Code", exact=True).fill(recovery[0])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(at("/team/", "acme-corp"))

    page.goto(at("/profile/sessions/", "acme-corp"))
    expect(page.get_by_text("Password and code")).to_be_visible()
    assert faults == []


def test_who_has_to_have_one_sets_it_up_on_the_way_in(
    platform: Platform, look: Callable[..., Viewer], at: Callable[..., str], single_use: dict[str, str]
) -> None:
    viewer, email, faults = look(), ACME.people[4].email_at("acme-corp"), list[str]()
    page = viewer.page
    schema = platform.sql("SELECT schema_name FROM tenants_tenant WHERE slug = 'acme-corp'")[0]["schema_name"]
    platform.sql(f"UPDATE {schema}.identity_account SET two_factor = true WHERE email = '{email}' RETURNING 1")

    page.goto(at("/", "acme-corp"))
    viewer.sign_in(email, ACME.password)
    expect(page.get_by_role("heading", name="Set up a second factor")).to_be_visible()
    faults += faults_of(viewer, "set-up")
    page.get_by_label("Code", exact=True).fill(App(key_shown(viewer)).code())
    page.get_by_role("button", name="Go on").click()
    expect(page.locator(".plx-codes li")).to_have_count(10)
    faults += faults_of(viewer, "recovery-codes-at-sign-in")
    page.get_by_role("link", name=re.compile("go on")).click()

    page.wait_for_url(at("/", "acme-corp"))
    assert faults == []
