"""The main job, from end to end, in a browser: find a workspace and work there; make a tenant and become its first admin."""

import re
import signal
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.e2e.viewer import Viewer
from tests.support import people
from tests.support.platform import START_S, Platform, wait_until

pytestmark = pytest.mark.browser
NEW_PASSWORD = "seven quiet words for a walk"


def test_a_person_finds_their_workspace_signs_in_and_out(
    look: Callable[..., Viewer], at: Callable[..., str], single_use: dict[str, str]
) -> None:
    viewer = look()
    page = viewer.page

    page.goto(at("/"))
    page.get_by_label("Your workspace’s name").fill("acme-crop")
    page.get_by_role("button", name="Go to workspace").click()
    expect(page.get_by_text("There is no workspace with this name.").first).to_be_visible()
    expect(page.get_by_label("Your workspace’s name")).to_have_value("acme-crop")

    page.get_by_label("Your workspace’s name").fill("acme-corp")
    page.get_by_role("button", name="Go to workspace").click()
    page.wait_for_url(at("/op/sign-in/", "acme-corp") + "?**")
    expect(page.get_by_text("Use your Acme Corp account.")).to_be_visible()

    viewer.sign_in(people.email_of("owner"), "not the password")
    expect(page.get_by_role("alert")).to_contain_text("do not match")
    expect(page.get_by_label("E-mail")).to_have_value(people.email_of("owner"))

    viewer.sign_in(people.email_of("owner"), people.PASSWORD)
    page.wait_for_url(at("/", "acme-corp"))
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
    expect(page.get_by_role("complementary", name="Sidebar").get_by_text("Acme Corp")).to_be_visible()
    expect(page.locator(".plx-stats")).to_contain_text(re.compile(r"Active members\s*7"))
    expect(page.locator(".plx-stats")).to_contain_text("Sign-ins")

    page.goto(at("/", "globex-inc"))
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    viewer.sign_in(people.email_of("owner"), people.PASSWORD)
    expect(page.get_by_role("alert")).to_contain_text("do not match")

    page.goto(at("/", "acme-corp"))
    page.get_by_role("button", name="your menu").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(lambda url: "/sign-out" not in url and url != at("/", "acme-corp"))
    expect(page.get_by_role("heading", name="Dashboard")).to_have_count(0)
    page.go_back()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto(at("/team/", "acme-corp"))
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert viewer.complaints == []


def test_an_operator_makes_a_tenant_and_its_first_admin_signs_in(
    platform: Platform, look: Callable[..., Viewer], at: Callable[..., str]
) -> None:
    console, slug = look(), "walk-three"
    page = console.page

    page.goto(at("/console/"))
    console.sign_in(people.email_of("operator"), people.PASSWORD)
    page.wait_for_url(at("/console/tenants/"))
    expect(page.get_by_role("link", name="Globex Inc")).to_be_visible()
    page.get_by_role("link", name="Create tenant").click()
    page.get_by_label("Name", exact=True).fill("Walk Three")
    expect(page.get_by_label("Slug")).to_have_value(slug)
    expect(page.locator("#slug_check").get_by_text(f"{slug} is free")).to_be_visible()
    page.get_by_label("First admin’s name").fill("Wanda Dritt")
    page.get_by_label("First admin’s e-mail").fill("wanda@three.example")
    platform.signal_group("operations", signal.SIGSTOP)  # until the middle of the work can be held
    try:
        page.get_by_role("button", name="Create tenant").click()
        page.wait_for_url(at(f"/console/tenants/{slug}/"))
        expect(page.get_by_text("0 of 6 steps")).to_be_visible()
        with platform.step_held_up(slug, 5):
            platform.signal_group("operations", signal.SIGCONT)
            expect(page.get_by_text("4 of 6 steps")).to_be_visible()
            done = page.locator(".plx-steps li[data-state=done]")
            expect(done).to_have_count(4)
            expect(done.first.locator(".plx-took")).to_be_visible()
    finally:
        platform.signal_group("operations", signal.SIGCONT)
    expect(page.locator(".plx-steps li[data-state=done]")).to_have_count(6)
    expect(page.get_by_role("link", name="Open workspace")).to_be_visible()
    assert page.locator(".plx-steps .plx-took").count() == 6

    page.get_by_role("button", name="Show set-password link").click()
    link = page.get_by_label("Set-password link", exact=True).input_value()
    assert link.startswith(at("/op/set-password/", slug))
    page.reload()
    expect(page.get_by_role("heading", name="Walk Three")).to_be_visible()
    expect(page.get_by_role("button", name="Show set-password link")).to_have_count(0)
    assert link not in page.content()
    mail = wait_until(
        lambda: platform.mail_to("wanda@three.example"),
        timeout_s=START_S,
        what=lambda: f"no mail:\n{platform.log_of('worker')}",
    )
    assert "Walk Three" in mail["Subject"]
    text = mail.get_body(("plain",)).get_content()
    assert "Walk Three" in text
    assert at("/op/set-password/", slug) in text

    admin = look()
    admin.page.goto(link)
    admin.page.get_by_label("New password").fill(NEW_PASSWORD)
    admin.page.get_by_label("The same again").fill(NEW_PASSWORD)
    admin.page.get_by_role("button", name="Set password").click()
    admin.sign_in("wanda@three.example", NEW_PASSWORD)
    admin.page.wait_for_url(at("/", slug))
    expect(admin.page.get_by_role("heading", name="Dashboard")).to_be_visible()
    expect(admin.page.get_by_role("complementary", name="Sidebar").get_by_text("Walk Three")).to_be_visible()
    admin.page.goto(link)
    expect(admin.page.get_by_text("no longer works")).to_be_visible()
    assert console.complaints + admin.complaints == []


def test_everything_works_without_javascript(
    platform: Platform, look: Callable[..., Viewer], at: Callable[..., str]
) -> None:
    viewer, slug = look(scripts=False), "without-scripts"
    page = viewer.page

    page.goto(at("/console/tenants/create/"))
    viewer.sign_in(people.email_of("operator"), people.PASSWORD)
    page.wait_for_url(at("/console/tenants/create/"))
    page.get_by_label("Name", exact=True).fill("Without Scripts")
    page.get_by_label("Slug").fill("Not A Slug")
    page.get_by_label("First admin’s name").fill("Ida")
    page.get_by_label("First admin’s e-mail").fill("ida@plain.example")
    page.get_by_role("button", name="Create tenant").click()
    expect(page.get_by_role("alert")).to_contain_text("Slug")
    page.get_by_label("Slug").fill(slug)
    page.get_by_role("button", name="Create tenant").click()
    page.wait_for_url(at(f"/console/tenants/{slug}/"))
    platform.wait_active(slug)
    page.reload()
    page.get_by_role("button", name="Show set-password link").click()
    expect(page.get_by_label("Set-password link", exact=True)).to_be_visible()
    page.goto(at("/console/tenants/"))
    page.get_by_label("Search tenants").fill("without")
    page.get_by_label("Search tenants").press("Enter")

    expect(page.get_by_role("link", name="Without Scripts")).to_be_visible()
    expect(page.get_by_role("link", name="Globex Inc")).to_have_count(0)
