"""Somebody looking at pages, who notes whatever a browser complains about."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, Response

ROOT = Path(__file__).resolve().parents[2]
AXE = (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
ARGUMENTS = [
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 30_000  # a busy machine; what is there at once costs nothing
NOTE_VIOLATIONS = """
window.pxViolations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.pxViolations.push(`${event.effectiveDirective} refused ${event.blockedURI}` +
    ` in ${event.sourceFile}:${event.lineNumber}`));
"""
RUN_AXE = """
async ([tags, rules]) => {
  const runOnly = rules ? {type: "rule", values: rules} : {type: "tag", values: tags};
  const {violations} = await axe.run(document, {runOnly, resultTypes: ["violations"]});
  return violations.map(({id, help, nodes}) =>
    `${id}: ${help}\\n` + nodes.slice(0, 4).map((node) => `    ${node.target.join(" ")}  ${node.html.slice(0, 160)}\\n` +
      `      ${(node.any[0] ?? node.all[0] ?? node.none[0])?.message ?? ""}`).join("\\n"));
}
"""
TURN = """
async (theme) => {
  document.documentElement.dataset.bsTheme = theme;
  const passing = () => document.getAnimations().filter((each) => each.effect.getComputedTiming().endTime < 1000);
  do {
    await new Promise(requestAnimationFrame);
    await Promise.allSettled(passing().map((each) => each.finished));
  } while (passing().length);
}
"""
WIDER_THAN_THE_SCREEN = """
() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  return [...document.querySelectorAll("body *")].filter((part) => part.getBoundingClientRect().right > width + 1)
    .slice(0, 5).map((part) => part.outerHTML.slice(0, 160));
}
"""


def launch(playwright: Playwright) -> Browser:
    """Start the Chromium of this machine."""
    program = os.environ.get("PLEXICA_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    return playwright.chromium.launch(executable_path=program, args=[*ARGUMENTS, *as_root])


@dataclass
class Viewer:
    """One browser profile with one page. `complaints` are CSP violations, console errors and errors of scripts."""

    browser: Browser
    storage_state: Any = None
    size: dict[str, int] = field(default_factory=lambda: dict(DESK))
    language: str = "en-GB"
    scripts: bool = True

    def __post_init__(self) -> None:
        self.complaints: list[str] = []
        self.context: BrowserContext = self.browser.new_context(
            viewport=self.size,  # type: ignore[arg-type]
            locale=self.language,
            storage_state=self.storage_state,
            java_script_enabled=self.scripts,
            reduced_motion="reduce",
        )
        self.context.set_default_timeout(PATIENCE_MS)
        if self.scripts:
            self.context.add_init_script(NOTE_VIOLATIONS)
        self.page: Page = self.context.new_page()
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error of a script: {error}"))

    def _note(self, message: ConsoleMessage) -> None:
        if message.type != "error":
            return
        # a page that is answered with 404 or 422 is an error to the console, and no defect of the page
        refused = "Failed to load resource" in message.text and message.location["url"] == self.page.url
        if not refused:
            self.complaints.append(f"console: {message.text} ({message.location['url']})")

    def close(self) -> None:
        self.context.close()

    def set_theme(self, theme: str, url: str) -> None:
        """As the theme switch remembers it."""
        host = urlsplit(url).hostname or ""
        self.context.add_cookies([{"name": "px_theme", "value": theme, "domain": host, "path": "/"}])

    def open(self, url: str) -> Response:
        """Go to a page and wait until it is at rest."""
        response = self.page.goto(url, wait_until="load")
        assert response is not None
        if self.page.locator("#swagger-ui").count():
            self.page.locator(".opblock").first.wait_for()
        return response

    def sign_in(self, email: str, password: str) -> None:
        """Fill in the sign-in page."""
        self.page.get_by_label("E-mail").fill(email)
        self.page.get_by_label("Password", exact=True).fill(password)
        self.page.get_by_role("button", name="Sign in").click()

    def turn(self, theme: str) -> None:
        """Draw the page that is shown in another theme, and wait until colours have stopped moving."""
        self.page.evaluate(TURN, theme)

    def axe(self, rules: list[str] | None = None) -> list[str]:
        """What axe finds: by every rule of AXE_TAGS, or by the named ones alone."""
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.evaluate(AXE)
        found: list[str] = self.page.evaluate(RUN_AXE, [AXE_TAGS, rules])
        return found

    def too_wide(self) -> list[str]:
        """What makes the page scroll sideways."""
        found: list[str] = self.page.evaluate(WIDER_THAN_THE_SCREEN)
        return found

    def violations(self) -> list[str]:
        """What the Content-Security-Policy refused."""
        found: list[str] = self.page.evaluate("() => window.pxViolations")
        return found

    @property
    def theme(self) -> str | None:
        return self.page.locator("html").get_attribute("data-bs-theme")
