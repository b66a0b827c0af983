"""A real Chromium (Debian's, never a downloaded one) before a live server."""

import os
import re
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright

from tests import factories

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"


@pytest.fixture(scope="session")
def chromium():
    if not Path(CHROMIUM).exists():
        pytest.skip("Chromium is not installed: scripts/install-chromium.sh")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--force-color-profile=srgb"]
        )
        yield browser
        browser.close()


@pytest.fixture
def window(chromium: Browser, live_server):
    """``window(scale=1.5, ...)`` opens a page at a device scale; script errors and refused content fail the test."""
    contexts, wrong = [], []

    def open_page(*, width: int = 1280, height: int = 720, scale: float = 1, **options):
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            device_scale_factor=scale,
            base_url=live_server.url,
            **options,
        )
        context.set_default_timeout(120_000)  # a busy machine is slow, not wrong
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
        page.on(
            "console",
            lambda line: (
                wrong.append(f"{line.text} {line.location}") if "Content Security Policy" in line.text else None
            ),
        )
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not wrong, wrong


def sign_in(page, username: str = "reader") -> None:
    page.goto("/sign-in/")
    page.fill("input[name=username]", username)
    page.fill("input[name=password]", factories.PASSWORD)
    page.click("main form button[type=submit]")
    page.wait_for_url(re.compile(r"/(reading/)?$"))  # readers to the reading room, others to the office


def enter_room(page, slug: str = "small") -> None:
    """Through the viewing check into the room, up to the first image."""
    page.goto(f"/reading/study/{slug}/viewing/")
    pass_viewing_check(page)
    if page.url.endswith(f"/{slug}/"):
        page.click("a[role=button]")  # Start
    page.wait_for_url("**/read/")
    wait_ready(page)


def pass_viewing_check(page) -> None:
    if page.is_visible("#pattern-question"):
        page.check("input[name=pattern][value=yes]")
    follow(page, "#viewing button[type=submit]")


def wait_ready(page) -> None:
    page.wait_for_selector('#room[data-ready="yes"]')


def at_position(page, position: int) -> None:
    """Wait until image ``position`` of the set can be answered."""
    page.wait_for_function("n => document.getElementById('position').textContent.trim() == n", arg=str(position))
    wait_ready(page)


def follow(page, selector: str) -> None:
    """Click on what leads to another page, and be there: a click alone returns while the old page is still leaving."""
    with page.expect_navigation():
        page.click(selector)


def no_fault(page, name: str = "") -> None:
    """axe finds no violation on the page as it stands. With SCREENSHOTS=folder, a picture of it is kept there."""
    if folder := os.environ.get("SCREENSHOTS"):
        where = re.sub(r"\W+", "-", name or urlsplit(page.url).path).strip("-") or "home"
        page.screenshot(path=Path(folder) / f"{where}-{page.viewport_size['width']}.png", full_page=True)
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    assert not found, [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]
