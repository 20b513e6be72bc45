# mypy: ignore-errors
"""Takes a picture of every page at both widths and in both themes: python -m tests.e2e.pictures FOLDER [PART OF A NAME]

Runs a platform of its own with the demo's data. Needs what tests need (see bin/test): servers, front end, Chromium.
"""

import functools
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import django
from playwright.sync_api import Browser, sync_playwright


def main(folder: Path, part: str) -> None:
    """Start everything, take the pictures, take everything away."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "plexica.settings")
    django.setup()
    from tests.support.platform import Platform, static_files

    platform = Platform("walks", static_root=static_files())
    folder.mkdir(parents=True, exist_ok=True)

    def prepare() -> None:
        for command in ("setup_database", "migrate"):
            platform.manage("manage.py", command)

    with platform.life(prepare=prepare), sync_playwright() as playwright:
        from tests.e2e.viewer import launch

        addresses = json.loads(platform.manage("manage.py", "seed_demo", "--json").splitlines()[-1])["addresses"]
        places = json.loads(platform.manage("-m", "tests.e2e.scenery", "--operations").splitlines()[-1])
        browser = launch(playwright)
        _take_all(browser, {address["name"]: address for address in addresses}, places, folder, part)
        browser.close()


def _take_all(browser: Browser, addresses: dict[str, Any], places: dict[str, str], folder: Path, part: str) -> None:
    from tests.e2e.pages import MORE, PAGES, Example
    from tests.e2e.viewer import DESK, PHONE, Viewer

    console, acme = addresses["Console"], addresses["Acme Corp"]
    hosts = {"platform": console["url"].removesuffix("/console/"), "workspace": acme["url"].rstrip("/")}
    people = {"operator": console["people"][0], "owner": acme["people"][0], "member": acme["people"][1]}
    signed_in = {"platform": "operator", "workspace": "owner"}
    states: dict[str | None, Any] = {None: None}
    for who in people:
        viewer = Viewer(browser)
        viewer.page.goto(console["url"] if who == "operator" else acme["url"])
        viewer.sign_in(people[who]["login"], people[who]["password"])
        viewer.page.get_by_role("heading", level=1).first.wait_for()
        states[who] = viewer.context.storage_state()
        viewer.close()
    for portal, pages in PAGES.items():
        for name, example in {**pages, **MORE[portal]}.items():
            if not isinstance(example, Example) or part not in f"{portal} {name}":
                continue
            path = functools.reduce(lambda path, place: path.replace(*place), places.items(), example.path)
            if "{" in path:
                continue
            visitor = signed_in[portal] if example.who == "signed_in" else example.who
            host = hosts[portal] if example.slug is None else hosts["platform"].replace("//", f"//{example.slug}.")
            stem = f"{portal}-{re.sub(r'[^a-z0-9]+', '-', name)}"
            for size in (DESK, PHONE):
                for theme in ("light", "dark"):
                    viewer = Viewer(browser, storage_state=states[visitor], size=size)
                    _take(viewer, host + path, theme, folder / f"{stem}-{size['width']}-{theme}.png")


def _take(viewer: Any, url: str, theme: str, path: Path) -> None:
    viewer.set_theme(theme, url)
    viewer.open(url)
    viewer.page.wait_for_timeout(150)  # what a script draws after the page has loaded
    viewer.page.screenshot(path=path)
    viewer.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "")
