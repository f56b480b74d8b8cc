"""Takes the pictures of docs/screens from a daemon that runs.

Run as `python -m tests.browser.screens <home> <url> docs/screens`. They are not tests: they are looked at.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from orchestrator.access.gateway.whereabouts import TOKEN_NAME

CHROMIUM = "/usr/bin/chromium"
SIZES = {1440: 900, 1024: 800, 390: 844}
SETTLED_MS = 4_000
"""How long figures and lines in time may gather."""


def take(browser: Browser, url: str, token: str, directory: Path, width: int, scheme: str) -> None:
    """Take the page, and an instance of it."""
    viewport = {"width": width, "height": SIZES[width]}
    context = browser.new_context(viewport=viewport, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(url)
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Log in").click()
    page.locator("body[data-connection=live]").wait_for()
    page.wait_for_timeout(SETTLED_MS)
    page.screenshot(path=directory / f"page-{width}-{scheme}.png", full_page=True)
    first = page.locator("#activity-list a[href^='#/instances/']").first.get_attribute("href")
    page.goto(f"{url}/{first or '#/instances/api_services-001'}")
    page.locator("#instance-body:not([aria-busy])").wait_for()
    page.get_by_role("tab", name="Bookings").click()
    page.locator("#bookings-list summary").first.click()
    page.screenshot(path=directory / f"instance-{width}-{scheme}.png")
    context.close()


def main(home: str, url: str, directory: str) -> None:
    """Take them all."""
    token = (Path(home) / "state" / "secrets" / TOKEN_NAME).read_text().strip()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for width in SIZES:
            for scheme in ("light", "dark"):
                take(browser, url, token, Path(directory), width, scheme)
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
